"""The run folder: what every training leaves, whatever was trained.

    <run>/recipe.yaml     the options that the run is made again with
    <run>/training.json   what it was made from, how it went, and the hashes of what was trained
    <run>/training.png    its curve
    <run>/inputs.json     of a family that keeps several checkpoints: what the run is made from, before there is a training.json
    <run>/<result>/       what was trained; a family says what it is called (adapter/, model/)
    <run>/.rella.json     which files this project wrote, and which kind of run it is (rella_hub/files/ownership.py)

A card or a push reads it here, and nothing of it is loaded as a model.
"""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from rella_hub.files import ownership
from rella_hub.tables import checked
from rella_hub.tables.checked import COUNT, LINE, LINES, NAME, NUMBER, optional

RECIPE, RECORD, CURVE = "recipe.yaml", "training.json", "training.png"
INPUTS = "inputs.json"
RESULTS = (
    "adapter",
    "model",
)  # what the folder of what was trained is called, as far as records of earlier versions know
HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")

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


def public_name(name: str) -> str:
    """What a record calls a model or data set: a Hub id as it is, a folder by its own name, the result in a run folder by the run's.

    A folder that is called like a data set of this project, such as rella/ml1m, keeps that name.
    """
    path = Path(name)
    if HUB_ID.fullmatch(name) and (not path.is_dir() or path.parts[0] == "rella"):
        return name
    path = path.resolve() if path.name in ("", "..") else path
    in_a_run = path.name in RESULTS or (path.parent / RECORD).is_file()
    return path.parent.name if in_a_run and path.parent.name else path.name


def is_of(folder: Path, kind: str, result: str, mark: str) -> bool:
    """Whether `folder` is a run of this kind, its result, or a pulled repository of one. mark: a file that only such results have."""
    marked = any((place / mark).is_file() for place in (folder / result, folder))
    return marked or ownership.read(folder).folder_of == kind


def text_of(path: Path, command: str) -> str:
    """command: that which writes the file."""
    if not path.is_file():
        raise ValueError(f"There is no {path}. A finished run of {command} has it; run it again.")
    return checked.read_text(path)


def mapping(path: Path, keys: tuple[str, ...], command: str) -> dict:
    """The values of a YAML or JSON file; ValueError when it is damaged or lacks one of `keys`."""
    text = text_of(path, command)
    try:
        values: Any = (checked.parse_yaml if path.suffix == ".yaml" else checked.parse_json)(text, str(path))
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
