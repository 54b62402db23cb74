"""What a tuning run trains on what; how it trains is in rella_hub/systems/adapter/config.py."""

from __future__ import annotations

from dataclasses import dataclass, field

from rella_hub.cli import refuse_without
from rella_hub.language_models.chat_template import template_arguments
from rella_hub.systems.adapter.values import check_values


@dataclass(frozen=True)
class TuningArguments:
    base: str = field(metadata={"help": "Base model: Hub id or folder."})
    dataset: str = field(metadata={"help": "Data set: Hub id or folder, such as rella/ml1m."})
    config_name: str = field(
        metadata={
            "help": "Prompts to train on: reit_k30 (mixed), recency_k30, subr_k30. Validation is its split of that name."
        }
    )
    num_shots: int | None = field(
        default=None, metadata={"help": "N: train on the first N samples, which are 2N rows of `mixed`. Default: all."}
    )
    num_validation: int = field(
        default=2000,
        metadata={"help": "Validation samples scored after each epoch, a seeded choice. The best epoch is kept."},
    )
    base_revision: str | None = field(default=None, metadata={"help": "Branch, tag or commit of the base model."})
    dataset_revision: str | None = field(default=None, metadata={"help": "Branch, tag or commit of the data set."})
    dtype: str = field(
        default="auto", metadata={"help": "float32, bfloat16, float16, or auto: bfloat16 on a GPU, else float32."}
    )
    quantization: str = field(
        default="none", metadata={"help": "none, 8bit or 4bit base weights (bitsandbytes, on a GPU or a CPU)."}
    )
    chat_template_kwargs: dict | None = field(
        default=None,
        metadata={
            "help": "Arguments of the base model's chat template in JSON, such as '{\"enable_thinking\": false}'; "
            "chat_template in it is a template to use instead, strftime_now the date that a template writes as today's."
        },
    )
    full_finetuning: bool = field(default=False, metadata={"help": "Train all weights instead of a LoRA adapter."})
    lora_r: int = field(default=8, metadata={"help": "Rank of LoRA (paper: 8)."})
    lora_alpha: int = field(default=16, metadata={"help": "Scale of LoRA (paper: 16)."})
    lora_dropout: float = field(default=0.05, metadata={"help": "Dropout before LoRA (paper: 0.05)."})
    lora_target_modules: list[str] = field(
        default_factory=lambda: ["q_proj", "v_proj"],
        metadata={
            "help": "Layers that get LoRA (paper: q_proj v_proj): ends of their names, or all-linear, which is all but the output layer."
        },
    )
    early_stopping_patience: int = field(
        default=2, metadata={"help": "Stop after this many epochs without a better validation AUC."}
    )
    overwrite: bool = field(
        default=False,
        metadata={"help": "Start anew where --output_dir holds a run of another recipe, instead of refusing."},
    )

    def __post_init__(self) -> None:
        check_values(self)
        object.__setattr__(self, "chat_template_kwargs", template_arguments(self.chat_template_kwargs))
        if self.full_finetuning:
            lora = ("lora_r", "lora_alpha", "lora_dropout", "lora_target_modules")
            refuse_without("a LoRA adapter (--full_finetuning false)", self, lora)
        if self.full_finetuning and self.quantization != "none":
            raise ValueError(
                f"--full_finetuning true cannot train a quantized base: --quantization is {self.quantization}. Leave one of the two out."
            )
        if self.full_finetuning and self.dtype == "float16":
            raise ValueError("--full_finetuning true cannot train float16 weights. Take --dtype float32 or bfloat16.")
