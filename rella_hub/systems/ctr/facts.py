"""A run folder of training/ctr.py as a card needs it: recipe, training record, what the model sees, and its weights counted.

Nothing of it is loaded as a model, so that a card takes a second on any machine.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from rella_hub.cards.records import RECIPE, RECORD, count_weights, curve_of, mapping, text_of
from rella_hub.files.hashes import hash_file
from rella_hub.systems.ctr.inputs.vocabulary import FILE as VOCABULARY
from rella_hub.systems.ctr.inputs.vocabulary import Values, load_values

# The names that rella_hub/systems/ctr/train.py writes, whose import would load torch. A test holds them equal.
MODEL, FEATURES = "model", "features.json"
WEIGHTS, CONFIG = "model.safetensors", "config.json"
COMMAND = "python training/ctr.py"
NOT_TRAINED = ("running_mean", "running_var")  # what Dice keeps of the batches that it has seen

RECIPE_KEYS = (
    *("model", "dataset", "dataset_revision", "history_length", "search", "retrieved", "num_shots"),
    *("num_train_epochs", "early_stopping_patience", "metric_for_best_model", "seed"),
)
TRAINING_KEYS = (
    *("corpus", "inputs", "recipe", "weights", "training_samples"),
    *("seconds", "best_epoch", "best_validation", "log"),
)
FEATURE_KEYS = ("model", "corpus", "history_length", "search", "retrieved", "num_shots")


@dataclass(frozen=True)
class CtrRun:
    folder: Path
    recipe: dict
    recipe_text: str  # recipe.yaml, verbatim
    training: dict  # training.json
    features: dict  # features.json: what the model sees
    values: Values  # the vocabulary
    sha256: str  # of model.safetensors
    weights: int  # counted in that file, without what is not trained
    curve: Path | None

    @property
    def model(self) -> Path:
        return self.folder / MODEL

    @property
    def searched(self) -> str | None:
        """The view that the model retrieves by, None where it does not retrieve or searches by category."""
        return f"view_subr_k{self.features['retrieved']}" if self.features["search"] == "subr" else None


def is_ctr_run(folder: Path) -> bool:
    """Whether a run folder is one of training/ctr.py: it holds model/, or at least a recipe with an architecture."""
    if (folder / MODEL).is_dir():
        return True
    try:
        return "model" in mapping(folder / RECIPE, (), COMMAND)
    except ValueError:
        return False


def read_run(folder: Path) -> CtrRun:
    """ValueError when a file is missing or damaged, or when the parts do not belong together."""
    if not folder.is_dir():
        raise ValueError(f"There is no run folder {folder}. It is what {COMMAND} writes into its --output_dir.")
    recipe = mapping(folder / RECIPE, RECIPE_KEYS, COMMAND)
    weights = folder / MODEL / WEIGHTS
    if not weights.is_file():
        raise ValueError(
            f"{folder} has no {MODEL}/{WEIGHTS}, so it is not a whole run. Run {COMMAND} again with its recipe."
        )
    training = mapping(folder / RECORD, TRAINING_KEYS, COMMAND)
    features = mapping(folder / MODEL / FEATURES, FEATURE_KEYS, COMMAND)
    config = mapping(folder / MODEL / CONFIG, ("field_sizes", "rating_values"), COMMAND)
    values, counted = load_values(folder / MODEL), count_weights(weights, leave_out=NOT_TRAINED)
    _require_one_run(folder, recipe, training, features)
    if (values.field_sizes, values.rating_values) != (config["field_sizes"], config["rating_values"]):
        raise ValueError(
            f"{folder / MODEL}: {VOCABULARY} has other values than {CONFIG} makes room for: they are not of the same run. Train again."
        )
    if counted != training["weights"]:
        raise ValueError(
            f"{weights} has {counted:,} weights, but {folder / RECORD} tells of {training['weights']:,} trained ones: the two are not of "
            "the same run. Train again."
        )
    return CtrRun(
        folder=folder,
        recipe=recipe,
        recipe_text=text_of(folder / RECIPE, COMMAND),
        training=training,
        features=features,
        values=values,
        sha256=hash_file(weights),
        weights=counted,
        curve=curve_of(folder),
    )


def _require_one_run(folder: Path, recipe: dict, training: dict, features: dict) -> None:
    """ValueError when the recipe is another one than the training's, or than the model's."""
    for name, values in ((RECORD, training["recipe"]), (f"{MODEL}/{FEATURES}", features)):
        for key in recipe.keys() & values.keys() - {"search"}:  # null in a model that does not retrieve
            if values[key] != recipe[key]:
                raise ValueError(
                    f"{folder / name} says that {key} is {values[key]!r}, {folder / RECIPE} says {recipe[key]!r}: the two are not of the "
                    "same run. Train again."
                )
