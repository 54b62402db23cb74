"""What a turn says of itself, without a library: processor time since a moment, and the most memory its process has held."""

from __future__ import annotations

import json
import multiprocessing
import os
import sys
from pathlib import Path


def processor_seconds() -> float:
    """Of this process with its threads, and of its loader processes, ended or not."""
    ticks = 0
    for child in multiprocessing.active_children():
        after_name = Path(f"/proc/{child.pid}/stat").read_text().rpartition(")")[2].split()
        ticks += sum(map(int, after_name[11:15]))  # user and system, its own and its children's
    return sum(os.times()[:4]) + ticks / os.sysconf("SC_CLK_TCK")


def read_settings() -> dict:
    """The first argument of the command line is a JSON file of what to train."""
    return json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))


def write_result(seconds: float, processor: float, auc: float, weights: int, threads: int) -> None:
    """To the second argument. Memory is what this process held itself: what the system says to the parent counts the parent's too."""
    status = Path("/proc/self/status").read_text()
    peak = next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM"))
    result = {
        "seconds": seconds,
        "processor": processor,
        "auc": auc,
        "weights": weights,
        "threads": threads,
        "peak_gb": int(peak) * 1024 / 1e9,
    }
    Path(sys.argv[2]).write_text(json.dumps(result), encoding="utf-8")
