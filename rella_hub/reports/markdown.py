"""The report as Markdown: one table for each corpus and split, a row a system and config, and the notes under it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from rella_hub.metrics.uncertainty.bootstrap import Interval
from rella_hub.reports.rows import Group, Row
from rella_hub.systems import REFERENCE
from rella_hub.texts.shown import in_markdown, in_sentence

COLUMNS = ("system", "base", "config", "n", "AUC", "LogLoss", "ACC", f"AUC - {REFERENCE}")
TEXT_COLUMNS = 3  # the first ones stand at the left, numbers at the right


def render(groups: list[Group], resamples: int, seed: int) -> str:
    """The whole report of groups that stand in order of corpus and split."""
    parts = ["# Results", "", _explanation(resamples, seed)]
    for (corpus, split), together in groupby(groups, key=lambda group: (group.corpus, group.split)):
        together = list(together)
        parts += [
            "",
            f"## {in_markdown(corpus)}, {in_markdown(split)}",
            "",
            table(COLUMNS, [_cells(row, group) for group in together for row in group.rows], TEXT_COLUMNS),
        ]
        notes = [
            f"- {in_markdown(group.config_name)}: {in_sentence(note)}" for group in together for note in group.notes
        ]
        if notes:
            parts += ["", *notes]
    return "\n".join(parts) + "\n"


def _explanation(resamples: int, seed: int) -> str:
    return (
        f"In brackets 95 % percentile intervals from {resamples:,} bootstrap resamples of the samples (seed {seed}), the same "
        f"resamples for every system. The last column is the difference of AUC to {REFERENCE} of the same base model, config "
        "and samples, taken within each resample. Samples of one user are not independent, so the intervals are somewhat "
        "narrow for users who were never seen."
    )


def _cells(row: Row, group: Group) -> list[str]:
    return [
        in_markdown(row.name),
        short_name(row.scores.record["base"]),
        in_markdown(group.config_name),
        f"{len(group.label):,}",
        *(interval_text(value, ".4f") for value in (row.auc, row.log_loss, row.accuracy)),
        difference_text(row),
    ]


def difference_text(row: Row) -> str:
    if row.auc_difference is not None:
        return interval_text(row.auc_difference, "+.4f")
    return "reference" if row.reference == row.name else "-"


def interval_text(interval: Interval, form: str) -> str:
    return f"{interval.value:{form}} [{interval.low:{form}}, {interval.high:{form}}]"


def short_name(base: str | None) -> str:
    """The last part of a Hub id or a folder; results.json has the whole."""
    return "-" if base is None else in_markdown(str(base).rstrip("/").rsplit("/", 1)[-1])


def table(columns: Sequence[str], rows: list[list[str]], text_columns: int) -> str:
    """A Markdown table whose columns are padded, so that it reads well in a terminal too. The first ones hold text,
    names among it as `in_markdown` gives them."""
    rows = [list(columns), *rows]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [_line(row, widths, text_columns) for row in rows]
    rule = ["-" * width if c < text_columns else "-" * (width - 1) + ":" for c, width in enumerate(widths)]
    return "\n".join([lines[0], _line(rule, widths, text_columns), *lines[1:]])


def _line(cells: list[str], widths: list[int], text_columns: int) -> str:
    padded = [
        cell.ljust(width) if c < text_columns else cell.rjust(width)
        for c, (cell, width) in enumerate(zip(cells, widths, strict=True))
    ]
    return "| " + " | ".join(padded) + " |"
