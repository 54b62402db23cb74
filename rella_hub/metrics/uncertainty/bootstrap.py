"""The paired percentile bootstrap: how far each metric would move had other users been drawn.

A resample draws U of the U users with replacement, each with all of its samples, because the samples of one user are alike; the
2.5th and 97.5th percentile of a metric over the resamples bound its 95 % interval. All systems see the same resamples, so the
difference of two systems is taken within each resample and its interval is far narrower than the two intervals suggest.
Sources: B. Efron and R. J. Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 13; whole clusters: C. A. Field and
A. H. Welsh, "Bootstrapping Clustered Data", Journal of the Royal Statistical Society B 69, 2007.

Nothing is sorted again in a resample: a metric is a function of how many times each sample occurs (rella_hub/metrics/__init__.py).
Memory is O(n) for each system, whatever the number of resamples.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from threadpoolctl import threadpool_limits

from rella_hub.metrics import Value

Name = TypeVar("Name")

RESAMPLES = 1000
MINIMUM_RESAMPLES = 40  # with fewer, the 2.5th percentile says no more than the smallest value seen
FEWEST_USERS = (
    10  # of fewer, resamples are too often the same: of a single one they all are, which would look like certainty
)
PERCENTILES = (2.5, 97.5)


@dataclass(frozen=True)
class Interval:
    value: float  # on all the samples
    low: float
    high: float


def resample(
    values: Mapping[Name, Value], users: np.ndarray, resamples: int = RESAMPLES, seed: int = 0
) -> dict[Name, np.ndarray]:
    """Each of `values` in the resamples (R,), NaN where a resample does not define it, as AUC where it holds one label only.

    users: (n,) the user of each sample, of any type; where each sample is a user of its own, samples are drawn one by one. Equal
    users and seed draw equal resamples.
    """
    check(resamples, seed)
    known, user = np.unique(users, return_inverse=True)
    rng = np.random.default_rng(seed)
    found = {key: np.empty(resamples) for key in values}
    with threadpool_limits(1):  # a product this thin waits for memory; threads would only wait for each other
        for r in range(resamples):
            drawn = rng.integers(len(known), size=len(known), dtype=np.int32)
            times = np.bincount(drawn, minlength=len(known))[user]  # (n,)
            for key, value in values.items():
                found[key][r] = value(times)
    return found


def check(resamples: int, seed: int) -> None:
    if resamples < MINIMUM_RESAMPLES:
        raise ValueError(f"{resamples} resamples bound no 95 % interval. Ask for at least {MINIMUM_RESAMPLES}.")
    if seed < 0:
        raise ValueError(f"The seed is {seed}. Expected 0 or more.")


def interval(value: float, resampled: np.ndarray) -> Interval:
    """The 95 % interval of a metric from its values (R,) in the resamples, NaN left out."""
    if np.isnan(resampled).all():
        raise ValueError(
            f"Each of {len(resampled)} resamples holds one label only, so AUC has no interval: one label is too rare. "
            "Score more samples."
        )
    low, high = np.nanpercentile(resampled, PERCENTILES)
    return Interval(float(value), float(low), float(high))
