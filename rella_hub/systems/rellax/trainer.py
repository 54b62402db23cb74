"""Tuning where gates are told of the samples of each batch, and where checkpoints hold what is added to LoRA."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from datasets import Dataset
from safetensors.torch import load_file, save_file
from torch import nn

from rella_hub.language_models.p_yes import Budget, p_yes_of_systems
from rella_hub.language_models.tokens import Answers
from rella_hub.systems.adapter.checkpoints import CheckpointingTrainer
from rella_hub.systems.rellax.model import Assembled

ADDED = "added.safetensors"  # of a checkpoint, beside PEFT's file
ROW = "row"  # the column of a training or validation row that says which sample it is of


class RellaxTrainer(CheckpointingTrainer):
    """CheckpointingTrainer of an assembled model.

    see: is told the values of the column `row` of the rows that are read next; None without gates.
    """

    def __init__(self, assembled: Assembled, see: Callable | None, answers: Answers, **kwargs):
        self._assembled, self._see, self._answers = assembled, see, answers
        self._learns = {name for name, weight in assembled.model.named_parameters() if weight.requires_grad}
        super().__init__(model=assembled.model, yes=answers.yes, score=None, **kwargs)
        assembled.added.float()  # on a quantized base TRL makes whatever learns bfloat16, and these compute in float32

    def compute_loss(self, model, inputs, return_outputs=False, num_items_in_batch=None):
        if self._see is not None:
            self._see(inputs[ROW].cpu())
        return super().compute_loss(model, inputs, return_outputs, num_items_in_batch)

    def _scores_of(self, prompts: Sequence, mine: np.ndarray) -> np.ndarray:
        see = None
        if self._see is not None:
            assert isinstance(self.eval_dataset, Dataset)
            rows = np.asarray(self.eval_dataset[ROW])[mine]
            see = lambda part: self._see(rows[part])  # noqa: E731
        model, own = self.accelerator.unwrap_model(self.model), [prompts[i] for i in mine]
        return p_yes_of_systems(model, [lambda: None], own, self._answers, Budget(), see=see)[0]

    def _save(self, output_dir: str | None = None, state_dict: dict | None = None) -> None:
        super()._save(output_dir, state_dict)
        if self.args.should_save:
            save_added(self._assembled.added, Path(output_dir or str(self.args.output_dir)) / ADDED)

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: nn.Module | None = None) -> None:
        super()._load_from_checkpoint(resume_from_checkpoint, model)
        self._load_added(resume_from_checkpoint)

    def _load_best_model(self) -> None:
        super()._load_best_model()
        self._load_added(str(self.state.best_model_checkpoint))

    def _load_added(self, checkpoint: str) -> None:
        """PEFT may let an adapter learn that it loads; what was frozen stays so."""
        self._assembled.load(load_file(Path(checkpoint) / ADDED))
        for name, weight in self._assembled.model.named_parameters():
            weight.requires_grad_(name in self._learns)


def save_added(added: nn.Module, path: Path) -> None:
    save_file({name: weight.detach().cpu().contiguous() for name, weight in added.state_dict().items()}, path)
