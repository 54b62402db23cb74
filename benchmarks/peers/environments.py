"""A virtual environment for each peer, made once: what a peer depends on must not touch what this project runs with."""

from __future__ import annotations

import subprocess
import venv
from importlib.metadata import version
from pathlib import Path

from rella_hub.files import ownership

PEER_ENVIRONMENT = "peer environment"  # what the folder is recorded as
MARK = "requirements.txt"  # written last: an environment without it was not finished


def python_of(folder: Path, requirement: str) -> Path:
    """The interpreter of the environment that holds `requirement`, such as fuxictr==2.3.10, and our version of torch."""
    wanted = [f"torch=={version('torch').partition('+')[0]}", requirement]
    environment = folder / requirement.replace("==", "-")
    python, mark = environment / "bin" / "python", environment / MARK
    if not mark.is_file() or mark.read_text(encoding="utf-8").split() != wanted:
        print(f"{environment}: installing {', '.join(wanted)}.", flush=True)
        ownership.open_folder(environment, PEER_ENVIRONMENT)
        venv.create(environment, with_pip=True, symlinks=True)
        for one in wanted:  # torch first, from the same index as ours, so that the peer brings no other build of it
            _install(python, one)
        mark.write_text("\n".join(wanted) + "\n", encoding="utf-8")
    return python


def _install(python: Path, requirement: str) -> None:
    done = subprocess.run([python, "-m", "pip", "install", "--quiet", requirement], capture_output=True, text=True)
    if done.returncode:
        raise ValueError(
            f"pip could not install {requirement} into {python.parent.parent}: {done.stderr[-1000:]} Expected an index that has it: "
            "look at pip's settings, or pass --environments a folder where it is installed."
        )
