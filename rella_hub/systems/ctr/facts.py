"""What the card and the push of a CTR model need to know of its run folder."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

from rella_hub.cards.facts import Facts, OnHub, Planned, TrainingData, read_training_data
from rella_hub.files.hashes import hash_file
from rella_hub.systems.ctr import card
from rella_hub.systems.ctr.options import MARK, RESULT, Options
from rella_hub.systems.vocabulary import FILE as VOCABULARY
from rella_hub.systems.vocabulary import load_values
from rella_hub.tables.runs import RECIPE, RECORD, count_weights, mapping, text_of

COMMAND = "python training/ctr.py"
WEIGHTS, CONFIG = "model.safetensors", "config.json"
NOT_TRAINED = ("running_mean", "running_var")  # what Dice keeps of the batches that it has seen
HOLDS = f"{VOCABULARY} lists values"  # without which the codes mean nothing
# The tags of PyTorchModelHubMixin, which loads the weights.
MIXIN = ("model_hub_mixin", "pytorch_model_hub_mixin")
RECIPE_KEYS = (
    *("model", "dataset", "dataset_revision", "history_length", "search", "retrieved", "num_shots"),
    *("num_train_epochs", "early_stopping_patience", "metric_for_best_model", "seed"),
)
TRAINING_KEYS = (
    *("corpus", "inputs", "recipe", "weights", "training_samples"),
    *("seconds", "best_epoch", "best_validation", "log"),
)
FEATURE_KEYS = ("model", "corpus", "history_length", "search", "retrieved", "num_shots")


def planned(options: Options) -> Planned:
    return Planned("model", options.dataset, options.dataset_revision, holds=HOLDS)


def facts(folder: Path) -> Facts:
    """ValueError when a file is missing or damaged, or when the parts do not belong together."""
    if not folder.is_dir():
        raise ValueError(f"There is no run folder {folder}. It is what {COMMAND} writes into its --output_dir.")
    recipe = mapping(folder / RECIPE, RECIPE_KEYS, COMMAND)
    result, weights = folder / RESULT, folder / RESULT / WEIGHTS
    if not weights.is_file():
        raise ValueError(
            f"{folder} has no {RESULT}/{WEIGHTS}, so it is not a whole run. Run {COMMAND} again with its recipe."
        )
    training = mapping(folder / RECORD, TRAINING_KEYS, COMMAND)
    features = mapping(result / MARK, FEATURE_KEYS, COMMAND)
    values, counted = load_values(result), count_weights(weights, leave_out=NOT_TRAINED)
    _require_one_run(folder, recipe, training, features)
    _require_room(result, values)
    if counted != training["weights"]:
        raise ValueError(
            f"{weights} has {counted:,} weights, but {folder / RECORD} tells of {training['weights']:,} trained ones: the two are not of "
            "the same run. Train again."
        )
    data = _training_data(folder, recipe, training)
    searched = f"view_subr_k{features['retrieved']}" if features["search"] == "subr" else None
    shots = "full-shot" if recipe["num_shots"] is None else f"{recipe['num_shots']}-shot"
    return Facts(
        noun="model",
        command=COMMAND,
        folder=folder,
        result=result,
        weights_file=WEIGHTS,
        sha256=hash_file(weights),
        weights=counted,
        recipe=recipe,
        recipe_text=text_of(folder / RECIPE, COMMAND),
        training=training,
        data=data if searched else replace(data, encoder=None),
        config_name=f"subr_k{features['history_length']}",  # its samples are those of any view; the language model is shown this one
        about=f"{features['model']} of {data.corpus.id}, {shots}",
        on_hub=OnHub(
            *("rella", "tabular-classification", "tabular-classification"), ("ctr", features["model"], *MIXIN)
        ),
        template=card.TEMPLATE,
        words=partial(card.words, features, values, searched),
        files=(CONFIG, MARK, VOCABULARY),
        holds=HOLDS,
    )


def _training_data(folder: Path, recipe: dict, training: dict) -> TrainingData:
    """ValueError when the data set is not the one that the model was trained on."""
    data = read_training_data(recipe)
    if data.made_from["fingerprint"] != training["inputs"]["interactions"]:
        raise ValueError(
            f"The data set {recipe['dataset']} was built again since {folder} was trained on it, so what it says is not true of this "
            "model. Build it as it was, or train again."
        )
    return data


def _require_room(result: Path, values) -> None:
    """ValueError when the vocabulary has other values than the model has codes."""
    config = mapping(result / CONFIG, ("field_sizes", "rating_values"), COMMAND)
    if (values.field_sizes, values.rating_values) != (config["field_sizes"], config["rating_values"]):
        raise ValueError(
            f"{result}: {VOCABULARY} has other values than {CONFIG} makes room for: they are not of the same run. Train again."
        )


def _require_one_run(folder: Path, recipe: dict, training: dict, features: dict) -> None:
    """ValueError when the recipe is another one than the training's, or than the model's."""
    for name, values in ((RECORD, training["recipe"]), (f"{RESULT}/{MARK}", features)):
        for key in recipe.keys() & values.keys() - {"search"}:  # null in a model that does not retrieve
            if values[key] != recipe[key]:
                raise ValueError(
                    f"{folder / name} says that {key} is {values[key]!r}, {folder / RECIPE} says {recipe[key]!r}: the two are not of the "
                    "same run. Train again."
                )
