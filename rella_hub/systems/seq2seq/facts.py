"""What the card and the push of a P5 need to know of its run folder."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from rella_hub.cards.facts import Facts, OnHub, Planned, read_training_data
from rella_hub.cards.publishing.terms import Part
from rella_hub.files.hashes import hash_file
from rella_hub.systems.seq2seq import card
from rella_hub.systems.seq2seq.options import MARK, RESULT, Options
from rella_hub.systems.vocabulary import FILE as VOCABULARY
from rella_hub.systems.vocabulary import load_values
from rella_hub.tables.runs import RECIPE, RECORD, count_weights, mapping, text_of

COMMAND = "python training/seq2seq.py"
WEIGHTS, CONFIG = "model.safetensors", "config.json"
HOLDS = f"{VOCABULARY} lists ids"  # without which the numbers of users and items mean nothing
RECIPE_KEYS = (
    *("dataset", "dataset_revision", "t5", "history_in_text", "num_shots", "num_validation", "batch_size"),
    *("num_train_epochs", "metric_for_best_model", "seed"),
)
TRAINING_KEYS = (
    *("corpus", "inputs", "recipe", "t5", "texts", "weights", "training_samples", "validation_samples"),
    *("seconds", "peak_memory_bytes", "best_epoch", "best_validation", "log"),
)
MARK_KEYS = ("corpus", "history_length", "max_length", "truncation", "num_shots", "pretrained_on")
OF_BOTH = ("max_length", "truncation", "num_shots")  # that a recipe and the model's own file say


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
    mark, counted, values = mapping(result / MARK, MARK_KEYS, COMMAND), count_weights(weights), load_values(result)
    _require_one_run(folder, recipe, training, mark, counted)
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
        config_name=f"recency_k{mark['history_length'] or 30}",  # its samples are those of any view; it shows the latest behaviors
        about=f"P5 of {data.corpus.id}, {shots}",
        on_hub=OnHub("rella", "text2text-generation", "tabular-classification", ("ctr", "t5", "p5")),
        template=card.TEMPLATE,
        words=partial(card.words, mark, values),
        files=tuple(sorted(name for name in training.get("sha256", {}) if name != WEIGHTS))
        or (CONFIG, MARK, VOCABULARY),
        holds=HOLDS,
        parts=partial(_parts, mark),
    )


def _parts(mark: dict) -> list[Part]:
    """The text of the corpus that the T5 was made from, which may be another one than that of the samples."""
    corpus = mark["pretrained_on"]
    return [Part("The tokenizer and the weights hold words", None, corpus)] if corpus else []


def _require_one_run(folder: Path, recipe: dict, training: dict, mark: dict, counted: int) -> None:
    """ValueError when the recipe is another one than the training's, or than the model's, or the weights are others."""
    for name, values, keys in (
        (RECORD, training["recipe"], recipe.keys() & training["recipe"].keys()),
        (f"{RESULT}/{MARK}", mark, set(OF_BOTH) & recipe.keys()),
    ):
        for key in sorted(keys):
            if values[key] != recipe[key]:
                raise ValueError(
                    f"{folder / name} says that {key} is {values[key]!r}, {folder / RECIPE} says {recipe[key]!r}: the two are not of the "
                    "same run. Train again."
                )
    if counted != training["weights"]:
        raise ValueError(
            f"{folder / RESULT / WEIGHTS} has {counted:,} weights, but {folder / RECORD} tells of {training['weights']:,} trained ones: "
            "the two are not of the same run. Train again."
        )
