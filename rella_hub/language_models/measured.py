"""What work takes, measured on a little of it: seconds, and memory beside what was there before."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import psutil
import torch

SECONDS_BETWEEN_LOOKS = 0.01


@dataclass
class Measured:
    seconds: float = 0.0
    memory: int = 0  # bytes at the peak, beside what was there before: of the GPU, without one of this process


@contextmanager
def measured() -> Iterator[Measured]:
    """Filled in when the block has ended."""
    found, on_gpu = Measured(), torch.cuda.is_available()
    process, ended = psutil.Process(), threading.Event()
    before = torch.cuda.memory_allocated() if on_gpu else process.memory_info().rss
    if on_gpu:
        torch.cuda.reset_peak_memory_stats()

    def watch() -> None:
        while not ended.wait(SECONDS_BETWEEN_LOOKS):
            found.memory = max(found.memory, process.memory_info().rss - before)

    watcher = threading.Thread(target=watch, daemon=True)
    begin = time.perf_counter()
    if not on_gpu:
        watcher.start()
    try:
        yield found
        if on_gpu:
            torch.cuda.synchronize()
    finally:
        found.seconds = time.perf_counter() - begin
        ended.set()
        if on_gpu:
            found.memory = torch.cuda.max_memory_allocated() - before
        else:
            watcher.join()


def footprint(model: torch.nn.Module) -> int:
    """Bytes of a model's weights and buffers, as they are loaded."""
    return sum(one.numel() * one.element_size() for one in (*model.parameters(), *model.buffers()))
