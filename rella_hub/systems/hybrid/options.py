"""The options of training a hybrid system, and what its run folders are known by."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from rella_hub.cli import refuse_without
from rella_hub.cli.options import option
from rella_hub.language_models.chat_template import template_arguments
from rella_hub.systems.adapter.options import ScoreOptions
from rella_hub.systems.adapter.values import check_value
from rella_hub.tables import runs

__all__ = ["MARK", "MODES", "READS", "RESULT", "RUN", "TEXT_ONLY", "Options", "ScoreOptions", "holds"]
RESULT, RUN, MARK = "llara", "hybrid run", "llara.json"
READS = ("base", "base_revision", "recommender", "recommender_revision", "dataset", "dataset_revision")
MODES = ("paper", "released_before", "released_after", "direct", "two_stage", "text_only")
TEXT_ONLY = "text_only"
ITEMS = "items.safetensors"  # of the item vectors, in the result
METRICS = ("hit_ratio", "ndcg")


def holds(folder: Path) -> bool:
    return runs.is_of(folder, RUN, RESULT, MARK)


@dataclass(frozen=True, kw_only=True)
class Options:
    """Source of the defaults: LLaRA's released code, for MovieLens-100K, where no other is named."""

    dataset: str = option("Data set: Hub id or folder, such as rella/ml100k.", pins=False)
    output_dir: str = option("The run folder: llara/, recipe.yaml, training.json, training.png.", pins=False)
    config_name: str = option("Next-item prompts with candidates to train and validate on.", "next_item_k10")
    base: str = option(
        "Base model: Hub id or folder (LLaRA: Llama-2-7B, not chat).", "meta-llama/Llama-2-7b-hf", pins=False
    )
    base_revision: str | None = option("Branch, tag or commit of the base model.", None, pins=False)
    recommender: str | None = option(
        "Sequential recommender whose item vectors stand behind the titles, trained on the same data set: run folder or Hub id. It is "
        "not trained any more. None with --curriculum text_only.",
        None,
        pins=False,
    )
    recommender_revision: str | None = option("Branch, tag or commit of the recommender.", None, pins=False)
    curriculum: str = option(
        "Which optimizer steps read item vectors: paper (a share that grows to 1), released_before and released_after (as the released "
        "code before and after its correction of July 2024), direct (all), two_stage (the second half), text_only (none).",
        "paper",
    )
    num_shots: int | None = option("N: train on the first N samples. Default: all.", None)
    num_validation: int | None = option(
        "Validation samples scored after each epoch, a seeded choice. Default: all.", None
    )
    dataset_revision: str | None = option("Branch, tag or commit of the data set.", None, pins=False)
    dtype: str = option("float32, bfloat16, float16, or auto: bfloat16 on a GPU, else float32.", "auto")
    quantization: str = option("none, 8bit or 4bit base weights (bitsandbytes).", "none")
    chat_template_kwargs: dict | None = option("Arguments of the base model's chat template in JSON.", None)
    max_length: int = option("Token budget of a prompt; a longer one is an error, never cut.", 2048)
    lora_r: int = option("Rank of LoRA.", 8)
    lora_alpha: int = option("Scale of LoRA.", 32)
    lora_dropout: float = option("Dropout before LoRA.", 0.1)
    lora_target_modules: list[str] = option(
        "Layers that get LoRA: ends of their names, or all-linear, which is all but the output layer.", ["all-linear"]
    )
    num_train_epochs: int = option("Epochs at most.", 5)
    per_device_train_batch_size: int = option("Prompts in a forward pass of each process.", 8)
    gradient_accumulation_steps: int = option("Forward passes in an optimizer step.", 16)
    learning_rate: float = option("Highest learning rate (8e-4; Steam 5e-4, LastFM 7e-4).", 8e-4)
    lowest_rate: float = option("Where warm-up begins and the cosine ends: this share of the highest rate.", 0.01)
    warmup_steps: float = option("Steps of warm-up; below 1, a share of all steps.", 0.05)
    weight_decay: float = option("Of the projector alone.", 1e-5)
    max_grad_norm: float = option("Gradients are clipped to this norm; 0: never.", 0.0)
    early_stopping_patience: int = option("Stop after this many epochs without a better validation metric.", 10)
    metric_for_best_model: str = option("Validation metric that chooses the epoch: hit_ratio or ndcg.", "hit_ratio")
    seed: int = option(
        "Seed of new weights, dropout, the curriculum, the order and the choice of validation samples.", 0
    )
    tokens_per_batch: int = option("Tokens whose keys and values are kept at once in validation.", 8192, pins=False)
    use_cpu: bool = option("Train on the CPU, also where there is a GPU.", False)
    activation_checkpointing: bool = option("Recompute activations to save memory, a third slower.", False)
    save_total_limit: int | None = option("Checkpoints kept, the best one among them.", 2, pins=False)
    logging_steps: float = option("The loss is logged every so many optimizer steps.", 1, pins=False)
    resume_from_checkpoint: str | None = option(
        "Go on from this checkpoint of the run instead of its last one; true: fail if there is none.", None, pins=False
    )
    overwrite: bool = option("Start again where --output_dir holds a run of another recipe.", False, pins=False)

    def __post_init__(self) -> None:
        for name, known in (("curriculum", MODES), ("metric_for_best_model", METRICS)):
            if getattr(self, name) not in known:
                raise ValueError(f"--{name} is {getattr(self, name)!r}; expected one of {', '.join(known)}.")
        for name, value in vars(self).items():
            if value is not None and name != "metric_for_best_model":
                check_value(name, value)
        for name, least, most in (("lowest_rate", 0, 1), ("num_train_epochs", 1, 10**6)):
            if not least <= getattr(self, name) <= most:
                raise ValueError(f"--{name} is {getattr(self, name)}; expected a number from {least} to {most:,}.")
        object.__setattr__(self, "chat_template_kwargs", template_arguments(self.chat_template_kwargs))
        if self.curriculum == TEXT_ONLY:
            refuse_without("a curriculum with item vectors", self, ["recommender", "recommender_revision"])
        elif self.recommender is None:
            raise ValueError(
                f"--curriculum {self.curriculum} reads item vectors, and there is no --recommender to take them from. Train one (python "
                "training/train.py --family sequential), or take --curriculum text_only."
            )
