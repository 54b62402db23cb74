"""The options of training and scoring P5, and what its run folders are known by."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

from rella_hub.cli import refuse_without
from rella_hub.cli.options import option
from rella_hub.tables import runs

RESULT, RUN, MARK = "t5", "seq2seq run", "p5.json"
READS = ("t5", "t5_revision", "dataset", "dataset_revision")  # in a recipe by name, in a record by their hashes
WHOLE_WORDS = 512  # rows of the table of whole words, so the most tokens of a text (P5, released code)
TRUNCATIONS = ("none", "right")
METRICS = ("auc", "log_loss")
DTYPES = ("auto", "float32", "bfloat16")
AT_LEAST_ONE = ("history_length", "num_shots", "num_validation", "batch_size", "num_train_epochs")


def holds(folder: Path) -> bool:
    return runs.is_of(folder, RUN, RESULT, MARK)


@dataclass(frozen=True)
class ScoreOptions:
    whole_words: bool = option(
        "P5: whether the encoder is told which pieces make a word, as in training. The released code leaves it out when it evaluates; "
        "false does as that code does.",
        True,
    )


@dataclass(frozen=True)
class Options:
    dataset: str = option("Data set: Hub id or folder, such as rella/ml1m.", pins=False)
    output_dir: str = option("The run folder: t5/, recipe.yaml, training.json, training.png.", pins=False)
    t5: str = option(
        "T5 to start from: Hub id or folder. The paper does not print its size; without a Hub, make a small one with "
        "training/pretrain.py --architecture t5.",
        "google-t5/t5-small",
        pins=False,
    )
    t5_revision: str | None = option("Branch, tag or commit of the T5.", None, pins=False)
    history_in_text: bool = option("Whether the latest behaviors are part of the text. ReLLa does not say.", True)
    history_length: int = option("How many of them.", 30)
    max_length: int = option(f"Token budget of a text, its end token included; at most {WHOLE_WORDS}.", WHOLE_WORDS)
    truncation: str = option(
        "A text over the budget: none, which makes it an error, or right, which cuts its oldest behaviors and counts how many were cut.",
        "none",
    )
    num_shots: int | None = option("N: train on the first N samples. Default: all, which is full-shot.", None)
    num_validation: int | None = option(
        "Validation samples scored after each epoch, a seeded choice. Default: all. The best epoch is kept.", None
    )
    batch_size: int = option("Samples a step (appendix C: 32).", 32)
    learning_rate: float = option("Of AdamW, at its highest (appendix C: 5e-4 or 1e-3).", 1e-3)
    weight_decay: float = option("Of AdamW, on every parameter (P5, released code: 0.01).", 0.01)
    warmup_ratio: float = option(
        "Share of the steps over which the learning rate rises; then it falls to 0 (appendix C: 0.05).", 0.05
    )
    max_grad_norm: float = option("Longest gradient of a step (appendix C: 1.0).", 1.0)
    num_train_epochs: int = option("Epochs at most (appendix C: 10).", 10)
    early_stopping_patience: int = option("Stop after this many epochs without a better validation metric.", 3)
    metric_for_best_model: str = option(
        "Validation metric that chooses the epoch: auc or log_loss. Never on test.", "auc"
    )
    dtype: str = option("What layers compute in: float32, bfloat16, or auto: bfloat16 on a GPU, else float32.", "auto")
    seed: int = option("Seed of the new weights, of dropout and of the order of the samples.", 0)
    dataset_revision: str | None = option("Branch, tag or commit of the data set.", None, pins=False)
    overwrite: bool = option("Start again where --output_dir holds a run of another recipe.", False, pins=False)

    def __post_init__(self) -> None:
        for name, known in (
            ("truncation", TRUNCATIONS),
            ("metric_for_best_model", METRICS),
            ("dtype", DTYPES),
        ):
            if getattr(self, name) not in known:
                raise ValueError(f"--{name} is {getattr(self, name)!r}; expected one of {', '.join(known)}.")
        for name in (*AT_LEAST_ONE, "early_stopping_patience"):
            if getattr(self, name) is not None and getattr(self, name) < 1:
                raise ValueError(f"--{name} is {getattr(self, name)}; at least 1 is needed.")
        for name in ("learning_rate", "max_grad_norm"):
            _require(self, name, lambda value: 0 < value < math.inf, "above 0, and finite")
        _require(self, "weight_decay", lambda decay: 0 <= decay < math.inf, "at least 0, and finite")
        _require(self, "warmup_ratio", lambda share: 0 <= share < 1, "at least 0 and below 1")
        _require(self, "seed", lambda seed: 0 <= seed < 2**32, "at least 0 and below 2**32")
        _require(
            *(self, "max_length", lambda length: 2 <= length <= WHOLE_WORDS),
            f"from 2 to {WHOLE_WORDS}, the words that the model has a row for",
        )
        if not self.history_in_text:
            refuse_without("--history_in_text true", self, ["history_length"])

    @property
    def shown(self) -> int:
        """K latest behaviors in a text; 0 where it has no history."""
        return self.history_length if self.history_in_text else 0


def _require(options: Options, name: str, is_right, what: str) -> None:
    value = getattr(options, name)
    if not is_right(value):
        raise ValueError(f"--{name} is {value}; it must be {what}.")
