"""TALLRec's split where nobody knows the times: one sample a user, users at random, eight in ten to train and one each to the others.

Source: TALLRec (arXiv 2305.00447), released code for BookCrossing: users with three ratings or fewer are left out; of the others the last
rating of a shuffled list is predicted, and the first ten before it are shown.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from rella_hub.corpora import Divergence
from rella_hub.tasks import one_per_user

MINIMUM_HISTORY = 3  # whatever ReLLa asks of the corpus
TRAIN_SHARE, VALIDATION_SHARE = 0.8, 0.1
ORDER = one_per_user.ORDER
SAMPLES = one_per_user.SAMPLES
SPLIT = "users at random (seeded), 80/10/10"
PROMISE = one_per_user.PROMISE
DIVERGENCES = (
    Divergence(
        what="users drawn at random",
        paper="not stated",
        released="shuffled without a seed: its rows cannot be made again but from its own files",
        ours="seeded; other users, of the same numbers, stand in each split",
        why="a split that nobody can make again cannot be checked",
    ),
    Divergence(
        what="the behaviors that are shown",
        paper="ten",
        released="the first ten of a shuffled list",
        ours="the last ten of it (a config of K = 10)",
        why="both are ten at random, and the views need no second order",
    ),
)
order = one_per_user.order


def samples(interactions: pl.DataFrame, minimum_history: int) -> pl.DataFrame:
    """The last interaction of every user who has at least `MINIMUM_HISTORY` others, by user."""
    return one_per_user.samples(interactions, MINIMUM_HISTORY)


def split(samples: pl.DataFrame, seed: int) -> dict[str, pl.DataFrame]:
    """Cut samples at random; each split stands in the order it was drawn in."""
    n = len(samples)
    drawn = samples[np.random.default_rng([seed, 1]).permutation(n)]
    train, validation = int(TRAIN_SHARE * n), int(VALIDATION_SHARE * n)
    return {
        "train": drawn[:train],
        "validation": drawn[train : train + validation],
        "test": drawn[train + validation :],
    }
