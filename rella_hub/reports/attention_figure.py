"""What systems look at, as bars: a panel for each prompt, a line for each behavior from the oldest on, a color for each system."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from rella_hub.figures import COLORS, DPI
from rella_hub.reports.attention import Looked
from rella_hub.texts.shown import in_figure

LONGEST_TITLE = 36
THICKNESS = 0.8  # of all bars of a behavior, of the distance between two


def draw(looked: list[Looked], target: str, label: int, path: Path) -> None:
    """Write the figure as PNG."""
    most = max(len(one.titles) for one in looked)
    figure = Figure(figsize=(6 * len(looked), 0.3 * most + 1.6), layout="constrained", dpi=DPI)
    panels = figure.subplots(1, len(looked), squeeze=False)[0]
    for axes, one in zip(panels, looked, strict=True):
        lines, bars = np.arange(len(one.titles)), THICKNESS / len(one.shares)
        for number, (system, shares) in enumerate(one.shares.items()):
            where = lines + bars * (number - (len(one.shares) - 1) / 2)
            name = f"{in_figure(system)}: P(Yes) {one.p_yes[system]:.3f}, behaviors {100 * sum(shares):.0f} %"
            axes.barh(where, np.multiply(shares, 100), bars, color=COLORS[number % len(COLORS)], label=name)
        names = [
            f"{in_figure(title, LONGEST_TITLE)} ({rating:g})"
            for title, rating in zip(one.titles, one.ratings, strict=True)
        ]
        axes.set_yticks(lines, names, fontsize=7)
        axes.invert_yaxis()
        axes.set(title=in_figure(one.config_name), xlabel="% of the last layer's attention from the answer")
        axes.grid(axis="x", alpha=0.3)
        axes.legend(fontsize=7, frameon=False, loc="lower center", bbox_to_anchor=(0.5, 1.06))
    figure.suptitle(f"{in_figure(target)}: {'liked' if label else 'not liked'}", fontsize=10)
    figure.savefig(path, format="png")
