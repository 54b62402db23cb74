"""What the card and the push of a ReLLaX system need to know of its run folder."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

from rella_hub.cards.facts import Facts, OnHub, Planned, read_training_data
from rella_hub.cards.publishing.identity import Identity
from rella_hub.files.hashes import hash_file
from rella_hub.language_models.same_base import BASE_RECORD
from rella_hub.systems.rellax import card
from rella_hub.systems.rellax.options import MARK, MODES, RESULT, Options
from rella_hub.systems.vocabulary import FILE as VOCABULARY
from rella_hub.tables.runs import RECIPE, RECORD, count_weights, mapping, text_of

COMMAND = "python training/rellax.py"
WEIGHTS = "model.safetensors"
HOLDS = f"{VOCABULARY} lists values"  # without which the CTR model's codes mean nothing
RECIPE_KEYS = (
    *("base", "dataset", "config_name", "dataset_revision", "ctr", "mode", "gate_start", "adapter", "quantization"),
    *("num_validation", "early_stopping_patience", "learning_rate", "num_train_epochs", "max_length", "seed"),
)
TRAINING_KEYS = (
    *("mode", "trainable_weights", "training_rows", "training_samples", "training_tokens_per_epoch"),
    *("best_validation_auc", "best_step"),
)


def planned(options: Options) -> Planned:
    return Planned("system", options.dataset, options.dataset_revision, options.base, HOLDS)


def facts(folder: Path) -> Facts:
    """ValueError when a file is missing or damaged, or when the parts do not belong together."""
    recipe, result = mapping(folder / RECIPE, RECIPE_KEYS, COMMAND), folder / RESULT
    weights = result / WEIGHTS
    if not weights.is_file():
        raise ValueError(
            f"{folder} has no {RESULT}/{WEIGHTS}: the run did not finish. Run {COMMAND} again with its recipe; it resumes from the last "
            "checkpoint."
        )
    training, mark = (
        mapping(folder / RECORD, TRAINING_KEYS, COMMAND),
        mapping(result / MARK, ("mode", "ctr", "lora"), COMMAND),
    )
    sha256 = hash_file(weights)
    if (training.get("sha256") or {}).get(WEIGHTS) != sha256 or not mark["mode"] == training["mode"] == recipe["mode"]:
        raise ValueError(
            f"{weights}, {MARK} and {RECORD} of {folder} are not of the same run, or were changed since. Train again."
        )
    data = read_training_data(recipe, [recipe["config_name"]])
    return Facts(
        noun="system",
        command=COMMAND,
        folder=folder,
        result=result,
        weights_file=WEIGHTS,
        sha256=sha256,
        weights=count_weights(weights, ("running_mean", "running_var")),
        recipe=recipe,
        recipe_text=text_of(folder / RECIPE, COMMAND),
        training=training,
        data=data,
        config_name=recipe["config_name"],
        about=f"ReLLaX ({MODES[recipe['mode']]}) of {data.corpus.id}, tuned on {recipe['config_name']}",
        on_hub=OnHub(
            "rella",
            "text-classification",
            "text-classification",
            ("lora", "rella", "rellax", "ctr"),
            relation="adapter",
        ),
        template=card.TEMPLATE,
        words=partial(card.words, mark),
        base=mapping(result / BASE_RECORD, ("name", "revision"), COMMAND),
        files=(MARK, VOCABULARY),
        rewritten=(BASE_RECORD,),
        texts=partial(_texts, result),
        holds=HOLDS,
    )


def _texts(result: Path, identity: Identity) -> dict[str, str]:
    record = mapping(result / BASE_RECORD, (), COMMAND) | {"name": identity.base}
    return {BASE_RECORD: json.dumps(record, indent=2) + "\n"}
