"""The report as a figure: AUC with its interval for every system by config, and how well the scores are calibrated.

The systems differ in color and in marker, so the figure reads in grey and for color-blind eyes too. Colors: M. Okabe and
K. Ito, "Color Universal Design", 2008.
"""

from __future__ import annotations

from itertools import cycle
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure  # and not pyplot: no window system, no global state

from rella_hub.reports.rows import Group, Row
from rella_hub.systems.model_free import MODEL_FREE
from rella_hub.texts.shown import in_figure

COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
MARKERS = ("o", "s", "D", "^", "v")  # no common divisor with the colors: 30 systems before a pair comes again
GREY = "#767676"  # systems that need no model step back
MODEL_FREE_STYLES = ({"color": GREY, "marker": "x"}, {"color": GREY, "marker": "+", "linestyle": "--"})
PANELS_PER_LINE = 3
SAMPLES_PER_BIN, MOST_BINS = 20, 10
DPI = 150


def draw(groups: list[Group], path: Path) -> None:
    """Write the figure as PNG: AUC in one panel above, one reliability panel for each group below."""
    styles = styles_of(groups)
    lines = -(-len(groups) // PANELS_PER_LINE)
    columns = min(len(groups), PANELS_PER_LINE)
    rows = sum(len(group.rows) for group in groups) + len(groups)  # and a title for each group
    heights = [max(1.6, 0.27 * rows), *[3.0] * lines]
    figure = Figure(figsize=(max(7.0, 3.3 * columns), sum(heights) + 0.8), layout="constrained", dpi=DPI)
    grid = figure.add_gridspec(1 + lines, columns, height_ratios=heights)
    _draw_auc(figure.add_subplot(grid[0, :]), groups, styles)
    for i, group in enumerate(groups):
        axes = figure.add_subplot(grid[1 + i // columns, i % columns])
        draw_reliability(axes, group, _title(group, groups), styles)
        axes.legend(fontsize=6, frameon=False)
        if i % columns == 0:
            axes.set_ylabel("share liked")
    figure.savefig(path, format="png")


def reliability(label: np.ndarray, score: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean score and share of label 1 in up to ten bins of about equally many samples, by rising score.

    Equal scores are never parted, so a system that gives few distinct scores has few bins.
    """
    bins = int(np.clip(len(score) // SAMPLES_PER_BIN, 1, MOST_BINS))
    edges = np.unique(np.quantile(score, np.arange(1, bins) / bins))
    _, of_bin, count = np.unique(np.searchsorted(edges, score), return_inverse=True, return_counts=True)
    return np.bincount(of_bin, weights=score) / count, np.bincount(of_bin, weights=label) / count


def styles_of(groups: list[Group]) -> dict[str, dict]:
    """Color, marker and line of each system name, the same in every panel."""
    names = dict.fromkeys(row.name for group in groups for row in group.rows)
    colors, markers = cycle(COLORS), cycle(MARKERS)
    with_model = {name: {"color": next(colors), "marker": next(markers)} for name in names if name not in MODEL_FREE}
    return with_model | dict(zip(MODEL_FREE, MODEL_FREE_STYLES, strict=True))


def _draw_auc(axes: Axes, groups: list[Group], styles: dict[str, dict]) -> None:
    y, names, titles = 0, [], []
    for group in groups:
        titles.append(y)  # a line of its own above the rows
        names.append(_title(group, groups))
        for row in group.rows:
            y += 1
            _whisker(axes, row, y, styles[row.name])
            names.append(in_figure(row.name))
        y += 1
    axes.axvline(0.5, color=GREY, linewidth=0.8, linestyle=":")
    axes.set_yticks(range(y), names, fontsize=8)
    for title in titles:
        axes.get_yticklabels()[title].set_fontweight("bold")
    axes.set_ylim(y - 0.4, -0.6)  # the first row on top
    axes.set_xlabel("AUC with 95 % interval (dotted: guessing)")
    axes.grid(axis="x", color="#dddddd", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(axis="y", length=0)


def _whisker(axes: Axes, row: Row, y: float, style: dict) -> None:
    axes.plot([row.auc.low, row.auc.high], [y, y], color=style["color"], linewidth=1.6, solid_capstyle="butt")
    axes.plot(row.auc.value, y, markersize=6, markeredgewidth=1.6, **style)


def draw_reliability(axes: Axes, group: Group, title: str, styles: dict[str, dict]) -> None:
    """Share of label 1 over mean score; a calibrated system lies on the diagonal."""
    axes.plot([0, 1], [0, 1], color=GREY, linewidth=0.8, linestyle=":")
    for row in group.rows:
        predicted, liked = reliability(group.label, row.scores.score)
        axes.plot(predicted, liked, linewidth=1.2, markersize=4, label=in_figure(row.name), **styles[row.name])
    axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), xlabel="mean score", aspect="equal")
    axes.set(xticks=[0, 0.5, 1], yticks=[0, 0.5, 1])
    axes.set_title(title, fontsize=9)
    axes.spines[["top", "right"]].set_visible(False)


def _title(group: Group, groups: list[Group]) -> str:
    """The config, with corpus and split only where they differ within the figure."""
    parts = [("corpus", group.corpus), ("config_name", group.config_name), ("split", group.split)]
    return " ".join(
        in_figure(value)
        for name, value in parts
        if name == "config_name" or len({getattr(other, name) for other in groups}) > 1
    )
