"""Run a command of this project as a user does, in a process of its own, and say how long it took and how much memory at most."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]


@dataclass(frozen=True)
class Run:
    seconds: float
    peak_gb: float  # largest resident memory


def run(command: str, *arguments: object, folder: Path | None = None, python: Path | str = sys.executable) -> Run:
    """`command` is a path from the repository, such as dataset_builders/view.py. ValueError with what it said when it fails."""
    line = [str(python), str(REPOSITORY / command), *map(str, arguments)]
    with tempfile.TemporaryFile() as said:
        begin = time.perf_counter()
        child = subprocess.Popen(line, stdout=said, stderr=said, cwd=folder, env=os.environ | {"HF_HUB_OFFLINE": "1"})
        _, status, usage = os.wait4(child.pid, 0)
        seconds = time.perf_counter() - begin
        child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode:
            said.seek(0)
            raise ValueError(
                f"{' '.join(line)} ended with {child.returncode}: {said.read()[-2000:].decode(errors='replace')}"
            )
    return Run(seconds, usage.ru_maxrss * 1024 / 1e9)
