"""The report as Markdown: one table for each corpus and split, a row a system and config, and the notes under it."""

from __future__ import annotations

from itertools import groupby

from rella_hub.metrics import metrics
from rella_hub.metrics.uncertainty.bootstrap import Interval
from rella_hub.metrics.uncertainty.p_value import p_text
from rella_hub.reports.rows import Group, Row
from rella_hub.systems import REFERENCE
from rella_hub.texts.markdown import table
from rella_hub.texts.shown import in_markdown, in_sentence

ABOUT, COMPARED = ("system", "base", "config", "n"), (f"AUC - {REFERENCE}", "z", "p")
TEXT_COLUMNS = 3


def render(groups: list[Group], resamples: int, seed: int) -> str:
    """The whole report of groups that stand in order of corpus and split."""
    parts = ["# Results", "", _explanation(resamples, seed)]
    for (corpus, split), together in groupby(groups, key=lambda group: (group.corpus, group.split)):
        together = list(together)
        rows = [_cells(row, group) for group in together for row in group.rows]
        columns = (*ABOUT, *(metric.title for metric in metrics()), *COMPARED)
        parts += ["", f"## {in_markdown(corpus)}, {in_markdown(split)}", "", table(columns, rows, TEXT_COLUMNS)]
        notes = [
            f"- {in_markdown(group.config_name)}: {in_sentence(note)}" for group in together for note in group.notes
        ]
        if notes:
            parts += ["", *notes]
    return "\n".join(parts) + "\n"


def _explanation(resamples: int, seed: int) -> str:
    return (
        f"In brackets 95 % percentile intervals from {resamples:,} bootstrap resamples of the users (seed {seed}), each drawn with all "
        f"of its samples, the same resamples for every system. The difference of AUC is to {REFERENCE} of the same base model, config "
        "and samples, taken within each resample; z and p (two-sided) are DeLong's test of it for clustered data, a user's samples "
        "being a cluster. p is not corrected for the number of systems."
    )


def _cells(row: Row, group: Group) -> list[str]:
    test = row.paired.test if row.paired else None
    return [
        in_markdown(row.name),
        short_name(row.scores.record["base"]),
        in_markdown(group.config_name),
        f"{len(group.label):,}",
        *(interval_text(row.values[metric.name], ".4f") for metric in metrics()),
        difference_text(row),
        *(["-", "-"] if test is None else [f"{test.z:+.2f}", p_text(test.p)]),
    ]


def difference_text(row: Row) -> str:
    if row.paired is not None:
        return interval_text(row.paired.difference, "+.4f")
    return "reference" if row.reference == row.name else "-"


def interval_text(interval: Interval | None, form: str) -> str:
    return "-" if interval is None else f"{interval.value:{form}} [{interval.low:{form}}, {interval.high:{form}}]"


def short_name(base: str | None) -> str:
    """The last part of a Hub id or a folder; results.json has the whole."""
    return "-" if base is None else in_markdown(str(base).rstrip("/").rsplit("/", 1)[-1])
