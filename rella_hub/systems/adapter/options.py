"""What a tuning run trains on what, and how its adapter is scored; how it trains is in rella_hub/systems/adapter/config.py."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from rella_hub.cli import refuse_without
from rella_hub.cli.options import option
from rella_hub.language_models.chat_template import template_arguments
from rella_hub.systems.adapter.config import TuningConfig
from rella_hub.systems.adapter.not_taken import NOT_TAKEN as REFUSED
from rella_hub.systems.adapter.values import check_values
from rella_hub.tables import runs

__all__ = ["MARK", "READS", "REFUSED", "RESULT", "RUN", "BaseOptions", "Options", "ScoreOptions", "TunedBase", "holds"]
RESULT, RUN, MARK = "adapter", "tuning run", "adapter_config.json"
ANSWERS = ("substring", "exact", "likelihood", "likelihood_per_token")  # rella_hub/systems/answering.py
READS = (
    *("base", "base_revision", "dataset", "dataset_revision"),
    *("instructions", "instructions_revision"),
)  # in a recipe by name, in a record by their hashes


def holds(folder: Path) -> bool:
    return runs.is_of(folder, RUN, RESULT, MARK)


@dataclass(frozen=True)
class BaseOptions:
    """A base model, and how it reads and computes: what all systems on it share."""

    base: str | None = option("Base model of a language-model system: Hub id or folder.", None, pins=False)
    max_length: int = option("Token budget of a prompt; a longer one is an error, never cut.", 2048)
    dtype: str = option("float32, bfloat16, float16, or auto: bfloat16 on a GPU, else float32.", "auto")
    quantization: str = option("none, 8bit or 4bit base weights (bitsandbytes).", "none")
    chat_template_kwargs: dict | None = option(
        "Arguments of the base model's chat template in JSON, such as '{\"enable_thinking\": false}'; "
        "chat_template in it is a template to use instead, strftime_now the date that a template writes as today's.",
        None,
    )
    score_rule: str = option(
        "How two words make a score: softmax (of their logits; ReLLa), or difference: sigmoid(p_yes - p_no) of their probabilities among "
        "all words (TALLRec's released code), which lies from .27 to .73 and orders samples otherwise.",
        "softmax",
    )
    tokens_per_batch: int = option(
        "Padded tokens scored at once; where a GPU has no memory for them, it is halved.", 8192, pins=False
    )
    base_revision: str | None = option("Branch, tag or commit of the base model.", None, pins=False)
    any_base: bool = option(
        "Take an adapter on a base that is not the one it names, where you know that they are the same. If they are not, its "
        "scores mean nothing, and look like those of a poor adapter.",
        False,
        pins=False,
    )

    def __post_init__(self) -> None:
        object.__setattr__(self, "chat_template_kwargs", template_arguments(self.chat_template_kwargs))


@dataclass(frozen=True)
class ScoreOptions(BaseOptions):
    adapter: str | None = option("Adapter: Hub id or folder. Default: none, which is zero-shot.", None, pins=False)
    adapter_revision: str | None = option("Branch, tag or commit of the adapter.", None, pins=False)
    answer: str = option(
        "How a next-item question is answered: substring (a title is written, and names the one candidate that is part of it), exact (that "
        "is called so), likelihood (of each candidate's title), likelihood_per_token. It has no effect on P(Yes).",
        "substring",
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.answer not in ANSWERS:
            raise ValueError(f"--answer is {self.answer!r}; expected one of {', '.join(ANSWERS)}.")


@dataclass(frozen=True, kw_only=True)
class TunedBase:
    """What is tuned on what, of every family that tunes a base with LoRA."""

    base: str = option("Base model: Hub id or folder.", pins=False)
    dataset: str = option("Data set: Hub id or folder, such as rella/ml1m.", pins=False)
    config_name: str = option(
        "Prompts to train on: reit_k30 (mixed), recency_k30, subr_k30. Validation is its split of that name."
    )
    num_shots: int | None = option("N: train on the first N samples, which are 2N rows of `mixed`. Default: all.", None)
    num_validation: int = option(
        "Validation samples scored after each epoch, a seeded choice. The best epoch is kept.", 2000
    )
    base_revision: str | None = option("Branch, tag or commit of the base model.", None, pins=False)
    dataset_revision: str | None = option("Branch, tag or commit of the data set.", None, pins=False)
    dtype: str = option("float32, bfloat16, float16, or auto: bfloat16 on a GPU, else float32.", "auto")
    quantization: str = option("none, 8bit or 4bit base weights (bitsandbytes, on a GPU or a CPU).", "none")
    chat_template_kwargs: dict | None = option(
        "Arguments of the base model's chat template in JSON, such as '{\"enable_thinking\": false}'; "
        "chat_template in it is a template to use instead, strftime_now the date that a template writes as today's.",
        None,
    )
    lora_r: int = option("Rank of LoRA (paper: 8).", 8)
    lora_alpha: int = option("Scale of LoRA (paper: 16).", 16)
    lora_dropout: float = option("Dropout before LoRA (paper: 0.05).", 0.05)
    lora_target_modules: list[str] = option(
        "Layers that get LoRA (paper: q_proj v_proj): ends of their names, or all-linear, which is all but the output layer.",
        ["q_proj", "v_proj"],
    )
    early_stopping_patience: int = option("Stop after this many epochs without a better validation AUC.", 2)
    overwrite: bool = option(
        "Start again where --output_dir holds a run of another recipe, instead of refusing.", False, pins=False
    )

    def __post_init__(self) -> None:
        check_values(self)
        object.__setattr__(self, "chat_template_kwargs", template_arguments(self.chat_template_kwargs))


@dataclass(frozen=True, kw_only=True)
class TuningArguments(TunedBase):
    loss_on_prompt: bool = option(
        "Train on the tokens of the prompt, too (TALLRec's released code), not on those of the answer alone.", False
    )
    instructions: str | None = option(
        "A first stage before the prompts, as TALLRec's: instruction data, a JSON, JSON Lines or Parquet file or a data set of the Hub, "
        "with instruction, input and output. The same LoRA goes on. Default: none, so the stage is skipped.",
        None,
        pins=False,
    )
    instructions_revision: str | None = option("Branch, tag or commit of the instructions.", None, pins=False)
    instruction_epochs: float = option("Epochs of that first stage.", 3.0)
    full_finetuning: bool = option("Train all weights instead of a LoRA adapter.", False)
    dry_run: bool = option(
        "Train nothing: take a few steps, and say how many rows and tokens there are, and what memory and time they take.",
        False,
        pins=False,
    )

    def __post_init__(self) -> None:
        TunedBase.__post_init__(self)
        if self.instructions is None:
            refuse_without("--instructions", self, ["instructions_revision", "instruction_epochs"])
        if self.full_finetuning:
            lora = ("lora_r", "lora_alpha", "lora_dropout", "lora_target_modules")
            refuse_without("a LoRA adapter (--full_finetuning false)", self, lora)
        if self.full_finetuning and self.quantization != "none":
            raise ValueError(
                f"--full_finetuning true cannot train a quantized base: --quantization is {self.quantization}. Leave one of the two out."
            )
        if self.full_finetuning and self.dtype == "float16":
            raise ValueError("--full_finetuning true cannot train float16 weights. Take --dtype float32 or bfloat16.")


@dataclass(frozen=True, kw_only=True)
class Options(TuningConfig, TuningArguments):
    """All options of a tuning run: first what is trained on what, then how."""

    def __post_init__(self) -> None:
        TuningConfig.__post_init__(self)
        TuningArguments.__post_init__(self)
