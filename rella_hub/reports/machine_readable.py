"""The report for programs: every number of every row in full, with the record of the score file it came from."""

from __future__ import annotations

import math
from dataclasses import asdict

from rella_hub.metrics import metrics
from rella_hub.metrics.uncertainty.delong import Difference
from rella_hub.reports.rows import Group, Paired, Row


def as_dictionary(groups: list[Group], resamples: int, seed: int) -> dict:
    """What `results.json` holds. Each metric by name, and `auc_difference`, are `{value, low, high}`, or null; `delong` is the test of that
    difference; `against` has the two for every row that a row is compared with."""
    return {
        "resamples": resamples,
        "seed": seed,
        "metric_versions": {metric.name: metric.version for metric in metrics()},
        "rows": [_row(row, group) for group in groups for row in group.rows],
        "notes": [
            {"corpus": group.corpus, "split": group.split, "config_name": group.config_name, "note": note}
            for group in groups
            for note in group.notes
        ],
    }


def _row(row: Row, group: Group) -> dict:
    return {
        "name": row.name,
        "system": row.scores.record["system"],
        "base": row.scores.record["base"],
        "corpus": group.corpus,
        "split": group.split,
        "config_name": group.config_name,
        "n": len(group.label),
        "positives": int(group.label.sum()),
        "users": group.users,
        **{name: None if value is None else asdict(value) for name, value in row.values.items()},
        "reference": row.reference,
        **(_paired(row.paired) if row.paired else {"auc_difference": None, "delong": None}),
        "against": {name: _paired(paired) for name, paired in row.against.items()},
        "score_file": None if row.scores.path is None else str(row.scores.path),
        "record": row.scores.record,
    }


def _paired(paired: Paired) -> dict:
    return {"auc_difference": asdict(paired.difference), "delong": _test(paired.test)}


def _test(test: Difference | None) -> dict | None:
    """`z` is null where it is infinite: two AUCs that differ while neither has any variance."""
    return None if test is None else asdict(test) | {"z": test.z if math.isfinite(test.z) else None}
