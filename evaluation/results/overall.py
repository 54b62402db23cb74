"""The paper's main table with our rows beside it: filled where measured, empty where not, never copied.

A score file belongs to a row by what it was made with: a traditional CTR model by its architecture, full-shot if it was trained on the
whole training split. Several files of one row, of several seeds, give their mean and standard deviation.
"""

from __future__ import annotations

import statistics
from collections import defaultdict
from pathlib import Path

from dataset_builders.corpora import load_corpus
from dataset_builders.tables import store
from evaluation.paper_tables.read import read_table
from evaluation.results.measure import measure
from evaluation.scores.table import Scores
from training.models import load_model_class

METRICS = {"auc": "AUC", "log_loss": "LogLoss", "accuracy": "ACC"}


def overall(scores: list[Scores]) -> str:
    """Markdown. ValueError for scores that belong to no row, or are not of the whole test split."""
    paper = read_table("overall")
    measured = defaultdict(list)
    for one in scores:
        measured[_row_of(one)].append(measure(one.label, one.score))
    corpora = sorted({corpus for _, _, corpus in measured})
    lines = [
        "# The paper's main table",
        "",
        f"Paper: {paper.source}. Ours: the whole test split; over several seeds the mean and the standard deviation.",
    ]
    for corpus in corpora:
        status = {_archive(one) for one in scores if one.record["corpus"] == corpus}
        lines += ["", f"## {load_corpus(corpus).name}", "", *sorted(status), ""]
        heads = [f"{name} {whose}" for name in METRICS.values() for whose in ("ours", "paper")]
        lines += [f"| system | setting | {' | '.join(heads)} | AUC difference |", "|---|---|" + "---:|" * 7]
        for row in paper.where({"corpus": corpus}):
            lines.append(_line(row, measured.get((row["system"], row["setting"], corpus), [])))
    return "\n".join(lines) + "\n"


def _line(row: dict, ours: list[dict[str, float]]) -> str:
    cells = []
    for metric in METRICS:
        cells += [_spread([found[metric] for found in ours]), f"{row[metric]:.4f}"]
    difference = f"{statistics.mean(found['auc'] for found in ours) - row['auc']:+.4f}" if ours else ""
    return f"| {row['system']} | {row['setting']} | {' | '.join(cells)} | {difference} |"


def _spread(values: list[float]) -> str:
    if len(values) < 2:
        return "".join(f"{value:.4f}" for value in values)
    return f"{statistics.mean(values):.4f} ± {statistics.stdev(values):.4f} ({len(values)})"


def _row_of(scores: Scores) -> tuple[str, str, str]:
    """(system, setting, corpus) as the paper prints them."""
    record = scores.record
    where = f"{scores.path}"
    identity = record.get("model_identity")
    if identity is None:
        raise ValueError(
            f"{where} is of {record['system']!r}, a language model; the main table takes traditional CTR models so far. Leave it out."
        )
    if record["split"] != "test" or record["limit"] is not None:
        raise ValueError(f"{where} is not of the whole test split. Score it with --split test and without --limit.")
    if identity.get("num_shots") is not None:
        raise ValueError(
            f"{where} was trained on {identity['num_shots']:,} shots; the row of the table is full-shot. Leave it out."
        )
    return load_model_class(identity["model"]).__name__, "full-shot", record["corpus"]


def _archive(scores: Scores) -> str:
    made_from = store.provenance(Path(scores.record["dataset_folder"]), "samples")
    return f"Archive: {made_from['raw_status']}, SHA-256 {made_from['raw_sha256'][:16]}."
