"""The report as a figure: AUC with its interval for every system by config, its ROC curves, and how well its scores are calibrated.

The systems differ in color and in marker, so the figure reads in grey and for color-blind eyes too.
"""

from __future__ import annotations

from itertools import cycle
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure  # and not pyplot: no window system, no global state
from sklearn.calibration import CalibrationDisplay
from sklearn.metrics import RocCurveDisplay

from rella_hub.figures import COLORS, DPI, GREY
from rella_hub.reports.rows import COMPARED_BY, Group, Row
from rella_hub.systems.model_free import MODEL_FREE
from rella_hub.texts.shown import in_figure

LINES = ("-", "--", ":", "-.")  # of ROC curves: the next one for each time that all colors have been used
MARKERS = ("o", "s", "D", "^", "v")  # no common divisor with the colors: 30 systems before a pair comes again
MODEL_FREE_STYLES = (  # systems that need no model step back
    {"color": GREY, "marker": "x", "linestyle": "-"},
    {"color": GREY, "marker": "+", "linestyle": "--"},
    {"color": GREY, "marker": "1", "linestyle": ":"},
)
GROUPS_PER_LINE = 2  # of two panels each
SAMPLES_PER_BIN, MOST_BINS = 20, 10


def draw(groups: list[Group], path: Path) -> None:
    """Write the figure as PNG: AUC in one panel above; below, for each group, its ROC curves beside its reliability."""
    styles = styles_of(groups)
    lines = -(-len(groups) // GROUPS_PER_LINE)
    columns = 2 * min(len(groups), GROUPS_PER_LINE)
    rows = sum(len(group.rows) for group in groups) + len(groups)  # and a title for each group
    heights = [max(1.6, 0.27 * rows), *[3.6] * lines]
    figure = Figure(figsize=(4.0 * columns, sum(heights) + 0.8), layout="constrained", dpi=DPI)
    grid = figure.add_gridspec(1 + lines, columns, height_ratios=heights)
    _draw_auc(figure.add_subplot(grid[0, :]), groups, styles)
    for i, group in enumerate(groups):
        line, first = 1 + i // GROUPS_PER_LINE, 2 * (i % GROUPS_PER_LINE)
        _draw_roc(figure.add_subplot(grid[line, first]), group, f"{_title(group, groups)}, ROC", styles)
        _draw_reliability(
            figure.add_subplot(grid[line, first + 1]), group, f"{_title(group, groups)}, reliability", styles
        )
    figure.savefig(path, format="png")


def styles_of(groups: list[Group]) -> dict[str, dict]:
    """Color, marker and line of each system name, the same in every panel."""
    names = dict.fromkeys(row.name for group in groups for row in group.rows)
    colors, markers = cycle(COLORS), cycle(MARKERS)
    with_model = {name: {"color": next(colors), "marker": next(markers)} for name in names if name not in MODEL_FREE}
    return with_model | dict(zip(MODEL_FREE, cycle(MODEL_FREE_STYLES), strict=False))


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
    auc = row.values[COMPARED_BY]
    assert auc is not None, "a row without an AUC is not drawn"
    axes.plot([auc.low, auc.high], [y, y], color=style["color"], linewidth=1.6, solid_capstyle="butt")
    axes.plot(auc.value, y, markersize=6, markeredgewidth=1.6, **style)


def _draw_roc(axes: Axes, group: Group, title: str, styles: dict[str, dict]) -> None:
    """Share of true over share of false positives; a system that guesses lies on the dotted diagonal."""
    _frame(axes, title)
    for i, row in enumerate(group.rows):
        line = {"linestyle": LINES[i // len(COLORS) % len(LINES)], "linewidth": 1.4} | styles[row.name]
        RocCurveDisplay.from_predictions(
            group.label,
            row.scores.score,
            ax=axes,
            curve_kwargs=line | {"marker": None, "label": in_figure(row.name)},
        )
    axes.set(xlabel="false positive rate", ylabel="true positive rate")
    axes.legend(fontsize=6, frameon=False, loc="lower right")


def _draw_reliability(axes: Axes, group: Group, title: str, styles: dict[str, dict]) -> None:
    """Share of label 1 over mean score, in up to ten bins of about equally many samples; a calibrated system lies on the diagonal."""
    _frame(axes, title)
    bins = int(np.clip(len(group.label) // SAMPLES_PER_BIN, 1, MOST_BINS))
    for row in group.rows:
        CalibrationDisplay.from_predictions(
            group.label,
            row.scores.score,
            n_bins=bins,
            strategy="quantile",
            name=in_figure(row.name),
            ax=axes,
            ref_line=False,
            **{"linestyle": "-", "linewidth": 1.2, "markersize": 4} | styles[row.name],
        )
    axes.set(xlabel="mean score", ylabel="share liked")
    axes.legend(fontsize=6, frameon=False, loc="upper left")


def _frame(axes: Axes, title: str) -> None:
    axes.plot([0, 1], [0, 1], color=GREY, linewidth=0.8, linestyle=":")
    axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), aspect="equal", xticks=[0, 0.5, 1], yticks=[0, 0.5, 1])
    axes.set_title(title, fontsize=8)
    axes.spines[["top", "right"]].set_visible(False)


def _title(group: Group, groups: list[Group]) -> str:
    """The config, with corpus and split only where they differ within the figure."""
    parts = [("corpus", group.corpus), ("config_name", group.config_name), ("split", group.split)]
    return " ".join(
        in_figure(value)
        for name, value in parts
        if name == "config_name" or len({getattr(other, name) for other in groups}) > 1
    )
