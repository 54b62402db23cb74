"""The comparison in words and for programs: the rows of a report, with DeLong's test beside each."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict

from rella_hub.metrics.uncertainty.delong import Difference
from rella_hub.reports import machine_readable
from rella_hub.reports.markdown import difference_text, interval_text, table
from rella_hub.reports.rows import Group, Row
from rella_hub.systems import REFERENCE
from rella_hub.texts.shown import in_markdown, in_sentence

COLUMNS = ("system", "AUC", "LogLoss", "ACC", f"AUC - {REFERENCE}", "z", "p")


def render(group: Group, tests: Mapping[str, Difference | None], resamples: int, seed: int) -> str:
    """The whole of compare.md."""
    record = group.rows[0].scores.record
    about = (
        f"{len(group.label):,} samples, {int(group.label.sum()):,} of them liked, all of them scored by every system. "
        f"Base model: {in_markdown(record['base'])}. Data set: {in_markdown(record['dataset'])}."
    )
    notes = [f"- {in_sentence(note)}" for note in group.notes]
    return "\n".join(
        [
            f"# {', '.join(map(in_markdown, (group.corpus, group.config_name, group.split)))}: systems compared",
            "",
            about,
            "",
            table(COLUMNS, [_cells(row, tests[row.name]) for row in group.rows], text_columns=1),
            "",
            _explanation(resamples, seed),
            *(["", *notes] if notes else []),
            "",
        ]
    )


def as_dictionary(group: Group, tests: Mapping[str, Difference | None], resamples: int, seed: int) -> dict:
    """What `compare.json` holds: what a report's results.json does, and `delong` in each row, null without a reference.

    `z` is null where it is infinite: two AUCs that differ while neither has any variance.
    """
    results = machine_readable.as_dictionary([group], resamples, seed)
    for row in results["rows"]:
        test = tests[row["name"]]
        row["delong"] = None if test is None else asdict(test) | {"z": test.z if math.isfinite(test.z) else None}
    return results


def _cells(row: Row, test: Difference | None) -> list[str]:
    return [
        in_markdown(row.name),
        *(interval_text(value, ".4f") for value in (row.auc, row.log_loss, row.accuracy)),
        difference_text(row),
        *(["-", "-"] if test is None else [f"{test.z:+.2f}", p_text(test.p)]),
    ]


def p_text(p: float) -> str:
    """Four digits, or a power of ten where these would be 0."""
    if p >= 1e-3:
        return f"{p:.4f}"
    return f"{p:.1e}" if p >= 1e-300 else "< 1e-300"


def _explanation(resamples: int, seed: int) -> str:
    return (
        f"In brackets 95 % percentile intervals from {resamples:,} bootstrap resamples of the samples (seed {seed}), the same resamples "
        f"for every system; the difference of AUC to {REFERENCE} is taken within each resample. z and p (two-sided) are DeLong's test of "
        "that difference, not corrected for the number of systems. Both take the samples as independent, which those of one user are "
        "not: the intervals are somewhat narrow, and p somewhat small, for users who were never seen."
    )
