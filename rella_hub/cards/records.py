"""The files of a run folder: read as text, as a mapping with the keys it must have, and weights counted without loading them."""

from __future__ import annotations

import math
from pathlib import Path

from safetensors import SafetensorError, safe_open

from rella_hub.tables import checked
from rella_hub.tables.checked import COUNT, LINE, LINES, NAME, NUMBER, optional

# The names that the train.py of each family writes, whose import would load torch. A test holds them equal.
RECIPE, RECORD, CURVE = "recipe.yaml", "training.json", "training.png"

KINDS = {  # what the files of a run may say, as far as a card or a push reads it
    **dict.fromkeys(("config_name", "model", "corpus", "quantization", "dtype"), NAME),
    **dict.fromkeys(("base", "dataset", "name"), LINE),
    **dict.fromkeys(("dataset_revision", "base_revision", "revision"), optional(LINE)),
    **dict.fromkeys(("trainable_weights", "training_rows", "training_tokens_per_epoch", "best_epoch"), COUNT),
    **dict.fromkeys(("history_length", "retrieved", "early_stopping_patience", "seed", "lora_r"), COUNT),
    **dict.fromkeys(("training_samples", "num_shots", "num_validation", "best_step", "max_length"), optional(COUNT)),
    **dict.fromkeys(("learning_rate", "num_train_epochs", "lora_alpha", "best_validation_auc", "seconds"), NUMBER),
    **{
        "search": optional(NAME),
        "inputs": LINES,
        "sha256": LINES,
        "recipe": checked.RECORD,
        "best_validation": checked.RECORD,
    },
}


def text_of(path: Path, command: str) -> str:
    """command: that which writes the file."""
    if not path.is_file():
        raise ValueError(f"There is no {path}. A finished run of {command} has it; run it again.")
    return checked.read_text(path)


def mapping(path: Path, keys: tuple[str, ...], command: str) -> dict:
    """The values of a YAML or JSON file; ValueError when it is damaged or lacks one of `keys`."""
    text = text_of(path, command)
    try:
        values = (checked.parse_yaml if path.suffix == ".yaml" else checked.parse_json)(text, str(path))
    except ValueError as error:
        raise ValueError(f"{path} cannot be read: {error}") from error
    missing = [key for key in keys if key not in values]
    if missing:
        raise ValueError(f"{path} lacks {', '.join(missing)}. Write it anew by running {command} again.")
    checked.require(values, KINDS, str(path))
    return values


def count_weights(path: Path, leave_out: tuple[str, ...] = ()) -> int:
    """The number of weights in a safetensors file, from its header alone. leave_out: last parts of names that are not trained."""
    try:
        with safe_open(path, framework="numpy") as stored:
            names = [name for name in stored.keys() if name.rpartition(".")[2] not in leave_out]  # noqa: SIM118
            return sum(math.prod(stored.get_slice(name).get_shape()) for name in names)
    except SafetensorError as error:
        raise ValueError(f"{path} is not a whole safetensors file ({error}). Train again.") from error


def curve_of(folder: Path) -> Path | None:
    return folder / CURVE if (folder / CURVE).is_file() else None
