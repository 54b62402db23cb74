"""A run folder of training/sft.py as a card needs it: recipe, training record, and the adapter's weights counted.

Nothing of it is loaded as a model, so that a card takes a second on any machine.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from rella_hub.cards.records import RECIPE, RECORD, count_weights, curve_of, mapping, text_of
from rella_hub.files.hashes import hash_file

# The names that train.py and language_models/load.py write, whose import would load torch. A test holds them equal.
ADAPTER = "adapter"
WEIGHTS, BASE_RECORD = "adapter_model.safetensors", "base_model.json"
COMMAND = "python training/sft.py"

RECIPE_KEYS = (
    "base",
    "dataset",
    "config_name",
    "dataset_revision",
    "quantization",
    "num_validation",
    "early_stopping_patience",
    "learning_rate",
    "num_train_epochs",
    "max_length",
    "lora_r",
    "lora_alpha",
    "lora_target_modules",
    "seed",
)
TRAINING_KEYS = ("trainable_weights", "training_rows", "training_tokens_per_epoch", "best_validation_auc", "best_step")


@dataclass(frozen=True)
class Run:
    folder: Path
    recipe: dict
    recipe_text: str  # recipe.yaml, verbatim
    training: dict  # training.json
    base: dict  # name and revision of what the adapter was trained on
    sha256: str  # of adapter_model.safetensors
    weights: int  # counted in that file
    curve: Path | None

    @property
    def adapter(self) -> Path:
        return self.folder / ADAPTER


def read_run(folder: Path) -> Run:
    """ValueError when a file is missing or damaged, or when the parts do not belong together."""
    if not folder.is_dir():
        raise ValueError(f"There is no run folder {folder}. It is what {COMMAND} writes into its --output_dir.")
    recipe_text = text_of(folder / RECIPE, COMMAND)
    recipe = mapping(folder / RECIPE, RECIPE_KEYS, COMMAND)
    if recipe.get("full_finetuning"):
        raise ValueError(
            f"{folder} is a run of full fine-tuning, which has no adapter. Cards are rendered for adapters."
        )
    weights = folder / ADAPTER / WEIGHTS
    if not weights.is_file():
        raise ValueError(
            f"{folder} has no {ADAPTER}/{WEIGHTS}: the run did not finish. Run python training/sft.py again with its recipe; it "
            "goes on from the last checkpoint."
        )
    training = mapping(folder / RECORD, TRAINING_KEYS, COMMAND)
    counted = count_weights(weights)
    if counted != training["trainable_weights"]:
        raise ValueError(
            f"{weights} has {counted:,} weights, but {folder / RECORD} tells of {training['trainable_weights']:,} trained ones: the "
            "two are not of the same run. Train again."
        )
    return Run(
        folder=folder,
        recipe=recipe,
        recipe_text=recipe_text,
        training=training,
        base=mapping(folder / ADAPTER / BASE_RECORD, ("name", "revision"), COMMAND),
        sha256=hash_file(weights),
        weights=counted,
        curve=curve_of(folder),
    )
