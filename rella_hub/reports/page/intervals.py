"""Numbers with their intervals as small drawings on one scale a column, so that they can be compared down the page."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from rella_hub.reports.page.entries import Number

WIDTH, MARGIN = 120.0, 4.0  # of a drawing, in the units of its view box


@dataclass(frozen=True)
class Drawing:
    """Places along the x axis of a drawing."""

    value: float
    low: float | None
    high: float | None
    mark: float | None  # of a guess, or of no difference; None where it lies outside


@dataclass(frozen=True)
class Scale:
    low: float
    high: float
    mark: float | None = None

    def draw(self, number: Number) -> Drawing:
        ends = [None if end is None else self.place(end) for end in (number.low, number.high)]
        inside = self.mark is not None and self.low <= self.mark <= self.high
        return Drawing(self.place(number.value), *ends, self.place(self.mark) if inside else None)

    def place(self, value: float) -> float:
        share = (value - self.low) / (self.high - self.low) if self.high > self.low else 0.5
        return round(MARGIN + share * (WIDTH - 2 * MARGIN), 1)


def scale_of(numbers: Iterable[Number], mark: float | None = None) -> Scale | None:
    """From the lowest to the highest end of all intervals; None where there are no numbers."""
    ends = [end for one in numbers for end in (one.value, one.low, one.high) if end is not None and math.isfinite(end)]
    return Scale(min(ends), max(ends), mark) if ends else None
