"""Every rating with enough earlier ones is predicted, and time divides all users alike: train is the past of test.

Source: ReLLa, section 4.1.1 splits by global time, 8:1 for train and test. The released code takes the first int(0.8 n) samples
to train, the next int(0.1 n) to validate and the rest to test, in one order over all users: the paper's 8:1 is this with the
validation tenth left out.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from rella_hub.corpora import Divergence
from rella_hub.tables.histories import with_positions

TRAIN_SHARE, VALIDATION_SHARE = 0.8, 0.1
ORDER = "timestamp, then user id, then item id, as numbers"
SAMPLES = "Every interaction with at least {minimum_history} earlier ones of the same user"
SPLIT = "global time, 80/10/10"
PROMISE = "no training sample is later than a test sample"
DIVERGENCES = (
    Divergence(
        what="equal timestamps",
        paper="not stated",
        released="by user and item id: as text in October 2023, as numbers since March 2024",
        ours=f"by {ORDER}",
        why="one rule, on record; the two released versions give different histories",
    ),
    Divergence(
        what="validation tenth",
        paper="train and test, 8:1",
        released="cut, never used: the model is selected on test",
        ours="published",
        why="a model can be selected without a look at test",
    ),
)


def order(interactions: pl.DataFrame, seed: int) -> pl.DataFrame:
    """Each user's interactions in time order. Equal times are ordered by item id as a number."""
    return interactions.sort("user_id", "timestamp", "item_id")


def samples(interactions: pl.DataFrame, minimum_history: int) -> pl.DataFrame:
    """One sample for each interaction with at least `minimum_history` earlier ones, in global time order."""
    return (
        with_positions(interactions)
        .filter(pl.col("position") >= minimum_history)
        .sort("timestamp", "user_id", "item_id")
        .select("sample_id", "user_id", "position", "item_id", "label")
    )


def split(samples: pl.DataFrame, seed: int) -> dict[str, pl.DataFrame]:
    """Cut samples that stand in time order: no training sample is later than a test one.

    Train alone is then put into a seeded random order, so that its first N rows are the N-shot training set, nested in every larger.
    """
    n = len(samples)
    train, validation = int(TRAIN_SHARE * n), int(VALIDATION_SHARE * n)
    return {
        "train": samples[:train][np.random.default_rng(seed).permutation(train)],
        "validation": samples[train : train + validation],
        "test": samples[train + validation :],
    }
