"""What a command says reaches the terminal as text: escape sequences and other characters that are not seen stand as escapes.

Names of files, systems and titles are in everything that is printed, logged and raised, here and in the libraries below; so it is done
once, where all of it passes. What moves the cursor of a progress bar is let through where it stands alone, as tqdm writes it.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

from rella_hub.commands import as_typed_here
from rella_hub.texts.shown import visible

MOVES = re.compile(r"(?:[\r\n]|\x1b\[A)*")  # of tqdm: to the begin of a line, a line down or up


@contextmanager
def visible_output() -> Iterator[None]:
    """Both streams of this process as `Visible` ones."""
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = map(Visible, before)
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before


class Visible:
    """A stream that writes what is not seen as an escape; everything else is the stream's."""

    def __init__(self, stream: TextIO):
        self._stream = stream

    def write(self, text: str) -> int:
        self._stream.write(_shown(text))
        return len(text)

    def writelines(self, lines) -> None:
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str):
        return getattr(self._stream, name)

    def __iter__(self):
        return iter(self._stream)


def _shown(text: str) -> str:
    """Moves of the cursor are a text's own at its begin alone; a `\\r` further on would write over what stands before it."""
    if MOVES.fullmatch(text):
        return text
    body = text.lstrip("\r")
    return text[: len(text) - len(body)] + visible(as_typed_here(body.replace("\r\n", "\n")))
