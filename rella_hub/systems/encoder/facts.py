"""What the card and the push of a CTR-BERT or PTab need to know of its run folder."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from rella_hub.cards.facts import Facts, OnHub, Planned, read_training_data
from rella_hub.files.hashes import hash_file
from rella_hub.systems.encoder import card
from rella_hub.systems.encoder.options import MARK, MODELS, RESULT, Options
from rella_hub.tables.runs import RECIPE, RECORD, count_weights, mapping, text_of

COMMAND = "python training/encoder.py"
WEIGHTS, CONFIG = "model.safetensors", "config.json"
RECIPE_KEYS = (
    *("model", "dataset", "dataset_revision", "encoder", "history_in_text", "num_shots", "num_validation"),
    *("num_train_epochs", "metric_for_best_model", "seed"),
)
TRAINING_KEYS = (
    *("corpus", "inputs", "recipe", "encoder", "texts", "weights", "training_samples", "validation_samples"),
    *("seconds", "peak_memory_bytes", "best_epoch", "best_validation", "log"),
)
TEXT_KEYS = ("model", "corpus", "ids_in_text", "history_length", "max_length", "truncation", "num_shots")


def planned(options: Options) -> Planned:
    return Planned("model", options.dataset, options.dataset_revision)


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
    text, counted = mapping(result / MARK, TEXT_KEYS, COMMAND), count_weights(weights)
    _require_one_run(folder, recipe, training, text)
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
    shots = "full-shot" if recipe["num_shots"] is None else f"{recipe['num_shots']:,}-shot"
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
        data=data,
        config_name=f"subr_k{text['history_length'] or 30}",  # its samples are those of any view; it reads none
        about=f"{MODELS[text['model']]} of {data.corpus.id}, {shots}",
        on_hub=OnHub("rella", "tabular-classification", "tabular-classification", ("ctr", text["model"])),
        template=card.TEMPLATE,
        words=partial(card.words, text),
        files=tuple(sorted(name for name in training.get("sha256", {}) if name != WEIGHTS)) or (CONFIG, MARK),
    )


def _require_one_run(folder: Path, recipe: dict, training: dict, text: dict) -> None:
    """ValueError when the recipe is another one than the training's, or than the model's."""
    for name, values in ((RECORD, training["recipe"]), (f"{RESULT}/{MARK}", text)):
        for key in recipe.keys() & values.keys() - {
            "encoder",
            "history_length",
        }:  # its public name; 0 where there is none
            if values[key] != recipe[key]:
                raise ValueError(
                    f"{folder / name} says that {key} is {values[key]!r}, {folder / RECIPE} says {recipe[key]!r}: the two are not of the "
                    "same run. Train again."
                )
