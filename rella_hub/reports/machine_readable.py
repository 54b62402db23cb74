"""The report for programs: every number of every row in full, with the record of the score file it came from."""

from __future__ import annotations

from dataclasses import asdict

from rella_hub.metrics import accuracy, auc, log_loss
from rella_hub.reports.rows import Group, Row


def as_dictionary(groups: list[Group], resamples: int, seed: int) -> dict:
    """What `results.json` holds. `auc`, `log_loss`, `accuracy`, `auc_difference` are `{value, low, high}`, or null."""
    return {
        "resamples": resamples,
        "seed": seed,
        "metric_versions": {"auc": auc.VERSION, "log_loss": log_loss.VERSION, "accuracy": accuracy.VERSION},
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
        "auc": asdict(row.auc),
        "log_loss": asdict(row.log_loss),
        "accuracy": asdict(row.accuracy),
        "reference": row.reference,
        "auc_difference": None if row.auc_difference is None else asdict(row.auc_difference),
        "score_file": None if row.scores.path is None else str(row.scores.path),
        "record": row.scores.record,
    }
