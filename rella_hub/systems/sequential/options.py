"""The options of training a sequential recommender, and what its run folders are known by."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from rella_hub.cli.options import option
from rella_hub.tables import runs

RESULT, RUN, MARK = "model", "sequential run", "recommender.json"
READS = ("dataset", "dataset_revision")  # in a recipe by name, in a record by their hashes
METRICS = ("hit_at_20", "ndcg_at_20")  # of validation, over all items


def holds(folder: Path) -> bool:
    return runs.is_of(folder, RUN, RESULT, MARK)


@dataclass(frozen=True)
class ScoreOptions:
    """A recommender chooses in one way."""


@dataclass(frozen=True)
class Options:
    model: str = option("Encoder of the history: a file in rella_hub/networks/sequence/, such as sasrec.")
    dataset: str = option(
        "Data set of a next-item task: Hub id or folder, such as rella/ml100k (release.py --task next_item).",
        pins=False,
    )
    output_dir: str = option("The run folder: model/, recipe.yaml, training.json, training.png.", pins=False)
    model_options: str = option(
        'Options of the encoder as JSON (in a recipe: a mapping), such as {"blocks": 1}; the constructor in '
        "rella_hub/networks/sequence/<model>.py has them all.",
        "{}",
    )
    embedding_size: int = option("d, the width of an item's vector (LLaRA: 64).", 64)
    history_length: int = option("K, the most recent behaviors that the model sees (LLaRA: 10).", 10)
    tied: bool = option(
        "Score an item by the vector that it has in histories, as SASRec's paper does, instead of by one of its own with a bias, as the "
        "released training of LLaRA's recommenders does.",
        False,
    )
    spread: float = option(
        "Standard deviation of the item vectors before training (the released training: 0.01).", 0.01
    )
    num_shots: int | None = option("N: train on the first N samples. Default: all.", None)
    batch_size: int = option("Samples a step (LLaRA: 256).", 256)
    learning_rate: float = option("Of Adam (LLaRA: 1e-3).", 1e-3)
    weight_decay: float = option(
        "Of Adam, added to the gradient (released: 1e-6; the paper searches 1e-3 to 1e-7).", 1e-6
    )
    num_train_epochs: int = option("Epochs at most.", 100)
    early_stopping_patience: int = option("Stop after this many epochs without a better validation metric.", 10)
    metric_for_best_model: str = option(
        "Validation metric over all items that chooses the epoch: hit_at_20 (LLaRA) or ndcg_at_20. Never on test.",
        "hit_at_20",
    )
    seed: int = option("Seed of the weights, of dropout, of the order of the samples and of the negatives.", 0)
    dataset_revision: str | None = option("Branch, tag or commit of the data set.", None, pins=False)
    overwrite: bool = option("Start again where --output_dir holds a run of another recipe.", False, pins=False)
