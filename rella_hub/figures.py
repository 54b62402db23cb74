"""What all figures share: the colors, and the curve of a training.

Colors: M. Okabe and K. Ito, "Color Universal Design", 2008, in an order that tells apart for every kind of sight and in grey.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import matplotlib
from matplotlib.figure import Figure  # and not pyplot: no window system, no global state
from matplotlib.ticker import MaxNLocator

_, ORANGE, SKY, GREEN, _, BLUE, VERMILION, PURPLE = matplotlib.color_sequences["okabe_ito"]
COLORS = (BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY)
GREY = "#767676"  # what steps back
DPI = 150
Points = Iterable[tuple[float, float]]


def draw_curve(
    path: Path,
    over: str,
    loss: str,
    losses: Mapping[str, Points],
    metric: Points,
    kept: float | None = None,
    titled: str = "validation AUC",
) -> None:
    """Write the curve of a training as PNG: losses at the left by the name of each, a metric at the right, both over `over`."""
    figure = Figure(figsize=(7, 4), layout="constrained", dpi=DPI)
    left = figure.subplots()
    for (name, points), style in zip(losses.items(), ("-", "--"), strict=False):
        left.plot(*zip(*points, strict=True), style, color=BLUE, linewidth=1, label=name)
    left.set(xlabel=over, ylabel=loss)
    left.yaxis.label.set_color(BLUE)
    left.xaxis.set_major_locator(MaxNLocator(integer=True))
    left.grid(alpha=0.3)
    right = left.twinx()
    right.plot(*zip(*metric, strict=True), color=VERMILION, marker="o")
    right.set_ylabel(titled)
    right.yaxis.label.set_color(VERMILION)
    if kept is not None:
        left.axvline(kept, color=GREY, linewidth=1, linestyle=":", label="kept")
    if len(left.get_legend_handles_labels()[1]) > 1:
        left.legend(loc="lower left", frameon=False)
    figure.savefig(path, format="png")
