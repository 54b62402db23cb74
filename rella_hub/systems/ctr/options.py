"""The options of training a traditional CTR model and of searching its settings, and what its run folders are known by."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from rella_hub.cli.options import option
from rella_hub.tables import runs

RESULT, RUN, MARK = "model", "ctr run", "features.json"
READS = ("dataset", "dataset_revision")  # in a recipe by name, in a record by their hashes


def holds(folder: Path) -> bool:
    return runs.is_of(folder, RUN, RESULT, MARK)


@dataclass(frozen=True)
class ScoreOptions:
    """A CTR model is scored in one way."""


@dataclass(frozen=True)
class Options:
    model: str = option("Architecture: a file in rella_hub/networks/ctr/, such as din.")
    dataset: str = option("Data set: Hub id or folder, such as rella/ml1m.", pins=False)
    output_dir: str = option("The run folder: model/, recipe.yaml, training.json, training.png.", pins=False)
    model_options: str = option(
        'Options of the architecture as JSON (in a recipe: a mapping), such as {"embedding_size": 64}; the constructor in '
        "rella_hub/networks/ctr/<model>.py has them all.",
        "{}",
    )
    history_length: int = option("K, the most recent behaviors that the model sees.", 30)
    search: str = option(
        "How SIM retrieves from the whole history: subr (soft search), union (half of it the latest behaviors) or category (hard search).",
        "subr",
    )
    retrieved: int = option("How many behaviors SIM retrieves.", 30)
    num_shots: int | None = option("N: train on the first N samples. Default: all, which is full-shot.", None)
    batch_size: int = option("Samples a step (appendix C: 256 or 512 on MovieLens).", 512)
    learning_rate: float = option("Of AdamW (appendix C: 1e-3).", 1e-3)
    weight_decay: float = option("Of AdamW (PyTorch's default; the paper states none).", 0.01)
    num_train_epochs: int = option("Epochs at most.", 20)
    early_stopping_patience: int = option("Stop after this many epochs without a better validation metric.", 2)
    metric_for_best_model: str = option(
        "Validation metric that chooses the epoch: auc or log_loss. Never on test.", "auc"
    )
    seed: int = option("Seed of the weights, of dropout and of the order of the samples.", 0)
    dataset_revision: str | None = option("Branch, tag or commit of the data set.", None, pins=False)
    overwrite: bool = option("Start again where --output_dir holds a run of another recipe.", False, pins=False)


@dataclass(frozen=True)
class GridArguments:
    grid: str = option(
        "The values to try, as JSON (in a recipe: a mapping): options of the architecture, or of training such as batch_size.",
        '{"embedding_size": [32, 64], "dropout": [0.0, 0.2]}',
    )
    seeds: int = option("Seeds of the best setting, from --seed on.", 3)
