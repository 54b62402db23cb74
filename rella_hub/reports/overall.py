"""The paper's main table with our rows beside it: filled where measured, empty where not, never copied.

A score file belongs to a row of the paper by what it was made with (rella_hub/paper/rows.py). Several files of one trained
architecture are its seeds, and give their mean and standard deviation. What has no row in the paper (other base models, other N) stands
below, and so do the systems without a model, which see as many of the latest behaviors as the CTR models do.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from rella_hub.metrics import measure
from rella_hub.paper.rows import Place, place_of
from rella_hub.paper.tables import read_table
from rella_hub.reports.rows import natural_order
from rella_hub.systems import model_free
from rella_hub.tables import store
from rella_hub.tables.scores import Scores
from rella_hub.texts.shown import in_markdown
from rella_hub.views import config_name

METRICS = ("auc", "log_loss", "accuracy")
OFFICIAL = "official"
NOT_OFFICIAL = "Where its timestamps are not the official ones, neither are the split, the histories and the answers."
MODEL_FREE = (model_free.history_mean, model_free.item_mean, model_free.both_means)


@dataclass(frozen=True)
class Row:
    """One system: what was measured, once for each seed, and what the paper prints."""

    system: str
    setting: str
    ours: list[dict[str, float]]
    paper: dict[str, float] | None

    def mean(self, metric: str) -> float:
        return statistics.mean(found[metric] for found in self.ours)

    def deviation(self, metric: str) -> float | None:
        """Over the seeds; None where there is only one."""
        return statistics.stdev(found[metric] for found in self.ours) if len(self.ours) > 1 else None


@dataclass(frozen=True)
class CorpusTable:
    corpus: str
    archives: list[str]  # what the data were made from, in sentences
    rows: list[Row]  # those of the paper in its order, then ours alone


def overall(scores: list[Scores]) -> list[CorpusTable]:
    """ValueError for scores that are not of the whole test split, or that are no seeds of one another in the same row."""
    by_place = _by_place(scores)
    tables = []
    for corpus in sorted({place.corpus for place in by_place}):
        own = {place: files for place, files in by_place.items() if place.corpus == corpus}
        files = [one for several in own.values() for one in several]
        rows = [
            Row(row["system"], row["setting"], _measured(own.pop(_place(row), [])), {key: row[key] for key in METRICS})
            for row in read_table("overall").where({"corpus": corpus})
        ]
        rows += [Row(p.system, p.setting, _measured(own[p]), None) for p in sorted(own, key=_natural_order)]
        tables.append(CorpusTable(corpus, sorted({_archive(one) for one in files}), [*rows, *_without_model(files)]))
    return tables


def _by_place(scores: list[Scores]) -> dict[Place, list[Scores]]:
    rows: dict[Place, list[Scores]] = {}
    for one in scores:
        rows.setdefault(place_of(one), []).append(one)
    for place, files in rows.items():
        for other in files[1:]:
            _check_seeds(place, files[0], other)
        weights = [one.record.get("model_identity", {}).get("sha256") for one in files]
        if len(set(weights)) < len(weights):
            raise ValueError(
                f"{place.system}, {place.setting}: two of its score files are of the same weights. Give each once."
            )
    return rows


def _check_seeds(place: Place, one: Scores, other: Scores) -> None:
    """ValueError unless the two are of models that differ in their seed alone, on the same samples."""
    identities = [scores.record.get("model_identity") for scores in (one, other)]
    same = ("samples_fingerprint", "corpus")
    if None in identities or any(one.record.get(key) != other.record.get(key) for key in same):
        raise ValueError(
            f"{one.path} and {other.path} both belong to {place.system}, {place.setting}. Give one of them."
        )
    settings = [{key: value for key, value in i.items() if key not in ("name", "sha256")} for i in identities]
    if settings[0] != settings[1]:
        different = next(key for key in {**settings[0], **settings[1]} if settings[0].get(key) != settings[1].get(key))
        raise ValueError(
            f"{one.path} and {other.path} are of {place.system} with another {different}: {settings[0].get(different)!r} and "
            f"{settings[1].get(different)!r}. The mean of a row is over seeds; give the files of one setting."
        )


def _natural_order(place: Place) -> tuple:
    """512 shots before 1,024 shots."""
    return place.system, natural_order(place.setting.replace(",", ""))


def _place(row: dict) -> Place:
    return Place(row["system"], row["setting"], row["corpus"])


def _measured(files: Iterable[Scores]) -> list[dict[str, float]]:
    return [measure(one.label, one.score) for one in files]


def _without_model(scores: list[Scores]) -> list[Row]:
    """The rows of the systems without a model, or nothing where the data set is not here or lacks what they need."""
    folder = Path(scores[0].record["dataset_folder"] or "")
    shown = max(
        (one.record["model_identity"]["history_length"] for one in scores if one.record.get("model_identity")),
        default=None,
    )
    name = config_name("recency", shown) if shown else scores[0].record["config_name"]
    if not folder.is_dir() or model_free.missing_table(folder, name):
        return []
    ids = scores[0].sample_id
    found = {scorer.__name__: scorer(folder, name, scores[0].record["split"], ids) for scorer in MODEL_FREE}
    return [Row(system, f"no model, {name}", [measure(*of)], None) for system, of in found.items()]


def _archive(scores: Scores) -> str:
    folder = Path(scores.record["dataset_folder"] or "")
    if not folder.is_dir():
        return f"Archive: not known; the data set {in_markdown(scores.record['dataset'])} is not in a folder here."
    made_from = store.provenance(folder, "samples")
    known = f"Archive: {made_from['raw_status']}, SHA-256 {made_from['raw_sha256'][:16]}."
    return known if made_from["raw_status"] == OFFICIAL else f"{known} {NOT_OFFICIAL}"
