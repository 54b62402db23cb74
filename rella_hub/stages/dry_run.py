"""What a dry run says: how much there is to do, and what memory and time it takes, by what a sample of it took."""

from __future__ import annotations

from dataclasses import dataclass

SAMPLE = 256  # rows; they stand in a few places, so that little is read
PLACES = 4
SECONDS = 20  # after which no more batches are timed


@dataclass(frozen=True)
class Estimate:
    unit: str  # what the rows are, such as "prompt"
    rows: int  # to be done in all
    timed_rows: int
    timed_tokens: int  # of them; 0 where no tokens are read
    seconds: float  # that they took
    weights: int  # bytes
    precision: str
    memory: int  # bytes beside the weights, at the peak
    times: float = 1  # how often each row is read
    rows_per_sample: int = 1

    @property
    def tokens(self) -> int:
        return round(self.timed_tokens / self.timed_rows * self.rows)

    def lines(self) -> list[str]:
        rate, times = self.timed_rows / self.seconds, f" in each of {self.times:g} epochs" if self.times != 1 else ""
        sample = f"by a sample of {self.timed_rows:,}"
        tokens = f"{self.tokens:,} ({self.tokens / max(1, self.rows):,.0f} a {self.unit}), {sample}"
        return [
            f"{self.unit}s: {self.rows:,}{times}",
            *([f"tokens: {tokens}"] if self.timed_tokens else []),
            f"memory: {size(self.weights)} of weights in {self.precision}, and {size(self.memory)} at the peak for all else, {sample}",
            f"time: {duration(self.rows * self.times / rate)} by one process at {rate:,.1f} {self.unit}s/s"
            + (f" ({self.timed_tokens / self.seconds:,.0f} tokens/s)" if self.timed_tokens else "")
            + f", {sample}",
        ]

    def say(self) -> None:
        print("dry run, nothing is written:", *self.lines(), sep="\n  ", flush=True)


def size(count: float) -> str:
    for name, scale in (("GB", 1e9), ("MB", 1e6)):
        if count >= scale:
            return f"{count / scale:,.1f} {name}"
    return f"{count / 1e3:,.0f} kB"


def duration(seconds: float) -> str:
    minutes = seconds / 60
    if minutes < 1:
        return f"{seconds:,.0f} s"
    if minutes < 60:
        return f"{minutes:,.0f} min"
    return f"{minutes // 60:,.0f} h {minutes % 60:.0f} min"


def sample_of(rows: int) -> list[range]:
    """Row numbers of a sample of so many rows, in a few places."""
    if rows <= SAMPLE:
        return [range(rows)]
    each = SAMPLE // PLACES
    return [range(begin, begin + each) for begin in (round(p * (rows - each) / (PLACES - 1)) for p in range(PLACES))]
