"""What the card and the push of a recommender that reads texts need to know of its run folder."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from rella_hub.cards.facts import Facts, OnHub, Planned
from rella_hub.systems.sequential.items import FILE
from rella_hub.systems.slim.options import MARK, RESULT, Options
from rella_hub.systems.whole_run import CONFIG, Parts, read_whole_run
from rella_hub.tables import rationales, store, text_vectors

if TYPE_CHECKING:
    from rella_hub.cards.card import Card

HOLDS = f"{FILE} lists ids"  # without which the rows of the item table mean nothing
TEMPLATE = "slim.md.jinja"
IN_WORDS = {
    "id": "reads the ids of the items alone",
    "plus": "reads the texts of the items beside their ids",
    "fusion": "reads the texts of the items beside their ids, and a text of the user beside the history",
    "agnostic": "matches a text of the user with the texts of the items, and knows no id",
}
PARTS = Parts(
    command="python training/train.py --family slim",
    result=RESULT,
    mark=MARK,
    recipe_keys=(
        *("model", "variant", "rationales", "shuffled", "dataset", "dataset_revision", "history_length", "num_shots"),
        *("num_train_epochs", "early_stopping_patience", "metric_for_best_model", "seed"),
    ),
    training_keys=(
        *("corpus", "inputs", "recipe", "weights", "training_samples", "share_with_user_text"),
        *("seconds", "best_epoch", "best_validation", "log"),
    ),
    mark_keys=("model", "variant", "rationales", "shuffled", "corpus", "history_length", "num_shots", "texts"),
    otherwise=frozenset(),
)


def planned(options: Options) -> Planned:
    return Planned("model", options.dataset, options.dataset_revision, holds=HOLDS)


def facts(folder: Path) -> Facts:
    """ValueError when a file is missing or damaged, or when the parts do not belong together."""
    run = read_whole_run(folder, PARTS)
    return run.facts(
        config_name="candidates",
        about=f"{run.mark['variant']} {run.mark['model']} of {run.data.corpus.id}",
        on_hub=OnHub("rella", "other", "other", ("recommendation", "sequential", "slim", "arxiv:2403.04260")),
        template=TEMPLATE,
        words=partial(_words, run.mark),
        files=(CONFIG, MARK, FILE),
        holds=HOLDS,
    )


def _words(mark: dict, card: Card) -> dict:
    """mark: what the model says of itself (slim.json)."""
    folder = card.run.data.folder
    return {
        "mark": mark,
        "reads": IN_WORDS[mark["variant"]],
        "encoder": _record(folder, text_vectors.table_of(text_vectors.ITEMS)).get("encoder"),
        "writer": _writer(folder, mark["rationales"]),
    }


def _writer(folder: Path, texts: str | None) -> str | None:
    """Who wrote what is told of the users."""
    if texts is None:
        return None
    if texts == text_vectors.TITLES:
        return "nobody: it is the titles of the latest behaviors, the control without a rationale"
    made_from = _record(folder, rationales.table_of(texts.partition("_step")[0]))
    return made_from["teacher"]["name"] if made_from else None


def _record(folder: Path, table: str) -> dict:
    return store.provenance(folder, table) or {}
