"""A table of a paper as a figure: its first value in every row, ours with the deviation over seeds, the paper's a ring on that line."""

from __future__ import annotations

from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from rella_hub.corpora import load_corpus
from rella_hub.figures import COLORS, DPI, GREY
from rella_hub.paper.tables import PaperTable
from rella_hub.reports.paper_table import Row, Section
from rella_hub.reports.paper_table_text import title_of
from rella_hub.texts.shown import in_figure

RING = {"marker": "o", "markerfacecolor": "none", "markersize": 8}


def draw(table: PaperTable, sections: list[Section], path: Path) -> None:
    """Write the figure as PNG, one panel for each corpus."""
    heights = [0.27 * len(section.rows) + 0.9 for section in sections]
    figure = Figure(figsize=(7.5, sum(heights) + 0.4), layout="constrained", dpi=DPI)
    panels = figure.subplots(len(sections), 1, squeeze=False, gridspec_kw={"height_ratios": heights})[:, 0]
    for axes, section in zip(panels, sections, strict=True):
        _draw(axes, table, section)
    figure.savefig(path, format="png")


def _draw(axes: Axes, table: PaperTable, section: Section) -> None:
    value = table.values[0]
    for line, row in enumerate(section.rows):
        if row.paper:
            axes.plot(row.paper[value], line, markeredgecolor=GREY, **RING)
        if row.mean(value) is not None:
            color = COLORS[0] if row.paper else COLORS[1]
            axes.errorbar(
                row.mean(value), line, xerr=row.deviation(value), fmt="o", color=color, markersize=4, capsize=3
            )
    for label, style in (
        ("paper", {"color": GREY} | RING),
        ("ours", {"marker": "o", "color": COLORS[0], "markersize": 4}),
        ("ours, no row in the paper", {"marker": "o", "color": COLORS[1], "markersize": 4}),
    ):
        axes.plot([], [], linestyle="none", label=label, **style)
    where = [load_corpus(section.corpus).name] if section.corpus else []
    title = ", ".join([*where, f"test {title_of(value)}" if table.measured_on != "data" else title_of(value)])
    axes.set(title=title, yticks=range(len(section.rows)), xlabel=title_of(value))
    axes.set_yticklabels([_name(row) for row in section.rows], fontsize=8)
    axes.invert_yaxis()
    axes.grid(axis="x", alpha=0.3)
    axes.legend(fontsize=7, frameon=False, loc="lower left")


def _name(row: Row) -> str:
    return ", ".join(in_figure(cell) for cell in row.cells.values() if cell is not None)
