"""A run folder of training by epochs, held together before its family tells the card of it. Nothing is loaded as a model."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rella_hub.cards.facts import Facts, TrainingData, read_training_data
from rella_hub.files.hashes import hash_file
from rella_hub.tables.runs import RECIPE, RECORD, count_weights, mapping, text_of

WEIGHTS, CONFIG = "model.safetensors", "config.json"


@dataclass(frozen=True)
class Parts:
    """What a family's run folder has."""

    command: str  # that writes it: "python training/ctr.py"
    result: str  # folder of what was trained
    mark: str  # JSON file in it, in which the model says what it is
    recipe_keys: tuple[str, ...]
    training_keys: tuple[str, ...]
    mark_keys: tuple[str, ...]
    otherwise: frozenset[str]  # keys that the recipe and the mark share, but where the values may differ
    not_trained: tuple[str, ...] = ()  # last parts of the names of tensors that are no weights


@dataclass(frozen=True)
class WholeRun:
    parts: Parts
    folder: Path
    recipe: dict
    training: dict
    mark: dict
    weights: int  # counted
    data: TrainingData

    @property
    def result(self) -> Path:
        return self.folder / self.parts.result

    @property
    def shots(self) -> int | None:
        return self.recipe["num_shots"]

    def facts(self, **own: Any) -> Facts:
        """own: what the family says of it, beside what the files say."""
        files: dict[str, Any] = {
            "noun": "model",
            "command": self.parts.command,
            "folder": self.folder,
            "result": self.result,
            "weights_file": WEIGHTS,
            "sha256": hash_file(self.result / WEIGHTS),
            "weights": self.weights,
            "recipe": self.recipe,
            "recipe_text": text_of(self.folder / RECIPE, self.parts.command),
            "training": self.training,
            "data": self.data,
        }
        return Facts(**(files | own))


def read_whole_run(folder: Path, parts: Parts) -> WholeRun:
    """ValueError when a file is missing or damaged, or when the parts do not belong together."""
    command, result, weights = parts.command, folder / parts.result, folder / parts.result / WEIGHTS
    if not folder.is_dir():
        raise ValueError(f"There is no run folder {folder}. It is what {command} writes into its --output_dir.")
    recipe = mapping(folder / RECIPE, parts.recipe_keys, command)
    if not weights.is_file():
        raise ValueError(
            f"{folder} has no {parts.result}/{WEIGHTS}, so it is not a whole run. Run {command} again with its recipe."
        )
    training = mapping(folder / RECORD, parts.training_keys, command)
    mark, counted = mapping(result / parts.mark, parts.mark_keys, command), count_weights(weights, parts.not_trained)
    _require_same(folder, recipe, RECORD, training["recipe"], frozenset())
    _require_same(folder, recipe, f"{parts.result}/{parts.mark}", mark, parts.otherwise)
    if counted != training["weights"]:
        raise ValueError(
            f"{weights} has {counted:,} weights, but {folder / RECORD} tells of {training['weights']:,} trained ones: the two are not of "
            "the same run. Train again."
        )
    data = read_training_data(recipe)
    if data.made_from["fingerprint"] != training["inputs"]["interactions"]:
        raise ValueError(
            f"The data set {recipe['dataset']} was built again since {folder} was trained on it, so what it says is not true of this "
            "model. Build it as it was, or train again."
        )
    return WholeRun(parts, folder, recipe, training, mark, counted, data)


def _require_same(folder: Path, recipe: dict, name: str, values: dict, otherwise: frozenset[str]) -> None:
    """ValueError when the recipe is another one than that of the file `name`."""
    for key in sorted(recipe.keys() & values.keys() - otherwise):
        if values[key] != recipe[key]:
            raise ValueError(
                f"{folder / name} says that {key} is {values[key]!r}, {folder / RECIPE} says {recipe[key]!r}: the two are not of the "
                "same run. Train again."
            )
