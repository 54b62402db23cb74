"""What the card and the push of an adapter need to know of its run folder."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from rella_hub.cards.facts import Facts, OnHub, Planned, read_training_data
from rella_hub.files.hashes import hash_file
from rella_hub.hub.model_folders import ADAPTER_CONFIG
from rella_hub.hub.model_folders import ADAPTER_WEIGHTS as WEIGHTS
from rella_hub.language_models.same_base import BASE_RECORD
from rella_hub.systems.adapter import card, published
from rella_hub.systems.adapter.options import RESULT, Options
from rella_hub.systems.adapter.published import COMMAND, TOKENIZER
from rella_hub.tables.runs import RECIPE, RECORD, count_weights, mapping, text_of
from rella_hub.views import view_of

RECIPE_KEYS = (
    *("base", "dataset", "config_name", "dataset_revision", "quantization", "num_validation"),
    *("early_stopping_patience", "learning_rate", "num_train_epochs", "max_length"),
    *("lora_r", "lora_alpha", "lora_target_modules", "seed"),
)
TRAINING_KEYS = ("trainable_weights", "training_rows", "training_tokens_per_epoch", "best_validation_auc", "best_step")


def planned(options: Options) -> Planned:
    """ValueError where there will be nothing that a card can be about."""
    if options.full_finetuning:
        raise ValueError(
            "Full fine-tuning leaves no adapter, and adapters are what is published. Leave --push_to_hub out."
        )
    return Planned("adapter", options.dataset, options.dataset_revision, options.base)


def facts(folder: Path) -> Facts:
    """ValueError when a file is missing or damaged, or when the parts do not belong together."""
    if not folder.is_dir():
        raise ValueError(f"There is no run folder {folder}. It is what {COMMAND} writes into its --output_dir.")
    recipe = mapping(folder / RECIPE, RECIPE_KEYS, COMMAND)
    if recipe.get("full_finetuning"):
        raise ValueError(
            f"{folder} is a run of full fine-tuning, which has no adapter. Cards are rendered for adapters."
        )
    result, weights = folder / RESULT, folder / RESULT / WEIGHTS
    if not weights.is_file():
        raise ValueError(
            f"{folder} has no {RESULT}/{WEIGHTS}: the run did not finish. Run {COMMAND} again with its recipe; it resumes from the "
            "last checkpoint."
        )
    training = mapping(folder / RECORD, TRAINING_KEYS, COMMAND)
    counted = count_weights(weights)
    if counted != training["trainable_weights"]:
        raise ValueError(
            f"{weights} has {counted:,} weights, but {folder / RECORD} tells of {training['trainable_weights']:,} trained ones: the "
            "two are not of the same run. Train again."
        )
    config_name = recipe["config_name"]
    if view_of(config_name)[0] is None:
        raise ValueError(
            f"The run {folder} was trained on {config_name!r}, which is not a config of prompts such as reit_k30."
        )
    base = mapping(result / BASE_RECORD, ("name", "revision"), COMMAND)
    data = read_training_data(recipe, [config_name])
    own_tokenizer = published.own_tokenizer(result, recipe)
    return Facts(
        noun="adapter",
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
        config_name=config_name,
        about=f"Adapter of {data.corpus.id}, tuned on {config_name}",
        on_hub=OnHub("peft", "text-generation", "text-classification", ("lora", "rella"), relation="adapter"),
        template=card.TEMPLATE,
        words=card.words,
        base=base,
        rewritten=(ADAPTER_CONFIG, BASE_RECORD, *TOKENIZER),
        texts=partial(published.texts, result, own_tokenizer),
        parts=partial(published.parts, result, recipe, base, own_tokenizer),
    )
