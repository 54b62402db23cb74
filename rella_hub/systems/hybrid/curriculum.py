"""Which optimizer steps read hybrid prompts, with items in them, and which read text alone.

    paper             share of hybrid steps tau / T: step tau = 1 ... T of a run, so the last one is hybrid
    released_after    the released code since July 2024: i / (E S) in step i = 0 ... S - 1 of each of E epochs, so it restarts at 0
    released_before   the released code before: 1 - i / (E S), the comparison turned round
    direct            every step is hybrid
    two_stage         the first half of the steps is text, the second half hybrid
    text_only         no step is hybrid, and there is no recommender: what TALLRec is for next items

Source: LLaRA, section 3.3 for paper, section 4.3 for direct and two_stage. Where the halves of two_stage meet is not printed: ours.

Divergence, what is counted. Paper: training steps. Released code: micro-batches, by a counter that each epoch's new worker processes
copy afresh, which makes the two modes above of the rule of the paper. Ours: optimizer steps, whose micro-batches are all of one kind.
Why: a step with both kinds would move the projector in every step, and a schedule should not depend on how many processes load data.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from torch.utils.data import Sampler

from rella_hub.systems.hybrid.options import MODES, TEXT_ONLY


def shares(mode: str, steps: int, epochs: int) -> np.ndarray:
    """(epochs * steps,) how likely each optimizer step is hybrid. steps: of an epoch."""
    total = epochs * steps
    number = np.arange(total)
    restarted = number % steps / total
    return {
        "paper": (number + 1) / total,
        "released_after": restarted,
        "released_before": 1 - restarted,
        "direct": np.ones(total),
        "two_stage": (2 * number >= total).astype(float),
        TEXT_ONLY: np.zeros(total),
    }[mode]


def hybrid_steps(mode: str, steps: int, epochs: int, seed: int) -> np.ndarray:
    """(epochs * steps,) whether each optimizer step is hybrid: drawn once, before training, so that a resumed run goes on alike."""
    share = shares(mode, steps, epochs)
    return np.random.default_rng([seed, MODES.index(mode)]).random(len(share)) < share


def steps_of_epoch(samples: int, samples_per_step: int) -> int:
    return -(-samples // samples_per_step)


class CurriculumSampler(Sampler[int]):
    """Every epoch a new seeded order of n samples, each of which is two rows: row i is its text, row n + i its hybrid prompt.

    lengths: (2, n) tokens of the rows. Inside of an optimizer step, rows stand sorted by length, so that less padding is computed.
    hybrid: as of `hybrid_steps`.
    """

    def __init__(self, lengths: np.ndarray, samples_per_step: int, hybrid: np.ndarray, seed: int):
        self._lengths, self._samples_per_step, self._hybrid, self._seed = lengths, samples_per_step, hybrid, seed
        self._epoch = 0

    def set_epoch(self, epoch: int) -> None:
        self._epoch = epoch

    def __len__(self) -> int:
        return self._lengths.shape[1]

    def __iter__(self) -> Iterator[int]:
        samples = len(self)
        order = np.random.default_rng([self._seed, self._epoch]).permutation(samples)
        first = self._epoch * steps_of_epoch(samples, self._samples_per_step)
        for number, begin in enumerate(range(0, samples, self._samples_per_step)):
            step = order[begin : begin + self._samples_per_step]
            kind = int(self._hybrid[first + number])
            longest_first = step[np.argsort(-self._lengths[kind, step], kind="stable")]
            yield from (longest_first + kind * samples).tolist()
