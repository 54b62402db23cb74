"""Which values the options of tuning take, alone and together: what is wrong is said in a line, before anything is loaded."""

from __future__ import annotations

import math
from typing import Any

from rella_hub.cli import refuse_without

AT_LEAST = {
    "per_device_train_batch_size": 1,
    "gradient_accumulation_steps": 1,
    "max_length": 1,
    "save_total_limit": 1,
    "torch_empty_cache_steps": 1,
    "dataloader_prefetch_factor": 1,
    "ddp_bucket_cap_mb": 1,
    "ddp_timeout": 1,
    "warmup_steps": 0,
    "weight_decay": 0,
    "max_grad_norm": 0,
    "seed": 0,
    "data_seed": 0,
    "eval_delay": 0,
    "dataloader_num_workers": 0,
    "num_shots": 1,
    "num_validation": 1,
    "early_stopping_patience": 1,
    "lora_r": 1,
    "lora_dropout": 0,
    "adam_beta1": 0,
    "adam_beta2": 0,
}
ABOVE = {
    "learning_rate": 0,
    "num_train_epochs": 0,
    "instruction_epochs": 0,
    "adam_epsilon": 0,
    "neftune_noise_alpha": 0,
    "logging_steps": 0,
    "eval_steps": 0,
    "save_steps": 0,
    "lora_alpha": 0,
}
BELOW = {"adam_beta1": 1, "adam_beta2": 1, "lora_dropout": 1, "seed": 2**32, "data_seed": 2**32}
ADAM = ("adamw_torch", "adamw_torch_fused", "adamw_bnb_8bit", "adamw_8bit", "paged_adamw_8bit", "paged_adamw_32bit")
LION = ("lion_8bit", "lion_32bit", "paged_lion_8bit", "paged_lion_32bit")
OF_BITSANDBYTES = (*ADAM[2:], *LION)
SCHEDULES = (
    *("linear", "cosine", "cosine_with_restarts", "polynomial", "constant", "constant_with_warmup", "inverse_sqrt"),
    *("cosine_with_min_lr", "cosine_warmup_with_min_lr", "warmup_stable_decay"),
)
# Those of transformers that are found by the name of their package.
TRACKERS = ("tensorboard", "wandb", "mlflow", "comet_ml", "trackio", "swanlab")
LOG_LEVELS = ("detail", "debug", "info", "warning", "error", "critical", "passive")
CHOICES = {
    "optim": (*ADAM, *LION, "adafactor", "sgd"),
    "lr_scheduler_type": SCHEDULES,
    "eval_strategy": ("epoch", "steps"),
    "save_strategy": ("epoch", "steps", "best"),
    "logging_strategy": ("steps", "epoch", "no"),
    "metric_for_best_model": ("auc", "log_loss", "accuracy"),
    "log_level": LOG_LEVELS,
    "log_level_replica": LOG_LEVELS,
    "ddp_backend": ("nccl", "gloo", "mpi", "xccl", "hccl", "cncl", "mccl"),
    "dataloader_multiprocessing_context": ("fork", "spawn", "forkserver"),
    "dtype": ("auto", "float32", "bfloat16", "float16"),
    "quantization": ("none", "8bit", "4bit"),
}
LESS_IS_BETTER = ("log_loss",)


def check_values(options: object) -> None:
    """ValueError for the first option of a dataclass of tuning whose value, alone or beside the others, makes no sense."""
    trains = hasattr(options, "optim")
    if trains:
        _check_validation(options)
    for name, value in vars(options).items():
        if value is not None:
            check_value(name, value)
    if trains:
        _check_steps(options)
        _check_needless(options)
        _check_formats(options)


def check_value(name: str, value: Any) -> None:
    least, above, below = AT_LEAST.get(name), ABOVE.get(name), BELOW.get(name)
    wanted = [
        *([f"at least {least}"] if least is not None else []),
        *([f"above {above}"] if above is not None else []),
        *([f"below {below}"] if below is not None else []),
    ]
    if wanted and not (
        math.isfinite(value)
        and (least is None or value >= least)
        and (above is None or value > above)
        and (below is None or value < below)
    ):
        raise ValueError(f"--{name} is {value}; expected a number {' and '.join(wanted)}.")
    if name in CHOICES and value not in CHOICES[name]:
        raise ValueError(f"--{name} is {value!r}; expected one of {', '.join(CHOICES[name])}.")
    if name == "max_steps" and value < 1 and value != -1:
        raise ValueError(f"--max_steps is {value}; expected at least 1, or -1 for all steps of --num_train_epochs.")
    if name == "report_to":
        _check_trackers(value)


def _check_trackers(trackers: list[str]) -> None:
    for tracker in trackers:
        if tracker not in (*TRACKERS, "none") or (tracker == "none" and len(trackers) > 1):
            raise ValueError(f"--report_to is {' '.join(trackers)}; expected none, or some of {', '.join(TRACKERS)}.")


def _check_validation(config) -> None:
    if config.eval_strategy == "no" or not config.load_best_model_at_end:
        raise ValueError(
            f"A run keeps the weights of its best validation AUC. Got --eval_strategy {config.eval_strategy} and "
            f"--load_best_model_at_end {str(config.load_best_model_at_end).lower()}; it needs epoch or steps, and true."
        )
    better = config.metric_for_best_model not in LESS_IS_BETTER
    if config.greater_is_better not in (None, better):
        raise ValueError(
            f"--greater_is_better is {str(config.greater_is_better).lower()}, but of {config.metric_for_best_model} "
            f"{'more' if better else 'less'} is better: the worst weights would be kept. Leave it out."
        )


def _check_steps(config) -> None:
    """Strategies and their steps: which of them are there, and whether each checkpoint has a validation."""
    for what in ("eval", "save", "logging"):
        strategy, steps = getattr(config, f"{what}_strategy"), getattr(config, f"{what}_steps")
        if steps is not None and strategy != "steps":
            raise ValueError(
                f"--{what}_steps {steps:g} has no effect with --{what}_strategy {strategy}. Pass --{what}_strategy steps, or leave it out."
            )
        if steps is not None and steps > 1 and steps != int(steps):
            raise ValueError(f"--{what}_steps is {steps}; expected a whole number, or a share of all steps below 1.")
    if config.eval_strategy == "steps" and config.eval_steps is None:
        raise ValueError("--eval_strategy steps needs to know how many: pass --eval_steps.")
    if config.save_strategy not in (config.eval_strategy, "best"):
        raise ValueError(
            f"--save_strategy is {config.save_strategy}, --eval_strategy is {config.eval_strategy}: every checkpoint needs its validation. "
            "Give both the same, or take --save_strategy best."
        )
    if config.save_strategy == "steps" and config.save_steps is not None and not _is_multiple(config):
        raise ValueError(
            f"--save_steps is {config.save_steps:g}, which is no multiple of --eval_steps {config.eval_steps:g}: every checkpoint needs "
            "its validation. Make it one, or leave it out."
        )


def _is_multiple(config) -> bool:
    times = config.save_steps / config.eval_steps
    return (config.save_steps < 1) == (config.eval_steps < 1) and math.isclose(times, round(times), rel_tol=1e-6)


def _check_needless(config) -> None:
    """ValueError for an option that has no effect beside the others."""
    tracked = config.report_to != ["none"]
    needs = {
        "warmup_steps": (
            config.lr_scheduler_type != "constant",
            "a schedule that warms up, such as constant_with_warmup",
        ),
        "adam_beta1": (config.optim in (*ADAM, *LION), "an optimizer of the kind of AdamW or Lion"),
        "adam_beta2": (config.optim in (*ADAM, *LION), "an optimizer of the kind of AdamW or Lion"),
        "adam_epsilon": (config.optim in ADAM, "an optimizer of the kind of AdamW"),
        "activation_checkpointing_kwargs": (config.activation_checkpointing, "--activation_checkpointing true"),
        "dataloader_persistent_workers": (config.dataloader_num_workers, "--dataloader_num_workers of at least 1"),
        "dataloader_prefetch_factor": (config.dataloader_num_workers, "--dataloader_num_workers of at least 1"),
        "dataloader_multiprocessing_context": (config.dataloader_num_workers, "--dataloader_num_workers of at least 1"),
        "run_name": (tracked and config.report_to != ["tensorboard"], "a tracker that names runs in --report_to"),
        "project": ("trackio" in config.report_to, "--report_to trackio"),
        "logging_first_step": (config.logging_strategy == "steps", "--logging_strategy steps"),
    }
    for name, (there, wanted) in needs.items():
        if not there:
            refuse_without(wanted, config, [name])


def _check_formats(config) -> None:
    if config.fp16 and config.bf16:
        raise ValueError("--fp16 and --bf16 are both true. Train in one of them.")
