"""What commands say, and where: on a console of any encoding, in a file, and without the words of libraries."""

import importlib.util
import io
import json
import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest

from rella_hub.cli import terminal

REPOSITORY = Path(__file__).parents[1]
LAYOUT = ("dataset_builders", "training", "evaluation", "model_cards")
COMMANDS = [
    path.relative_to(REPOSITORY).as_posix()
    for folder in LAYOUT
    for path in sorted((REPOSITORY / folder).glob("*.py"))
    if path.stem != "__init__"
]
SLOW_TO_IMPORT = ("torch", "bitsandbytes", "trl", "peft")
# Imports commands without running them.
ALL_COMMANDS = """
import runpy, sys
for command in sys.argv[1:]:
    runpy.run_path(command)
    assert "tqdm" not in sys.modules, f"{command} imports what draws bars before cli.run"
"""
# Runs commands one after the other, since each would import the same libraries, and tells how each ended and what it imported.
ALL_HELP = f"""
import contextlib, io, json, runpy, sys, traceback
found, known = {{}}, set()
for command in sys.argv[1:]:
    sys.argv = [command, "--help"]
    try:
        runpy.run_path(command, run_name="__main__")
        code = 0
    except SystemExit as end:
        code = end.code
    except BaseException:
        code = traceback.format_exc()
    imported = set({SLOW_TO_IMPORT!r}) & set(sys.modules) - known
    known |= imported
    found[command] = (code, sorted(imported))
json.dump(found, sys.stderr)
"""


@pytest.fixture(scope="module", params=["ascii", "cp1252"])
def helped(request) -> tuple[dict, bytes]:
    """How `--help` of every command ends on a console of that encoding, what it imports, and what all of them say."""
    line = [sys.executable, "-c", ALL_HELP, *sorted(COMMANDS, key="training/sft.py".__eq__)]
    environment = os.environ | {"PYTHONIOENCODING": request.param, "PYTHONPATH": str(REPOSITORY), "COLUMNS": "80"}
    done = subprocess.run(line, cwd=REPOSITORY, env=environment, capture_output=True, timeout=300)
    return json.loads(done.stderr), done.stdout


def test_help_of_every_command_is_shown_on_a_console_of_any_encoding(helped):
    found, said = helped
    assert {command: code for command, (code, _) in found.items()} == dict.fromkeys(COMMANDS, 0)
    assert said.count(b"usage: ") == len(COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_help_imports_nothing_that_is_slow_to_import(helped, command):
    found, _ = helped
    assert found[command][1] == []


def console(encoding: str) -> io.TextIOWrapper:
    return io.TextIOWrapper(io.BytesIO(), encoding=encoding)


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "utf-8"])
def test_any_text_can_be_printed_on_any_console(monkeypatch, encoding):
    """Titles, paths with bytes that are no characters (surrogates), arrows: on both streams, and at once."""
    out, err = console(encoding), console(encoding)
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setattr(sys, "stderr", err)
    terminal.prepare()
    for stream in (out, err):
        print("Amélie → 千と千尋 \udce9", file=stream)
        written = stream.buffer.getvalue()
        assert written.endswith(b"\\udce9\n")
        assert written.startswith("Amélie →".encode(encoding, errors="backslashreplace"))


def test_a_process_without_streams_is_no_error(monkeypatch):
    monkeypatch.setattr(sys, "stdout", None)
    monkeypatch.setattr(sys, "stderr", None)
    terminal.prepare()


def lines_of_a_bar(seconds: float, *, watched: bool, settings: dict[str, str]) -> str:
    """What a library's bar writes while fifty updates take `seconds`, after the preparation of a command."""
    program = f"""
import sys, time
sys.stderr.isatty = lambda: {watched}
from rella_hub.cli import terminal
terminal.prepare()
from tqdm.auto import tqdm
for _ in tqdm(range(50), desc="stage"):
    time.sleep({seconds} / 50)
"""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TQDM_")} | settings
    line = [sys.executable, "-c", program]
    done = subprocess.run(
        line, env=environment | {"PYTHONPATH": str(REPOSITORY)}, capture_output=True, encoding="utf-8", timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done.stderr


def test_a_bar_in_a_file_is_silent_for_a_minute_and_one_on_a_terminal_moves():
    assert lines_of_a_bar(0.4, watched=False, settings={}) == ""
    assert lines_of_a_bar(0.4, watched=True, settings={}).count("stage") >= 3


def test_a_long_stage_says_in_a_file_now_and_then_how_far_it_is():
    """A user's own settings win, here a second instead of a minute's sixty."""
    settings = {f"TQDM_{name}": "0.5" for name in ("DELAY", "MININTERVAL", "MAXINTERVAL")}
    assert 1 <= lines_of_a_bar(1.2, watched=False, settings=settings).count("stage") <= 4


def test_no_command_imports_what_draws_bars_before_it_is_told_where_they_are_drawn():
    line = [sys.executable, "-c", ALL_COMMANDS, *COMMANDS]
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY)}
    done = subprocess.run(line, cwd=REPOSITORY, env=environment, capture_output=True, encoding="utf-8", timeout=120)
    assert done.returncode == 0, done.stderr


def test_only_the_line_about_a_missing_kernel_is_silenced(monkeypatch):
    terminal.prepare()
    for name, beginning in terminal.UNASKED.items():
        source = Path(importlib.util.find_spec("bitsandbytes").origin).parent / "backends/cpu/ops.py"
        assert name == "bitsandbytes.backends.cpu.ops"
        assert beginning in source.read_text(encoding="utf-8"), "bitsandbytes says it in other words now"
        heard = []
        handler = logging.Handler()
        handler.emit = lambda record, heard=heard: heard.append(record.getMessage())
        logger = logging.getLogger(name)
        monkeypatch.setattr(logger, "level", logging.WARNING)  # a model that was quantized before has left its own
        monkeypatch.setattr(logger, "_cache", {})
        logger.addHandler(handler)
        try:
            logger.warning(f"{beginning}: %s.", "No module named 'kernels'")
            logger.warning("Something else failed.")
        finally:
            logger.removeHandler(handler)
        assert heard == ["Something else failed."]
