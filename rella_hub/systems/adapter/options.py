"""What a tuning run trains on what; how it trains is in rella_hub/systems/adapter/config.py."""

from __future__ import annotations

from dataclasses import dataclass

from rella_hub.cli import refuse_without
from rella_hub.cli.options import option
from rella_hub.language_models.chat_template import template_arguments
from rella_hub.systems.adapter.values import check_values


@dataclass(frozen=True)
class TuningArguments:
    base: str = option("Base model: Hub id or folder.")
    dataset: str = option("Data set: Hub id or folder, such as rella/ml1m.")
    config_name: str = option(
        "Prompts to train on: reit_k30 (mixed), recency_k30, subr_k30. Validation is its split of that name."
    )
    num_shots: int | None = option("N: train on the first N samples, which are 2N rows of `mixed`. Default: all.", None)
    num_validation: int = option(
        "Validation samples scored after each epoch, a seeded choice. The best epoch is kept.", 2000
    )
    base_revision: str | None = option("Branch, tag or commit of the base model.", None)
    dataset_revision: str | None = option("Branch, tag or commit of the data set.", None)
    dtype: str = option("float32, bfloat16, float16, or auto: bfloat16 on a GPU, else float32.", "auto")
    quantization: str = option("none, 8bit or 4bit base weights (bitsandbytes, on a GPU or a CPU).", "none")
    chat_template_kwargs: dict | None = option(
        "Arguments of the base model's chat template in JSON, such as '{\"enable_thinking\": false}'; "
        "chat_template in it is a template to use instead, strftime_now the date that a template writes as today's.",
        None,
    )
    full_finetuning: bool = option("Train all weights instead of a LoRA adapter.", False)
    lora_r: int = option("Rank of LoRA (paper: 8).", 8)
    lora_alpha: int = option("Scale of LoRA (paper: 16).", 16)
    lora_dropout: float = option("Dropout before LoRA (paper: 0.05).", 0.05)
    lora_target_modules: list[str] = option(
        "Layers that get LoRA (paper: q_proj v_proj): ends of their names, or all-linear, which is all but the output layer.",
        ["q_proj", "v_proj"],
    )
    early_stopping_patience: int = option("Stop after this many epochs without a better validation AUC.", 2)
    overwrite: bool = option("Start anew where --output_dir holds a run of another recipe, instead of refusing.", False)

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
