"""The options of training a traditional CTR model, of searching its settings, and of publishing what was trained."""

from __future__ import annotations

from dataclasses import dataclass

from rella_hub.cli.options import option


@dataclass(frozen=True)
class FittingArguments:
    model: str = option("Architecture: a file in rella_hub/networks/ctr/, such as din.")
    dataset: str = option("Data set: Hub id or folder, such as rella/ml1m.")
    output_dir: str = option("The run folder: model/, recipe.yaml, training.json, training.png.")
    model_options: str = option(
        'Options of the architecture as JSON (in a recipe: a mapping), such as {"embedding_size": 64}; the constructor in '
        "rella_hub/networks/ctr/<model>.py has them all.",
        "{}",
    )
    history_length: int = option("K, the most recent behaviors that the model sees.", 30)
    search: str = option(
        "How SIM retrieves from the whole history: subr (soft search) or category (hard search).", "subr"
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
    dataset_revision: str | None = option("Branch, tag or commit of the data set.", None)
    overwrite: bool = option("Start anew where --output_dir holds a run of another recipe.", False)


@dataclass(frozen=True)
class GridArguments:
    grid: str = option(
        "The values to try, as JSON (in a recipe: a mapping): options of the architecture, or of training such as batch_size.",
        '{"embedding_size": [32, 64], "dropout": [0.0, 0.2]}',
    )
    seeds: int = option("Seeds of the best setting, from --seed on.", 3)
