"""The options of training a traditional CTR model, of searching its settings, and of publishing what was trained."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class FittingArguments:
    model: str = field(metadata={"help": "Architecture: a file in rella_hub/networks/ctr/, such as din."})
    dataset: str = field(metadata={"help": "Data set: Hub id or folder, such as rella/ml1m."})
    output_dir: str = field(metadata={"help": "The run folder: model/, recipe.yaml, training.json, training.png."})
    model_options: str = field(
        default="{}",
        metadata={
            "help": 'Options of the architecture as JSON (in a recipe: a mapping), such as {"embedding_size": 64}; the constructor in '
            "rella_hub/networks/ctr/<model>.py has them all."
        },
    )
    history_length: int = field(default=30, metadata={"help": "K, the most recent behaviors that the model sees."})
    search: str = field(
        default="subr",
        metadata={"help": "How SIM retrieves from the whole history: subr (soft search) or category (hard search)."},
    )
    retrieved: int = field(default=30, metadata={"help": "How many behaviors SIM retrieves."})
    num_shots: int | None = field(
        default=None, metadata={"help": "N: train on the first N samples. Default: all, which is full-shot."}
    )
    batch_size: int = field(default=512, metadata={"help": "Samples a step (appendix C: 256 or 512 on MovieLens)."})
    learning_rate: float = field(default=1e-3, metadata={"help": "Of AdamW (appendix C: 1e-3)."})
    weight_decay: float = field(default=0.01, metadata={"help": "Of AdamW (PyTorch's default; the paper states none)."})
    num_train_epochs: int = field(default=20, metadata={"help": "Epochs at most."})
    early_stopping_patience: int = field(
        default=2, metadata={"help": "Stop after this many epochs without a better validation metric."}
    )
    metric_for_best_model: str = field(
        default="auc", metadata={"help": "Validation metric that chooses the epoch: auc or log_loss. Never on test."}
    )
    seed: int = field(default=0, metadata={"help": "Seed of the weights, of dropout and of the order of the samples."})
    dataset_revision: str | None = field(default=None, metadata={"help": "Branch, tag or commit of the data set."})
    overwrite: bool = field(
        default=False, metadata={"help": "Start anew where --output_dir holds a run of another recipe."}
    )


@dataclass(frozen=True)
class GridArguments:
    grid: str = field(
        default='{"embedding_size": [32, 64], "dropout": [0.0, 0.2]}',
        metadata={
            "help": "The values to try, as JSON (in a recipe: a mapping): options of the architecture, or of training such as batch_size."
        },
    )
    seeds: int = field(default=3, metadata={"help": "Seeds of the best setting, from --seed on."})
