"""The paired percentile bootstrap: how far AUC, LogLoss and ACC would move had other samples been drawn.

A resample draws n of the n samples with replacement; the 2.5th and 97.5th percentile of a metric over the resamples bound
its 95 % interval. All systems see the same resamples, so the difference of two systems is taken within each resample and
its interval is far narrower than the two intervals suggest. Source: B. Efron and R. J. Tibshirani, "An Introduction to the
Bootstrap", 1993, chapter 13.

Samples are drawn one by one. Those of the same user are not independent, so what is called 95 % here is somewhat optimistic
about users who were never seen.

The AUC of a resample needs no sorting: each sample belongs to a cell (rank of its score, label) that is the same in every
resample, equal scores share a rank, and the counts of the cells give the AUC exactly in integers. Resamples are drawn in
blocks, so memory is O(n) for each system, whatever their number.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from threadpoolctl import threadpool_limits

from rella_hub.metrics.accuracy import THRESHOLD
from rella_hub.metrics.log_loss import EPSILON

RESAMPLES = 1000
MINIMUM_RESAMPLES = 40  # with fewer, the 2.5th percentile says no more than the smallest value seen
PERCENTILES = (2.5, 97.5)
DRAWS_PER_BLOCK = 2**20


@dataclass(frozen=True)
class Resampled:
    """Every metric of S systems in R resamples.

    A resample that holds one label only has no AUC: it is NaN there, and `interval` leaves it out. LogLoss and ACC are
    defined and count.
    """

    auc: np.ndarray  # (S, R)
    log_loss: np.ndarray  # (S, R)
    accuracy: np.ndarray  # (S, R)

    @property
    def one_class(self) -> int:
        """The number of resamples that hold one label only, the same ones for every system."""
        return int(np.isnan(self.auc[0]).sum())


@dataclass(frozen=True)
class Interval:
    value: float  # on all the samples
    low: float
    high: float


def resample(label: np.ndarray, scores: np.ndarray, resamples: int = RESAMPLES, seed: int = 0) -> Resampled:
    """The metrics of systems with scores (S, n) against labels (n,); equal n and seed draw equal resamples.

    Labels are 0 or 1 and scores lie in [0, 1], as in every scores table.
    """
    if resamples < MINIMUM_RESAMPLES:
        raise ValueError(f"{resamples} resamples bound no 95 % interval. Ask for at least {MINIMUM_RESAMPLES}.")
    if seed < 0:
        raise ValueError(f"The seed is {seed}. Expected 0 or more.")
    systems, n = scores.shape
    cells = [_cells(label, score) for score in scores]
    per_sample = np.concatenate([_log_losses(label, scores), (scores > THRESHOLD) == label])  # (2S, n)
    auc, means = np.empty((systems, resamples)), np.empty((2 * systems, resamples))
    rng = np.random.default_rng(seed)
    block = max(1, DRAWS_PER_BLOCK // n)
    with threadpool_limits(1):  # a product this thin waits for memory; threads would only wait for each other
        for first in range(0, resamples, block):
            columns = range(first, min(first + block, resamples))  # b of them
            drawn = [rng.integers(n, size=n, dtype=np.int32) for _ in columns]  # (b, n)
            times = np.array([np.bincount(row, minlength=n) for row in drawn], dtype=np.float64)  # (b, n)
            means[:, columns] = per_sample @ times.T / n
            for s, (cell, count) in enumerate(cells):
                auc[s, columns] = [_auc(np.bincount(cell[row], minlength=count)) for row in drawn]
    return Resampled(auc=auc, log_loss=means[:systems], accuracy=means[systems:])


def interval(value: float, resampled: np.ndarray) -> Interval:
    """The 95 % interval of a metric from its values (R,) in the resamples, NaN left out."""
    if np.isnan(resampled).all():
        raise ValueError(
            f"Each of {len(resampled)} resamples holds one label only, so AUC has no interval: one label is too rare. "
            "Score more samples."
        )
    low, high = np.nanpercentile(resampled, PERCENTILES)
    return Interval(float(value), float(low), float(high))


def _cells(label: np.ndarray, score: np.ndarray) -> tuple[np.ndarray, int]:
    """(n,) cell ``2 rank + label`` of each sample, where equal scores have equal rank, and the number of cells."""
    ranks, rank = np.unique(score, return_inverse=True)
    return 2 * rank + label, 2 * len(ranks)


def _auc(counts: np.ndarray) -> float:
    """AUC from the counts (2G,) of the cells: pairs in the right order, plus half the tied ones, over all pairs."""
    no, yes = counts[0::2], counts[1::2]  # (G,) each
    up_to = np.cumsum(no)
    pairs = int(up_to[-1]) * int(yes.sum())
    if not pairs:
        return np.nan
    return int(yes @ (2 * up_to - no)) / (2 * pairs)  # 2 (below + tied / 2), an integer


def _log_losses(label: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """(S, n) -log(probability of the true label), clipped like the metric."""
    clipped = np.clip(scores, EPSILON, 1 - EPSILON)
    return -np.log(np.where(label == 1, clipped, 1 - clipped))
