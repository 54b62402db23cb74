"""What the card and the push of a recommender need to know of its run folder."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from rella_hub.cards.facts import Facts, OnHub, Planned
from rella_hub.systems.sequential.options import MARK, RESULT, Options
from rella_hub.systems.whole_run import CONFIG, Parts, read_whole_run
from rella_hub.tables.candidates import Config

if TYPE_CHECKING:
    from rella_hub.cards.card import Card

ITEMS = "items.json"
HOLDS = f"{ITEMS} lists ids"  # without which the rows of the item table mean nothing
TEMPLATE = "sequential.md.jinja"
TITLES = {"hit_at_20": "Hit@20", "ndcg_at_20": "NDCG@20"}
PARTS = Parts(
    command="python training/train.py --family sequential",
    result=RESULT,
    mark=MARK,
    recipe_keys=(
        *("model", "dataset", "dataset_revision", "history_length", "num_shots", "num_train_epochs"),
        *("early_stopping_patience", "metric_for_best_model", "seed"),
    ),
    training_keys=(
        *("corpus", "inputs", "recipe", "weights", "training_samples"),
        *("seconds", "best_epoch", "best_validation", "log"),
    ),
    mark_keys=("model", "corpus", "history_length", "num_shots"),
    otherwise=frozenset(),
)


def planned(options: Options) -> Planned:
    return Planned("model", options.dataset, options.dataset_revision, holds=HOLDS)


def facts(folder: Path) -> Facts:
    """ValueError when a file is missing or damaged, or when the parts do not belong together."""
    run = read_whole_run(folder, PARTS)
    return run.facts(
        config_name=Config(run.mark["history_length"]).name,
        about=f"{run.mark['model']} of {run.data.corpus.id}, next item",
        on_hub=OnHub("rella", "other", "other", ("sequential-recommendation", run.mark["model"])),
        template=TEMPLATE,
        words=partial(words, run.mark),
        files=(CONFIG, MARK, ITEMS),
        holds=HOLDS,
    )


def words(mark: dict, card: Card) -> dict:
    return {"mark": mark, "metrics": TITLES}
