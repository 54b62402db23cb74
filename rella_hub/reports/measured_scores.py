"""What score files measure, for a table of a paper: the numbers that the paper prints, of the test split or of a seeded choice of it."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from rella_hub.metrics import metrics
from rella_hub.metrics.uncertainty.delong import compare_aucs
from rella_hub.paper.facts import Measured, facts_of, names_of
from rella_hub.paper.tables import PaperTable
from rella_hub.systems import model_free
from rella_hub.systems.model_free import MODEL_FREE
from rella_hub.tables import store
from rella_hub.tables.scores import Scores
from rella_hub.texts.shown import in_markdown
from rella_hub.views import config_name

OFFICIAL = "official"
AUC, GUESS, NORMAL_95 = "auc", 0.5, 1.959964
NOT_OFFICIAL = "Where its timestamps are not the official ones, neither are the split, the histories and the answers."


def measured(table: PaperTable, files: list[Scores]) -> list[Measured]:
    """ValueError for scores that are not of the test split, or not all of the same choice of it."""
    if not files:
        raise ValueError(f"--table {table.name} needs --scores: files of evaluation/score.py on the test split.")
    require_same_choice(files)
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
    model = record.get("model_identity")
    return Measured(
        what=str(scores.path),
        facts=facts_of(scores),
        values=_values(table, scores),
        names=names_of(scores, table),
        made_with=_made_with(record),
        weights=(model or record.get("adapter_identity") or {}).get("sha256"),
        intervals=_intervals(table, scores),
    )


def require_same_choice(files: list[Scores]) -> None:
    """ValueError unless all are of the whole test split, or all of the same seeded choice of its samples."""
    chosen = {}
    for scores in files:
        limit, seed = scores.record["limit"], scores.record.get("seed")
        if scores.record["split"] != "test":
            raise ValueError(f"{scores.path} is not of the test split. Score it with --split test.")
        chosen.setdefault((limit, None if limit is None else seed), scores)
    if len(chosen) > 1:
        (one, first), (other, second) = list(chosen.items())[:2]
        raise ValueError(
            f"{first.path} is of {_choice(*one)}, {second.path} of {_choice(*other)}, so their numbers are not of the same samples. Score "
            "all with the same --limit and --seed, or without."
        )


def samples_in_words(files: list[Scores]) -> str:
    """Which of the test samples these scores are of."""
    return _choice(files[0].record["limit"], files[0].record.get("seed"))


def _choice(limit: int | None, seed: int | None) -> str:
    return "the whole test split" if limit is None else f"{limit:,} test samples (a choice by the seed {seed})"


def _made_with(record: dict) -> dict | None:
    """All that pins a trained model but its seed; None where that is not known."""
    model, adapter = record.get("model_identity"), record.get("adapter_identity")
    if model:
        settings = {key: value for key, value in model.items() if key not in ("name", "sha256")}
        return settings | {"samples_fingerprint": record.get("samples_fingerprint")}
    if adapter is None or record.get("training_settings") is None:
        return None
    base = (record.get("base_identity") or {}).get("weights")
    return {**record["training_settings"], "base": base, "prompts_fingerprint": record.get("prompts_fingerprint")}


def _intervals(table: PaperTable, scores: Scores) -> dict[str, tuple[float, float]]:
    """Of the AUC of a choice of the test samples, by DeLong's variance with users drawn whole; none where it is not defined."""
    if scores.record["limit"] is None or AUC not in table.values or scores.user_id is None:
        return {}
    try:
        above = compare_aucs(scores.label, scores.score, np.full(len(scores.label), GUESS), scores.user_id)
    except ValueError:  # too few users
        return {}
    value, half = above.value + GUESS, NORMAL_95 * above.standard_error
    return {AUC: (value - half, value + half)}


def _values(table: PaperTable, scores: Scores) -> dict[str, float]:
    """Those of the table's values that are measured."""
    found = {}
    for metric in metrics():
        if metric.name in table.values and (scores.user_id is not None or not metric.by_user):
            found[metric.name] = metric.of(scores.score, scores.label, scores.user_id)
    return found


def _archive(scores: Scores) -> str:
    folder = Path(scores.record["dataset_folder"] or "")
    if not folder.is_dir():
        return f"Archive: not known; the data set {in_markdown(scores.record['dataset'])} is not in a folder here."
    made_from = store.made_from(folder, "samples")
    known = f"Archive: {made_from['raw_status']}, SHA-256 {made_from['raw_sha256'][:16]}."
    return known if made_from["raw_status"] == OFFICIAL else f"{known} {NOT_OFFICIAL}"
