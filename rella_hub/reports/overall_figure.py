"""The main table as a figure: the AUC of every system, ours with the deviation over seeds, the paper's as a ring on the same line."""

from __future__ import annotations

from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from rella_hub.corpora import load_corpus
from rella_hub.reports.figure import COLORS, DPI, GREY
from rella_hub.reports.overall import CorpusTable, Row
from rella_hub.texts.shown import in_figure


def draw(tables: list[CorpusTable], path: Path) -> None:
    """Write the figure as PNG, one panel for each corpus."""
    heights = [0.27 * len(table.rows) + 0.9 for table in tables]
    figure = Figure(figsize=(7.5, sum(heights) + 0.4), layout="constrained", dpi=DPI)
    panels = figure.subplots(len(tables), 1, squeeze=False, gridspec_kw={"height_ratios": heights})[:, 0]
    for axes, table in zip(panels, tables, strict=True):
        _draw(axes, table)
    figure.savefig(path, format="png")


def _draw(axes: Axes, table: CorpusTable) -> None:
    for line, row in enumerate(table.rows):
        if row.paper:
            axes.plot(row.paper["auc"], line, "o", markerfacecolor="none", markeredgecolor=GREY, markersize=8)
        if row.ours:
            color = COLORS[0] if row.paper else COLORS[1]
            axes.errorbar(
                row.mean("auc"), line, xerr=row.deviation("auc"), fmt="o", color=color, markersize=4, capsize=3
            )
    for label, style in (
        ("paper", {"marker": "o", "markerfacecolor": "none", "color": GREY, "markersize": 8}),
        ("ours", {"marker": "o", "color": COLORS[0], "markersize": 4}),
        ("ours, no row in the paper", {"marker": "o", "color": COLORS[1], "markersize": 4}),
    ):
        axes.plot([], [], linestyle="none", label=label, **style)
    axes.set(title=f"{load_corpus(table.corpus).name}, test AUC", yticks=range(len(table.rows)), xlabel="AUC")
    axes.set_yticklabels([_name(row) for row in table.rows], fontsize=8)
    axes.invert_yaxis()
    axes.grid(axis="x", alpha=0.3)
    axes.legend(fontsize=7, frameon=False, loc="lower left")


def _name(row: Row) -> str:
    return f"{in_figure(row.system)}, {in_figure(row.setting)}"
