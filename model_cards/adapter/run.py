"""A run folder of training/sft.py as a card needs it: recipe, training record, and the adapter's weights counted.

Nothing of it is loaded as a model, so that a card takes a second on any machine.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path

import yaml
from safetensors import SafetensorError, safe_open

from dataset_builders.raw.archive import hash_file

# The names that training/tuning/run.py and training/language_models/load.py write, whose import would load torch. A test holds them equal.
ADAPTER, RECIPE, RECORD, CURVE = "adapter", "recipe.yaml", "training.json", "training.png"
WEIGHTS, BASE_RECORD = "adapter_model.safetensors", "base_model.json"

RECIPE_KEYS = (
    "base",
    "dataset",
    "config_name",
    "dataset_revision",
    "quantization",
    "num_validation",
    "early_stopping_patience",
    "learning_rate",
    "num_train_epochs",
    "max_length",
    "lora_r",
    "lora_alpha",
    "lora_target_modules",
    "seed",
)
TRAINING_KEYS = ("trainable_weights", "training_rows", "training_tokens_per_epoch", "best_validation_auc", "best_step")


@dataclass(frozen=True)
class Run:
    folder: Path
    recipe: dict
    recipe_text: str  # recipe.yaml, verbatim
    training: dict  # training.json
    base: dict  # name and revision of what the adapter was trained on
    sha256: str  # of adapter_model.safetensors
    weights: int  # counted in that file
    curve: Path | None

    @property
    def adapter(self) -> Path:
        return self.folder / ADAPTER


def read_run(folder: Path) -> Run:
    """ValueError when a file is missing or damaged, or when the parts do not belong together."""
    if not folder.is_dir():
        raise ValueError(
            f"There is no run folder {folder}. It is what python training/sft.py writes into its --output_dir."
        )
    recipe_text = _text(folder / RECIPE)
    recipe = _mapping(folder / RECIPE, yaml.safe_load, yaml.YAMLError, RECIPE_KEYS)
    if recipe.get("full_finetuning"):
        raise ValueError(
            f"{folder} is a run of full fine-tuning, which has no adapter. Cards are rendered for adapters."
        )
    weights = folder / ADAPTER / WEIGHTS
    if not weights.is_file():
        raise ValueError(
            f"{folder} has no {ADAPTER}/{WEIGHTS}: the run did not finish. Run python training/sft.py again with its recipe; it "
            "goes on from the last checkpoint."
        )
    training = _mapping(folder / RECORD, json.loads, ValueError, TRAINING_KEYS)
    counted = count_weights(weights)
    if counted != training["trainable_weights"]:
        raise ValueError(
            f"{weights} has {counted:,} weights, but {folder / RECORD} tells of {training['trainable_weights']:,} trained ones: the "
            "two are not of the same run. Train again."
        )
    return Run(
        folder=folder,
        recipe=recipe,
        recipe_text=recipe_text,
        training=training,
        base=_mapping(folder / ADAPTER / BASE_RECORD, json.loads, ValueError, ("name", "revision")),
        sha256=hash_file(weights),
        weights=counted,
        curve=folder / CURVE if (folder / CURVE).is_file() else None,
    )


def count_weights(path: Path) -> int:
    """The number of weights in a safetensors file, from its header alone."""
    try:
        with safe_open(path, framework="numpy") as stored:
            return sum(math.prod(stored.get_slice(key).get_shape()) for key in stored.keys())  # noqa: SIM118
    except SafetensorError as error:
        raise ValueError(f"{path} is not a whole safetensors file ({error}). Train again.") from error


def _text(path: Path) -> str:
    if not path.is_file():
        raise ValueError(f"There is no {path}. A finished run of python training/sft.py has it; run it again.")
    return path.read_text(encoding="utf-8")


def _mapping(path: Path, parse, error_type: type[Exception], keys: tuple[str, ...]) -> dict:
    try:
        values = parse(_text(path))
    except error_type as error:
        if not path.is_file():
            raise
        raise ValueError(f"{path} cannot be read: {error}") from error
    missing = [key for key in keys if not isinstance(values, dict) or key not in values]
    if missing:
        raise ValueError(f"{path} lacks {', '.join(missing)}. Write it anew by running python training/sft.py again.")
    return values
