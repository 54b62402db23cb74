"""The options of instruction tuning: what is trained on what, and TRL's SFTConfig with the paper's defaults."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from trl import SFTConfig

from dataset_builders.text.template import template_arguments


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
    chat_template_kwargs: dict | str | None = field(
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
        default_factory=lambda: ["q_proj", "v_proj"], metadata={"help": "Layers that get LoRA (paper: q_proj v_proj)."}
    )
    early_stopping_patience: int = field(
        default=2, metadata={"help": "Stop after this many epochs without a better validation AUC."}
    )
    overwrite: bool = field(
        default=False,
        metadata={"help": "Start anew where --output_dir holds a run of another recipe, instead of refusing."},
    )

    def __post_init__(self):
        object.__setattr__(self, "chat_template_kwargs", template_arguments(self.chat_template_kwargs))


@dataclass
class TuningConfig(SFTConfig):
    """SFTConfig with ReLLa's defaults. Source: ReLLa, section 4.1.4: AdamW, no weight decay, linear decay."""

    learning_rate: float = field(default=1e-3, metadata={"help": "Peak learning rate (paper: 1e-3 or 1.5e-3)."})
    weight_decay: float = field(default=0.0, metadata={"help": "Weight decay of AdamW (paper: 0)."})
    lr_scheduler_type: str = field(default="linear", metadata={"help": "Learning-rate schedule (paper: linear decay)."})
    max_length: int | None = field(
        default=2048, metadata={"help": "Token budget of a prompt; a longer one is an error, never cut (paper: 2048)."}
    )
    activation_checkpointing: bool = field(
        default=False, metadata={"help": "Recompute activations to save memory, a third slower."}
    )
    bf16: bool | None = field(
        default=None, metadata={"help": "Train in bfloat16 autocast. Default: where there is a GPU."}
    )
    use_cpu: bool = field(default=False, metadata={"help": "Train on the CPU, also where there is a GPU."})
    eval_strategy: str = field(default="epoch", metadata={"help": "When validation AUC is taken: epoch or steps."})
    save_strategy: str = field(default="epoch", metadata={"help": "When a checkpoint is written: as eval_strategy."})
    save_total_limit: int | None = field(default=2, metadata={"help": "Checkpoints kept beside the best one."})
    load_best_model_at_end: bool = field(
        default=True, metadata={"help": "Keep the weights of the best validation AUC."}
    )
    metric_for_best_model: str = field(default="auc", metadata={"help": "Validation metric that chooses the epoch."})
    greater_is_better: bool | None = field(default=True, metadata={"help": "Whether more of that metric is better."})
    restore_callback_states_from_checkpoint: bool = field(
        default=True, metadata={"help": "Whether an interrupted run goes on counting the epochs without a better AUC."}
    )
    logging_steps: float = field(default=1, metadata={"help": "Log the loss every so many steps."})
    push_to_hub: bool = field(
        default=False, metadata={"help": "Publish the finished adapter on the Hub, as model_cards/push.py does."}
    )
    hub_model_id: str | None = field(
        default=None, metadata={"help": "Hub id of the adapter, such as rella/ml1m-rella-vicuna-13b."}
    )
    hub_private_repo: bool | None = field(default=None, metadata={"help": "Publish it in a private repository."})

    def __post_init__(self):
        _require_one_push(self)
        self.use_cpu = self.use_cpu or not torch.cuda.is_available()
        if self.bf16 is None:
            self.bf16 = not self.use_cpu
        super().__post_init__()


def _require_one_push(config: TuningConfig) -> None:
    """ValueError for the options of TRL that push while it trains, or take a token from where others can read it."""
    if config.hub_token is not None:
        raise ValueError(
            "--hub_token is not taken: a token on a command line or in a recipe is read by others. Log in with `hf auth login`, or set "
            "HF_TOKEN."
        )
    if config.push_to_hub and config.hub_model_id is None:
        raise ValueError("--push_to_hub needs to know where: pass --hub_model_id owner/name.")
    for option in ("hub_strategy", "hub_always_push", "hub_revision"):
        got = getattr(config, option)
        if got != TuningConfig.__dataclass_fields__[option].default:
            raise ValueError(
                f"--{option} is {got!r}, but nothing is pushed while a run trains: with --push_to_hub its adapter is published once, when "
                "the run has finished, on the main branch. Leave it out; --revision_tag names what was published."
            )
