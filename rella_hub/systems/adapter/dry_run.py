"""What a tuning would cost: a few optimizer steps on its first rows are taken and timed, and nothing of them is kept."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

import torch
from transformers import TrainerCallback
from trl import SFTConfig

from rella_hub.language_models.answer_rows import lengths_of
from rella_hub.language_models.answers import AnswerTrainer
from rella_hub.language_models.measured import footprint, measured
from rella_hub.stages.dry_run import Estimate
from rella_hub.systems.adapter.rows import TuningRows

STEPS = 4  # the first of which warms up


def _never(*_: object) -> NoReturn:
    raise AssertionError("nothing is evaluated")


def rows_needed(arguments: SFTConfig) -> int:
    """Training rows of the timed steps."""
    return STEPS * arguments.per_device_train_batch_size * arguments.gradient_accumulation_steps


def estimate(model: torch.nn.Module, lora, arguments: SFTConfig, rows: TuningRows, of: int, scratch: Path) -> Estimate:
    """rows: some of the `of` that the tuning reads in each epoch."""
    weights, precision = footprint(model), str(model.dtype).removeprefix("torch.")
    once = {"max_steps": STEPS, "eval_strategy": "no", "save_strategy": "no", "load_best_model_at_end": False}
    timed = _Timed()
    trainer = AnswerTrainer(
        model=model,
        args=replace(arguments, **once, logging_strategy="no", output_dir=str(scratch)),
        train_dataset=rows.train,
        peft_config=lora,
        callbacks=[timed],
        yes=rows.answers.yes,
        score=_never,
        measure=_never,
    )
    with measured() as found:
        trainer.train()
    steps = len(timed.ends) - 1
    each = len(rows.train) / len(timed.ends)
    return Estimate(
        unit="row",
        rows=of,
        timed_rows=round(steps * each),
        timed_tokens=round(steps * each * lengths_of(rows.train).mean()),
        seconds=timed.ends[-1] - timed.ends[0],
        weights=weights,
        precision=precision,
        memory=found.memory,
        times=arguments.num_train_epochs,
    )


class _Timed(TrainerCallback):
    """When each optimizer step has ended."""

    def __init__(self):
        self.ends: list[float] = []

    def on_step_end(self, args, state, control, **kwargs):
        self.ends.append(time.perf_counter())
