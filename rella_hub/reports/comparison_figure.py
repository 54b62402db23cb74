"""The comparison as a figure: the ROC curve of every system, with its AUC, beside how well its scores are calibrated."""

from __future__ import annotations

from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from sklearn.metrics import roc_curve

from rella_hub.reports.figure import COLORS, DPI, GREY, draw_reliability, styles_of
from rella_hub.reports.rows import Group
from rella_hub.systems.model_free import MODEL_FREE
from rella_hub.texts.shown import in_figure

LINES = ("-", "--", ":", "-.")  # the next one for each time that all colors have been used


def draw(group: Group, path: Path) -> None:
    """Write the figure as PNG."""
    styles = styles_of([group])
    figure = Figure(figsize=(10.4, 5.4), layout="constrained", dpi=DPI)
    left, right = figure.subplots(1, 2)
    _draw_roc(left, group, styles)
    draw_reliability(right, group, "Reliability (dotted: calibrated)", styles)
    right.set_ylabel("share liked")
    record = group.rows[0].scores.record
    figure.suptitle(
        f"{in_figure(group.corpus)} {in_figure(group.config_name)}, {in_figure(group.split)}: {len(group.label):,} samples, "
        f"base {in_figure(record['base'])}",
        fontsize=10,
    )
    figure.savefig(path, format="png")


def _draw_roc(axes: Axes, group: Group, styles: dict[str, dict]) -> None:
    axes.plot([0, 1], [0, 1], color=GREY, linewidth=0.8, linestyle=":")
    for i, row in enumerate(group.rows):
        wrong, right, _ = roc_curve(group.label, row.scores.score)
        own = {"linestyle": LINES[i // len(COLORS) % len(LINES)]} if row.name not in MODEL_FREE else {}
        style = {key: value for key, value in styles[row.name].items() if key != "marker"}
        axes.plot(wrong, right, linewidth=1.4, label=f"{in_figure(row.name)}, AUC {row.auc.value:.4f}", **own | style)
    axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), aspect="equal", xticks=[0, 0.5, 1], yticks=[0, 0.5, 1])
    axes.set(xlabel="false positive rate", ylabel="true positive rate")
    axes.set_title("ROC (dotted: guessing)", fontsize=9)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(fontsize=7, frameon=False, loc="lower right")
