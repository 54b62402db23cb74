"""Where the words of a command go: a console of any encoding, a terminal or a file; and what libraries say there unasked."""

from __future__ import annotations

import io
import logging
import os
import sys

SECONDS_BETWEEN_LINES = 60  # of a progress bar that nobody watches
# bitsandbytes asks for a faster kernel at its import, on CPUs with AVX-512 BF16, which is never used here (language_models/load.py).
UNASKED = {"bitsandbytes.backends.cpu.ops": "Failed to load CPU gemm_4bit_forward from kernels-community"}


def prepare() -> None:
    """Make this process ready to speak. Comes before the libraries that draw bars, which read their settings when imported."""
    _take_any_character()
    _draw_bars_seldom()
    for logger, beginning in UNASKED.items():
        logging.getLogger(logger).addFilter(lambda record, said=beginning: not str(record.msg).startswith(said))


def is_watched() -> bool:
    """Whether somebody sees a bar move: stderr is a terminal, no file or pipe."""
    return sys.stderr is not None and sys.stderr.isatty()


def _take_any_character() -> None:
    """A character that the console's encoding lacks is written as its number; it ends no command. Lines are written at once."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace", line_buffering=True)


def _draw_bars_seldom() -> None:
    """In a file, a bar says nothing for a minute and then a line a minute: ours and those of all libraries, which all are tqdm's."""
    if not is_watched():
        for setting in ("DELAY", "MININTERVAL", "MAXINTERVAL"):
            os.environ.setdefault(f"TQDM_{setting}", str(SECONDS_BETWEEN_LINES))
