"""The options of scoring one system: everything that its scores are made from, and where they go."""

from __future__ import annotations

from dataclasses import dataclass

from rella_hub.cli.options import option
from rella_hub.language_models.chat_template import template_arguments


@dataclass(frozen=True)
class ScoreArguments:
    dataset: str = option("Data set: Hub id or folder, such as rella/ml1m.")
    config_name: str = option("Prompts to score: subr_k30, recency_k30, ...")
    base: str | None = option("Base model of a language-model system: Hub id or folder.", None)
    adapter: str | None = option("Adapter: Hub id or folder. Default: none, which is zero-shot.", None)
    model: str | None = option(
        "Instead of --base: a traditional CTR model, the run folder of training/ctr.py or a Hub id.", None
    )
    output: str | None = option(
        "The score file (Parquet). Default: runs/<corpus>/scores/<system>_<config_name>_<split>.parquet", None
    )
    system: str | None = option(
        "Name of the row in reports. Default: zero_shot, or the adapter's run or Hub name.", None
    )
    split: str = option("train, validation or test.", "test")
    limit: int | None = option("Score a seeded choice of this many samples. Default: all.", None)
    seed: int = option("Seed of that choice, the same samples for every config and system.", 0)
    max_length: int = option("Token budget of a prompt; a longer one is an error, never cut.", 2048)
    dtype: str = option("float32, bfloat16, float16, or auto: bfloat16 on a GPU, else float32.", "auto")
    quantization: str = option("none, 8bit or 4bit base weights (bitsandbytes).", "none")
    chat_template_kwargs: dict | None = option(
        "Arguments of the base model's chat template in JSON, such as '{\"enable_thinking\": false}'; "
        "chat_template in it is a template to use instead, strftime_now the date that a template writes as today's.",
        None,
    )
    tokens_per_batch: int = option("Padded tokens scored at once; lower it if memory runs out.", 8192)
    base_revision: str | None = option("Branch, tag or commit of the base model.", None)
    adapter_revision: str | None = option("Branch, tag or commit of the adapter.", None)
    model_revision: str | None = option("Branch, tag or commit of the CTR model.", None)
    dataset_revision: str | None = option("Branch, tag or commit of the data set.", None)
    any_base: bool = option(
        "Take an adapter on a base that is not the one it names, where you know that they are the same. If they are not, its "
        "scores mean nothing, and look like those of a poor adapter.",
        False,
    )
    overwrite: bool = option("Replace a score file that was made from something else.", False)

    def __post_init__(self):
        object.__setattr__(self, "chat_template_kwargs", template_arguments(self.chat_template_kwargs))
