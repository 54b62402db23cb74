"""What score files measure, for a table of a paper: the numbers that the paper prints, each of the whole test split."""

from __future__ import annotations

import sys
from pathlib import Path

from rella_hub.metrics import metrics
from rella_hub.paper.facts import Measured, facts_of, names_of
from rella_hub.paper.tables import PaperTable
from rella_hub.systems import model_free
from rella_hub.systems.model_free import MODEL_FREE
from rella_hub.tables import store
from rella_hub.tables.scores import Scores
from rella_hub.texts.shown import in_markdown
from rella_hub.views import config_name

OFFICIAL = "official"
NOT_OFFICIAL = "Where its timestamps are not the official ones, neither are the split, the histories and the answers."


def measured(table: PaperTable, files: list[Scores]) -> list[Measured]:
    """ValueError for scores that are not of the whole test split."""
    if not files:
        raise ValueError(f"--table {table.name} needs --scores: files of evaluation/score.py on the whole test split.")
    return [_measure(table, scores) for scores in files]


def archives(files: list[Scores]) -> list[str]:
    """What the data under the scores were made from, in sentences."""
    return sorted({_archive(scores) for scores in files})


def without_model(table: PaperTable, files: list[Scores]) -> list[Measured]:
    """The systems without a model on the samples of one corpus, which see as many of the latest behaviors as its models do; none where
    the data set is not here or lacks what they need, or where the table is not one of systems."""
    values = {metric.name for metric in metrics()}
    if not {"system", "setting"} <= set(table.shown) or not set(table.values) <= values:
        return []
    record, ids = files[0].record, files[0].sample_id
    folder = Path(record["dataset_folder"] or "")
    shown = max(
        (scores.record["model_identity"]["history_length"] for scores in files if _is_model(scores)), default=None
    )
    name = config_name("recency", shown) if shown else record["config_name"]
    if not folder.is_dir() or model_free.missing_table(folder, name):
        return []
    found = []
    for system, scorer in MODEL_FREE.items():
        try:
            label, score = scorer(folder, name, record["split"], ids)
        except model_free.NotFitted as error:
            print(f"WARNING: no row for {system}: {error}.", file=sys.stderr)
            continue
        numbers = _values(table, Scores(None, ids, files[0].user_id, label, score, {}))
        found.append(Measured(system, {}, numbers, {"system": system, "setting": f"no model, {name}"}))
    return found


def _is_model(scores: Scores) -> bool:
    return "history_length" in (scores.record.get("model_identity") or {})


def _measure(table: PaperTable, scores: Scores) -> Measured:
    record = scores.record
    if record["split"] != "test" or record["limit"] is not None:
        raise ValueError(
            f"{scores.path} is not of the whole test split. Score it with --split test and without --limit."
        )
    model = record.get("model_identity")
    made_with = None
    if model:
        settings = {key: value for key, value in model.items() if key not in ("name", "sha256")}
        made_with = settings | {"samples_fingerprint": record.get("samples_fingerprint")}
    return Measured(
        what=str(scores.path),
        facts=facts_of(scores),
        values=_values(table, scores),
        names=names_of(scores, table),
        made_with=made_with,
        weights=model and model.get("sha256"),
    )


def _values(table: PaperTable, scores: Scores) -> dict[str, float]:
    """Those of the table's values that are measured."""
    found = {}
    for metric in metrics():
        if metric.name in table.values and (scores.user_id is not None or not metric.by_user):
            found[metric.name] = metric.of(scores.score, scores.label, scores.user_id)
    if scores.record.get("seconds") is not None:
        found["milliseconds_per_sample"] = 1000 * scores.record["seconds"] / len(scores.score)
    if scores.record.get("trainable_weights") is not None:
        found["trainable_weights"] = scores.record["trainable_weights"]
    return {name: value for name, value in found.items() if name in table.values}


def _archive(scores: Scores) -> str:
    folder = Path(scores.record["dataset_folder"] or "")
    if not folder.is_dir():
        return f"Archive: not known; the data set {in_markdown(scores.record['dataset'])} is not in a folder here."
    made_from = store.made_from(folder, "samples")
    known = f"Archive: {made_from['raw_status']}, SHA-256 {made_from['raw_sha256'][:16]}."
    return known if made_from["raw_status"] == OFFICIAL else f"{known} {NOT_OFFICIAL}"
