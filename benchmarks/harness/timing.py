"""Time several functions in turn, A B C A B C ..., so that a machine that slows down slows them all; report medians."""

from __future__ import annotations

import resource
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class Timing:
    """Wall-clock seconds of each run."""

    seconds: list[float]

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)

    def __str__(self) -> str:
        return f"{self.median:.2f} s ({min(self.seconds):.2f} to {max(self.seconds):.2f})"


def interleaved(functions: dict[str, Callable[[], object]], runs: int) -> dict[str, Timing]:
    """Each function `runs` times in turn, after one turn that is not counted."""
    seconds: dict[str, list[float]] = {name: [] for name in functions}
    for turn in range(runs + 1):
        for name, function in functions.items():
            begin = time.perf_counter()
            function()
            if torch.cuda.is_available():
                torch.cuda.synchronize()
            if turn:
                seconds[name].append(time.perf_counter() - begin)
    return {name: Timing(values) for name, values in seconds.items()}


def median_ratio(slow: Timing, fast: Timing) -> float:
    """The median over the turns of slow / fast."""
    return statistics.median(a / b for a, b in zip(slow.seconds, fast.seconds, strict=True))


def peak_memory_gb() -> float:
    """Largest resident memory of this process so far, in GB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9


def matrix_product_rate(dtype: torch.dtype, size: int = 8192) -> float:
    """Floating-point operations per second of a large square matrix product on the GPU: what it gives at best."""
    a, b = (torch.randn(size, size, device="cuda").to(dtype) for _ in range(2))
    timing = interleaved({"product": lambda: a @ b}, runs=7)["product"]
    return 2 * size**3 / min(timing.seconds)


def share_of_card(flops: float, seconds: float, dtype: torch.dtype) -> str:
    """A sentence on how much of the card's matrix-product rate was used; empty on a CPU, whose rate swings from minute to minute."""
    if not torch.cuda.is_available():
        return ""
    share = flops / seconds / matrix_product_rate(dtype)
    return f" The arithmetic that must be done, over the time, is {share:.0%} of the rate of a large matrix product on this card."
