"""A table of a paper as a figure: its first value in every row, ours with the deviation over seeds, the paper's a ring on that line.

A table that goes over a number, such as K or N, is drawn as curves over it: ours as lines, the paper's broken and with rings.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter

from rella_hub.corpora import load_corpus
from rella_hub.figures import COLORS, DPI, GREY
from rella_hub.paper.tables import PaperTable
from rella_hub.reports.paper_table import Row, Section
from rella_hub.reports.paper_table_text import title_of
from rella_hub.texts.shown import in_figure

MARKERS = "os^v"
RING: dict[str, Any] = {"marker": "o", "markerfacecolor": "none", "markersize": 8}


LOGARITHMIC = 20  # from this share of the largest to the smallest number on, the axis of curves is logarithmic


def draw(table: PaperTable, sections: list[Section], path: Path) -> None:
    """Write the figure as PNG, one panel for each corpus."""
    if table.over is not None:
        _draw_curves(table, sections, path)
        return
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
        mean = row.mean(value)
        if mean is not None:
            color = COLORS[0] if row.paper else COLORS[1]
            axes.errorbar(mean, line, xerr=row.deviation(value), fmt="o", color=color, markersize=4, capsize=3)
    kinds: tuple[tuple[str, dict[str, Any]], ...] = (
        ("paper", {"color": GREY} | RING),
        ("ours", {"marker": "o", "color": COLORS[0], "markersize": 4}),
        ("ours, no row in the paper", {"marker": "o", "color": COLORS[1], "markersize": 4}),
    )
    for label, style in kinds:
        axes.plot([], [], linestyle="none", label=label, **style)
    where = [load_corpus(section.corpus).name] if section.corpus else []
    title = ", ".join([*where, f"test {title_of(value)}" if table.measured_on != "data" else title_of(value)])
    axes.set(title=title, yticks=range(len(section.rows)), xlabel=title_of(value))
    axes.set_yticklabels([_name(row) for row in section.rows], fontsize=8)
    axes.invert_yaxis()
    axes.grid(axis="x", alpha=0.3)
    axes.legend(fontsize=7, frameon=False, loc="lower left")


def _draw_curves(table: PaperTable, sections: list[Section], path: Path) -> None:
    figure = Figure(figsize=(9, 5 * len(sections)), layout="constrained", dpi=DPI)
    for axes, section in zip(figure.subplots(len(sections), 1, squeeze=False)[:, 0], sections, strict=True):
        curves = curves_of(table, section)
        for number, (name, (ours, paper)) in enumerate(curves.items()):
            color = COLORS[number % len(COLORS)]
            style = {"marker": MARKERS[number // len(COLORS) % len(MARKERS)], "markersize": 4, "color": color}
            if paper:
                axes.plot(*zip(*paper, strict=True), **RING, color=color, linestyle="--", label=f"{name}, paper")
            if ours:
                over, mean, errors = zip(*ours, strict=True)
                axes.errorbar(over, mean, yerr=list(zip(*errors, strict=True)), capsize=3, label=name, **style)
        value, numbers = (
            title_of(table.values[0]),
            [one for both in curves.values() for part in both for one, *_ in part],
        )
        if numbers and max(numbers) >= LOGARITHMIC * min(numbers) > 0:
            axes.set_xscale("log", base=2)
        axes.xaxis.set_major_locator(FixedLocator(sorted(set(numbers))))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda number, _: f"{number:,.0f}"))
        axes.tick_params(axis="x", which="minor", bottom=False, labelbottom=False)
        where = [load_corpus(section.corpus).name] if section.corpus else []
        samples = [section.samples] if section.samples else []
        axes.set(title=", ".join([*where, *samples]), xlabel=str(table.over).replace("_", " "), ylabel=value)
        axes.grid(alpha=0.3)
        axes.legend(fontsize=7, frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
    figure.savefig(path, format="png")


Curve = tuple[list[tuple[int, float, tuple[float, float]]], list[tuple[int, float]]]


def curves_of(table: PaperTable, section: Section) -> dict[str, Curve]:
    """Each curve by its name: ours as (over, mean, (error below, error above)), and the paper's as (over, value), in the order of `over`.

    The errors are the deviation over seeds, or those to the ends of the interval of a single measurement, or 0.
    """
    curves: dict[str, Curve] = {}
    value = table.values[0]
    for row in section.rows:
        over = row.cells.get(table.over)
        if not isinstance(over, int):
            continue
        rest = (cell for key, cell in row.cells.items() if key != table.over and cell is not None)
        ours, paper = curves.setdefault(", ".join(map(in_figure, rest)), ([], []))
        mean, deviation = row.mean(value), row.deviation(value) or 0.0
        if mean is not None:
            low, high = row.intervals.get(value, (mean - deviation, mean + deviation))
            ours.append((over, mean, (mean - low, high - mean)))
        if row.paper is not None:
            paper.append((over, row.paper[value]))
    return {name: (sorted(ours), sorted(paper)) for name, (ours, paper) in curves.items()}


def _name(row: Row) -> str:
    return ", ".join(in_figure(cell) for cell in row.cells.values() if cell is not None)
