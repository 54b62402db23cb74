"""Instruction tuning on answers: TRL's SFTTrainer, computing only what an answer's loss needs.

The loss, the optimizer steps and their samples are SFTTrainer's; what is left out is work that does not change them:

* logits are computed at the positions that predict an answer, not over the whole prompt;
* inside one optimizer step, prompts of like length share a micro-batch, so less padding is computed. The samples of the step,
  and therefore its gradient, stay the same;
* padding stands at the right, where a causal mask hides it, so no attention mask is built;
* validation is P(Yes) by the scorer of the test, not a loss.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch
from accelerate.utils import gather_object
from datasets import Dataset
from torch.nn.functional import cross_entropy
from torch.utils.data import Sampler
from trl import SFTTrainer

from rella_hub.language_models.answer_rows import IGNORED, lengths_of, prompts_of
from rella_hub.tables.constant import is_constant


class AnswerLossTrainer(SFTTrainer):
    """SFTTrainer over rows of tokens and labels, whose loss is on the answers alone."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, data_collator=collate, **kwargs)

    def compute_loss(self, model, inputs, return_outputs=False, num_items_in_batch=None):
        labels = inputs["labels"]  # (B, T)
        # Position t predicts token t + 1; the union over the batch is small because its prompts are of like length.
        predicting = (labels[:, 1:] != IGNORED).any(dim=0).nonzero().squeeze(1)  # (U,)
        logits = model(input_ids=inputs["input_ids"], logits_to_keep=predicting, use_cache=False).logits  # (B, U, V)
        targets = labels[:, predicting + 1]
        bears_loss = targets != IGNORED
        total = cross_entropy(logits[bears_loss].float(), targets[bears_loss], reduction="sum")
        if num_items_in_batch is None:
            return total / bears_loss.sum()
        # The gradients of all processes are averaged afterwards.
        counted = self.accelerator.num_processes if self.args.average_tokens_across_devices else 1
        return total / num_items_in_batch * counted

    def create_model_card(self, *args, **kwargs) -> None:
        """Nothing: TRL's generic card would stand beside the one that model_cards/render.py makes of the results."""


class AnswerTrainer(AnswerLossTrainer):
    """The same over the rows of rella_hub/language_models/answer_rows.py, validated by P(Yes).

    score: model, prompts → (N,) P(Yes); measure: labels, scores → named metrics; yes: the token id that makes a label 1.
    """

    def __init__(self, *args, yes: int, score: Callable | None, measure: Callable | None, **kwargs):
        super().__init__(*args, **kwargs)
        self._yes, self._score, self._measure = yes, score, measure
        assert isinstance(self.train_dataset, Dataset)
        self._lengths = lengths_of(self.train_dataset)

    def evaluate(self, eval_dataset=None, ignore_keys=None, metric_key_prefix="eval") -> dict[str, float]:
        """Score the validation prompts, each process its share, and report the same metrics as the test's."""
        rows = self.eval_dataset if eval_dataset is None else eval_dataset
        assert isinstance(rows, Dataset)
        prompts, labels = prompts_of(rows, self._yes)
        mine = np.arange(self.args.process_index, len(prompts), self.args.world_size)
        own = self._scores_of(prompts, mine)
        scores = np.empty(len(prompts))
        for share, values in gather_object([(mine, own)]):
            scores[share] = values
        if is_constant(scores) and len(set(map(tuple, prompts))) > 1:
            raise ValueError(
                f"All {len(scores):,} validation prompts get the same score ({scores[0]:.6f}), so no epoch is better than another: the "
                "learning rate is too high, the number format too coarse (--dtype float32, --bf16 false), or the base model is broken."
            )
        metrics = {f"{metric_key_prefix}_{name}": value for name, value in self._measure(labels, scores).items()}
        self.log(metrics)
        self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, metrics)
        return metrics

    def _scores_of(self, prompts: Sequence, mine: np.ndarray) -> np.ndarray:
        """(n,) P(Yes) of the validation prompts with the numbers `mine`."""
        return self._score(self.accelerator.unwrap_model(self.model), [prompts[i] for i in mine])

    def _get_train_sampler(self, train_dataset=None) -> Sampler:
        samples_per_step = (
            self.args.per_device_train_batch_size * self.args.gradient_accumulation_steps * self.args.world_size
        )
        seed = self.args.seed if self.args.data_seed is None else self.args.data_seed
        return LikeLengthSampler(self._lengths, samples_per_step, seed)


class LikeLengthSampler(Sampler[int]):
    """Every epoch a new seeded order, in which the samples of one optimizer step stand sorted by length."""

    def __init__(self, lengths: np.ndarray, samples_per_step: int, seed: int):
        self._lengths, self._samples_per_step, self._seed = lengths, samples_per_step, seed
        self._epoch = 0

    def set_epoch(self, epoch: int) -> None:
        self._epoch = epoch

    def __len__(self) -> int:
        return len(self._lengths)

    def __iter__(self) -> Iterator[int]:
        order = np.random.default_rng([self._seed, self._epoch]).permutation(len(self._lengths))
        for begin in range(0, len(order), self._samples_per_step):
            step = order[begin : begin + self._samples_per_step]
            yield from step[np.argsort(-self._lengths[step], kind="stable")].tolist()


def collate(rows: list[dict]) -> dict[str, torch.Tensor]:
    """Pad `input_ids` and `labels` at the right to (B, T); a further column, one number a row, becomes (B,)."""
    width = max(len(row["input_ids"]) for row in rows)
    input_ids = torch.zeros(len(rows), width, dtype=torch.long)
    labels = torch.full((len(rows), width), IGNORED)
    for i, row in enumerate(rows):
        input_ids[i, : len(row["input_ids"])] = torch.as_tensor(row["input_ids"])
        labels[i, : len(row["labels"])] = torch.as_tensor(row["labels"])
    further = rows[0].keys() - {"input_ids", "labels"}
    return {
        "input_ids": input_ids,
        "labels": labels,
        **{name: torch.as_tensor([row[name] for row in rows]) for name in further},
    }
