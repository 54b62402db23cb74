"""Which row of the paper's main table a score file belongs to, by what the scores were made with.

A traditional CTR model belongs to the row of its architecture, full-shot if it was trained on the whole training split. A language model
belongs to a row of the paper if its base is the paper's: the base on the most recent behaviors, ReLLa on those of SUBR. Everything else
has a place of its own, named so that it is not mistaken for one of the paper's.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from rella_hub.networks.ctr import load_model_class
from rella_hub.paper.tables import read_table
from rella_hub.tables import store
from rella_hub.tables.scores import Scores
from rella_hub.views import view_of

RELLA, RELLA_BASE = "ReLLa", "Vicuna-13B"
FEW_SHOT = {"few-shot <1%": 0.01, "few-shot <10%": 0.1}  # below which share of the training split


@dataclass(frozen=True)
class Place:
    system: str
    setting: str
    corpus: str


def place_of(scores: Scores) -> Place:
    """ValueError for scores that are not of the whole test split."""
    record = scores.record
    if record["split"] != "test" or record["limit"] is not None:
        raise ValueError(
            f"{scores.path} is not of the whole test split. Score it with --split test and without --limit."
        )
    identity = record.get("model_identity")
    if identity is not None:
        shots = identity.get("num_shots")
        setting = "full-shot" if shots is None else f"{shots:,} shots"
        return Place(load_model_class(identity["model"]).__name__, setting, record["corpus"])
    return _of_the_paper(record) or _own(record)


def _of_the_paper(record: dict) -> Place | None:
    base = Path(record["base"]).name.lower()
    view, history_length = view_of(record["config_name"])
    share = _share(record)
    for row in read_table("overall").where({"corpus": record["corpus"]}):
        if row["base"] is None or row["base"].lower() not in base:
            continue
        shown = view == "recency" if row["system"] != RELLA else view == "subr" and row["base"] == RELLA_BASE
        as_long = row["history_length"] in (None, history_length)
        if shown and as_long and _setting(record, share) == row["setting"]:
            return Place(row["system"], row["setting"], record["corpus"])
    return None


def _own(record: dict) -> Place:
    shots = record.get("training_samples")
    tuned = "tuned" if shots is None else f"{shots:,} shots"
    setting = f"{tuned if record['adapter'] else 'zero-shot'}, {record['config_name']}"
    return Place(f"{record['system']} ({Path(record['base']).name})", setting, record["corpus"])


def _setting(record: dict, share: float | None) -> str | None:
    """As the paper names it."""
    if not record["adapter"]:
        return "zero-shot"
    return next((name for name, below in FEW_SHOT.items() if share is not None and share < below), None)


def _share(record: dict) -> float | None:
    """Of the training split that the adapter was trained on; None where it is not known."""
    shots, folder = record.get("training_samples"), Path(record["dataset_folder"] or "")
    if shots is None or not folder.is_dir():
        return None
    return shots / store.count_rows(folder, "samples", "train")
