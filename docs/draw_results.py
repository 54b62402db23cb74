"""Draw docs/results.png, the results at the top of the README, from the files that reports wrote into docs/results/.

Left: a small language model on MovieLens-1M, before and after tuning, shown the latest behaviors or those closest in meaning. Right: the
models to beat, ours by seed beside what the paper prints.

example: python docs/draw_results.py
"""

from __future__ import annotations

import json
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from rella_hub.figures import BLUE, DPI, GREY, VERMILION
from rella_hub.files.replace import replacing_file
from rella_hub.texts.shown import in_figure
from rella_hub.views import view_of

HERE = Path(__file__).parent
SMALL, OVERALL = HERE / "results/ml1m_small/results.json", HERE / "results/ml1m_ctr/overall.json"
VIEWS = {"recency": (VERMILION, "s", 0.16), "subr": (BLUE, "o", -0.16)}  # color, marker, and how far off the line


def main() -> None:
    figure = Figure(figsize=(11, 4.2), layout="constrained", dpi=DPI)
    left, right = figure.subplots(1, 2)
    draw_small(left, json.loads(SMALL.read_text(encoding="utf-8"))["rows"])
    (table,) = (one for one in json.loads(OVERALL.read_text(encoding="utf-8"))["tables"] if one["corpus"] == "ml1m")
    draw_overall(right, [row for row in table["rows"] if row["ours"] and row["paper"]])
    with replacing_file(HERE / "results.png") as temporary:
        figure.savefig(temporary, format="png")


def draw_small(axes: Axes, rows: list[dict]) -> None:
    """rows: of a report."""
    names = list(dict.fromkeys(row["name"] for row in rows))
    for row in rows:
        view, _ = view_of(row["config_name"])
        if view not in VIEWS:
            continue
        color, marker, off = VIEWS[view]
        auc, y = row["auc"], names.index(row["name"]) - off
        axes.plot([auc["low"], auc["high"]], [y, y], color=color, linewidth=1.8, solid_capstyle="butt")
        axes.plot(auc["value"], y, marker, color=color, markersize=6)
    for view, (color, marker, _) in VIEWS.items():
        axes.plot([], [], marker, color=color, label=f"shown by {view}")
    finish(axes, names, "MovieLens-1M, a small language model: AUC, 95 % intervals")


def draw_overall(axes: Axes, rows: list[dict]) -> None:
    """rows: of a table of the paper with ours in it."""
    for y, row in enumerate(rows):
        axes.plot(row["paper"]["auc"], y, "o", markersize=9, markerfacecolor="none", markeredgecolor=GREY)
        axes.plot(
            [one["auc"] for one in row["ours"]],
            [y] * len(row["ours"]),
            "|",
            color=BLUE,
            markersize=13,
            markeredgewidth=2,
        )
    axes.plot([], [], "|", color=BLUE, markersize=10, markeredgewidth=2, label="ours, each seed")
    axes.plot([], [], "o", markersize=9, markerfacecolor="none", markeredgecolor=GREY, label="the paper")
    finish(axes, [row["system"] for row in rows], "MovieLens-1M, the models to beat: AUC")


def finish(axes: Axes, names: list[str], title: str) -> None:
    axes.set_yticks(range(len(names)), [in_figure(name) for name in names], fontsize=9)
    axes.set_ylim(len(names) - 0.4, -0.6)  # the first on top
    axes.set_title(title, fontsize=10)
    axes.grid(axis="x", color="#dddddd", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(axis="y", length=0)
    axes.legend(frameon=False, fontsize=8, loc="best")


if __name__ == "__main__":
    main()
