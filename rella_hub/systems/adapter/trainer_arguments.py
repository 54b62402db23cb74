"""From the options of tuning to TRL's SFTConfig on this machine: what the machine, its packages or the schedule cannot do is said first."""

from __future__ import annotations

import json
import os
from dataclasses import fields
from importlib.util import find_spec
from pathlib import Path

import torch
from transformers import get_scheduler
from trl import SFTConfig

from rella_hub.cli import refuse_without, terminal
from rella_hub.cli.extras import how_to_install
from rella_hub.systems.adapter.config import NOT_OF_TRL, TuningConfig
from rella_hub.systems.adapter.values import OF_BITSANDBYTES

ON_A_GPU = ("fp16", "tf32", "activation_offloading", "torch_empty_cache_steps")
INSTALLED_BY = {"bitsandbytes": how_to_install("quant"), "comet_ml": "pip install comet-ml"}


def check_here(config: TuningConfig) -> None:
    """ValueError for what this machine lacks for `config`."""
    on_gpu = torch.cuda.is_available() and not config.use_cpu
    for name in ON_A_GPU:
        if getattr(config, name) and not on_gpu:
            raise ValueError(f"--{name} {getattr(config, name)} needs a GPU; this run is on the CPU. Leave it out.")
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        of_ddp = [one.name for one in fields(TuningConfig) if one.name.startswith("ddp_")]
        refuse_without("several processes (accelerate launch --num_processes N)", config, of_ddp)
    for option, packages in {
        f"--optim {config.optim}": ["bitsandbytes"] if config.optim in OF_BITSANDBYTES else [],
        f"--report_to {' '.join(config.report_to)}": [name for name in config.report_to if name != "none"],
        f"--deepspeed {config.deepspeed}": ["deepspeed"] if config.deepspeed else [],
    }.items():
        for package in packages:
            require_package(option, package)
    if config.deepspeed:
        _check_deepspeed(Path(config.deepspeed))
        if not on_gpu and "WORLD_SIZE" not in os.environ:
            raise ValueError(f"--deepspeed {config.deepspeed} on a CPU needs to be started by accelerate launch.")
    _check_schedule(config)


def require_package(option: str, package: str) -> None:
    if find_spec(package) is None:
        raise ValueError(f"{option} needs {package}: {INSTALLED_BY.get(package, f'pip install {package}')}.")


def sft_config(config: TuningConfig) -> SFTConfig:
    """The rows are tokenized and within budget: TRL must neither tokenize nor cut them, nor push anything."""
    check_here(config)
    given = {one.name: getattr(config, one.name) for one in fields(TuningConfig) if one.name not in NOT_OF_TRL}
    use_cpu = config.use_cpu or not torch.cuda.is_available()
    given |= {
        "use_cpu": use_cpu,
        "bf16": not (use_cpu or config.fp16) if config.bf16 is None else config.bf16,
        "report_to": "none" if config.report_to == ["none"] else config.report_to,
        "logging_steps": 1 if config.logging_steps is None else config.logging_steps,
        "restore_callback_states_from_checkpoint": True,  # go on counting the epochs without a better validation
        "max_length": None,
        "dataset_kwargs": {"skip_prepare_dataset": True},
        "remove_unused_columns": False,
        "save_total_limit": None,  # checkpoints are removed by their records (rella_hub/systems/adapter/checkpoints.py)
        "disable_tqdm": config.disable_tqdm or not terminal.is_watched(),  # else a bar beside each line of the log
    }
    save_steps = config.save_steps if config.save_steps is not None else config.eval_steps
    given["save_steps"] = save_steps if config.save_strategy == "steps" else SFTConfig.save_steps
    arguments = SFTConfig(**given)
    arguments._n_gpu = (
        1  # one process, one GPU: Trainer would split a batch over all it sees, positions of the answers included
    )
    return arguments


def _check_deepspeed(path: Path) -> None:
    try:
        stage = json.loads(path.read_text(encoding="utf-8")).get("zero_optimization", {}).get("stage", 0)
    except (OSError, ValueError, AttributeError) as error:
        raise ValueError(f"--deepspeed {path} cannot be read as a configuration of DeepSpeed: {error}") from error
    if stage not in (0, 1, 2):
        raise ValueError(
            f"--deepspeed {path} has ZeRO of stage {stage}; stage 1 and 2 are taken: validation scores on a whole copy of the model in "
            "each process, which stage 3 splits."
        )


def _check_schedule(config: TuningConfig) -> None:
    """The schedule made once, of a weight of its own: one that lacks a setting, or has none of that name, fails now."""
    settings = config.lr_scheduler_kwargs
    if settings and config.lr_scheduler_type == "constant_with_warmup":
        raise ValueError(
            "--lr_scheduler_kwargs has no effect with --lr_scheduler_type constant_with_warmup. Leave it out."
        )
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=config.learning_rate)
    try:
        get_scheduler(config.lr_scheduler_type, optimizer, 1, 10, scheduler_specific_kwargs=settings)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"--lr_scheduler_type {config.lr_scheduler_type} does not go with --lr_scheduler_kwargs {json.dumps(settings or {})}: {error}"
        ) from error
