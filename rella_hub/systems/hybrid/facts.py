"""What the card and the push of a hybrid system need to know of its run folder."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

from rella_hub.cards.facts import Facts, OnHub, Planned, read_training_data
from rella_hub.cards.publishing import terms
from rella_hub.cards.publishing.identity import Identity
from rella_hub.files.hashes import hash_file
from rella_hub.hub.model_folders import ADAPTER_WEIGHTS as WEIGHTS
from rella_hub.language_models.same_base import BASE_RECORD
from rella_hub.systems.hybrid.options import ITEMS, MARK, RESULT, TEXT_ONLY, Options
from rella_hub.tables.runs import RECIPE, RECORD, count_weights, mapping, text_of

COMMAND = "python training/train.py"
TEMPLATE = "hybrid.md.jinja"
HOLDS = f"{ITEMS} lists ids of items"
RECIPE_KEYS = (
    *(
        "base",
        "dataset",
        "config_name",
        "dataset_revision",
        "curriculum",
        "learning_rate",
        "num_train_epochs",
        "max_length",
    ),
    *("metric_for_best_model", "lora_r", "lora_alpha", "lora_target_modules", "seed"),
)
TRAINING_KEYS = (
    *(
        "trainable_weights",
        "training_samples",
        "validation_samples",
        "hybrid_steps",
        "steps",
        "best_step",
        "best_validation",
    ),
    *("corpus", "recommender", "inputs", "sha256", "log"),
)
MARK_KEYS = ("corpus", "config_name", "curriculum", "recommender", "sha256", "training_samples")


def planned(options: Options) -> Planned:
    holds = HOLDS if options.curriculum != TEXT_ONLY else None
    return Planned("adapter", options.dataset, options.dataset_revision, options.base, holds)


def facts(folder: Path) -> Facts:
    """ValueError when a file is missing or damaged, or when the parts do not belong together."""
    recipe, result = mapping(folder / RECIPE, RECIPE_KEYS, COMMAND), folder / RESULT
    training, mark = mapping(folder / RECORD, TRAINING_KEYS, COMMAND), mapping(result / MARK, MARK_KEYS, COMMAND)
    with_items = mark["recommender"] is not None
    _require_one_run(folder, recipe, training, mark, [WEIGHTS, *([ITEMS] if with_items else [])])
    base = mapping(result / BASE_RECORD, ("name", "revision"), COMMAND)
    data = read_training_data(recipe, [recipe["config_name"], "items"])
    return Facts(
        noun="adapter",
        command=COMMAND,
        folder=folder,
        result=result,
        weights_file=WEIGHTS,
        sha256=hash_file(result / WEIGHTS),
        weights=count_weights(result / WEIGHTS),
        recipe=recipe,
        recipe_text=text_of(folder / RECIPE, COMMAND),
        training=training,
        data=data,
        config_name=recipe["config_name"],
        about=f"LLaRA of {data.corpus.id}, curriculum {recipe['curriculum']}",
        on_hub=OnHub(
            "rella", "text-generation", "text-generation", ("lora", "llara", "recommendation"), relation="adapter"
        ),
        template=TEMPLATE,
        words=lambda card: {"mark": mark, "text_only": not with_items},
        base=base,
        files=(MARK, *([ITEMS] if with_items else [])),
        rewritten=(BASE_RECORD,),
        texts=partial(_texts, result),
        holds=HOLDS if with_items else None,
        parts=lambda: terms.of_weights(result / WEIGHTS, base, recipe["base"], recipe.get("base_revision")),
    )


def _require_one_run(folder: Path, recipe: dict, training: dict, mark: dict, files: list[str]) -> None:
    """ValueError where weights, item vectors and records of the run folder are not of one run."""
    result = folder / RESULT
    for name in files:
        if not (result / name).is_file():
            raise ValueError(
                f"{folder} has no {RESULT}/{name}: the run did not finish. Run {COMMAND} again with its recipe; it resumes from the last "
                "checkpoint."
            )
        if not hash_file(result / name) == mark["sha256"].get(name) == training["sha256"].get(name):
            raise ValueError(f"{result / name} is not the file that {MARK} and {RECORD} tell of. Train again.")
    if (recipe["curriculum"], recipe["config_name"]) != (mark["curriculum"], mark["config_name"]):
        raise ValueError(f"{folder / RECIPE} is not the recipe of {result / MARK}. Train again.")


def _texts(result: Path, identity: Identity) -> dict[str, str]:
    base = mapping(result / BASE_RECORD, (), COMMAND) | {"name": identity.base}
    return {BASE_RECORD: json.dumps(base, indent=2) + "\n"}
