"""The options of scoring one system: everything that its scores are made from, and where they go."""

from __future__ import annotations

from dataclasses import dataclass, field

from rella_hub.language_models.chat_template import template_arguments


@dataclass(frozen=True)
class ScoreArguments:
    dataset: str = field(metadata={"help": "Data set: Hub id or folder, such as rella/ml1m."})
    config_name: str = field(metadata={"help": "Prompts to score: subr_k30, recency_k30, ..."})
    base: str | None = field(
        default=None, metadata={"help": "Base model of a language-model system: Hub id or folder."}
    )
    adapter: str | None = field(
        default=None, metadata={"help": "Adapter: Hub id or folder. Default: none, which is zero-shot."}
    )
    model: str | None = field(
        default=None,
        metadata={"help": "Instead of --base: a traditional CTR model, the run folder of training/ctr.py or a Hub id."},
    )
    output: str | None = field(
        default=None,
        metadata={
            "help": "The score file (Parquet). Default: runs/<corpus>/scores/<system>_<config_name>_<split>.parquet"
        },
    )
    system: str | None = field(
        default=None,
        metadata={"help": "Name of the row in reports. Default: zero_shot, or the adapter's run or Hub name."},
    )
    split: str = field(default="test", metadata={"help": "train, validation or test."})
    limit: int | None = field(
        default=None, metadata={"help": "Score a seeded choice of this many samples. Default: all."}
    )
    seed: int = field(
        default=0, metadata={"help": "Seed of that choice, the same samples for every config and system."}
    )
    max_length: int = field(
        default=2048, metadata={"help": "Token budget of a prompt; a longer one is an error, never cut."}
    )
    dtype: str = field(
        default="auto", metadata={"help": "float32, bfloat16, float16, or auto: bfloat16 on a GPU, else float32."}
    )
    quantization: str = field(default="none", metadata={"help": "none, 8bit or 4bit base weights (bitsandbytes)."})
    chat_template_kwargs: dict | None = field(
        default=None,
        metadata={
            "help": "Arguments of the base model's chat template in JSON, such as '{\"enable_thinking\": false}'; "
            "chat_template in it is a template to use instead, strftime_now the date that a template writes as today's."
        },
    )
    tokens_per_batch: int = field(
        default=8192, metadata={"help": "Padded tokens scored at once; lower it if memory runs out."}
    )
    base_revision: str | None = field(default=None, metadata={"help": "Branch, tag or commit of the base model."})
    adapter_revision: str | None = field(default=None, metadata={"help": "Branch, tag or commit of the adapter."})
    model_revision: str | None = field(default=None, metadata={"help": "Branch, tag or commit of the CTR model."})
    dataset_revision: str | None = field(default=None, metadata={"help": "Branch, tag or commit of the data set."})
    any_base: bool = field(
        default=False,
        metadata={
            "help": "Take an adapter on a base that is not the one it names, where you know that they are the same. If they are not, its "
            "scores mean nothing, and look like those of a poor adapter."
        },
    )
    overwrite: bool = field(default=False, metadata={"help": "Replace a score file that was made from something else."})

    def __post_init__(self):
        object.__setattr__(self, "chat_template_kwargs", template_arguments(self.chat_template_kwargs))
