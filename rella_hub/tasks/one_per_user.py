"""Where nobody knows the times: a user's ratings are put into a random order, and the last one is predicted from the others.

Users, not moments, are divided: nine in ten to train, the tenth to test, and a tenth of train is held back to validate.
Source: ReLLa, section 4.1.1 for one sample a user and 9:1; the released preparation for the random order and for "more than
five ratings". The paper validates on nothing, and its code on the test samples.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from rella_hub.corpora import Divergence
from rella_hub.tables.histories import with_positions

TRAIN_SHARE, VALIDATION_SHARE_OF_TRAIN = 0.9, 0.1
ORDER = "chance, seeded, within each user: the corpus has no timestamps"
SAMPLES = "The last interaction of every user with at least {minimum_history} others"
SPLIT = "users at random (seeded), 90/10 into train and test, and a tenth of train to validation"
PROMISE = "no user has samples in two of them"
DIVERGENCES = (
    Divergence(
        what="random order within a user",
        paper="not stated",
        released="the generator is seeded anew for every user, so users with equally many ratings are shuffled alike",
        ours="one seeded generator for all users",
        why="chance is to be independent from user to user",
    ),
    Divergence(
        what="validation",
        paper="none: train and test, 9:1",
        released="none: the model is selected on test",
        ours="a tenth of train, drawn with the seed, in no training row",
        why="a model can be selected without a look at test",
    ),
)


def order(interactions: pl.DataFrame, seed: int) -> pl.DataFrame:
    """Each user's interactions in a seeded random order, which does not depend on the order of the raw file."""
    by_id = interactions.sort("user_id", "item_id")
    place = np.random.default_rng([seed, 0]).permutation(len(by_id))
    return by_id.with_columns(place=pl.Series(place)).sort("user_id", "place").drop("place")


def samples(interactions: pl.DataFrame, minimum_history: int) -> pl.DataFrame:
    """The last interaction of every user who has at least `minimum_history` others, by user."""
    last = interactions["user_id"] != interactions["user_id"].shift(-1)
    return (
        with_positions(interactions)
        .filter(last.fill_null(True), pl.col("position") >= minimum_history)
        .select("sample_id", "user_id", "position", "item_id", "label")
    )


def split(samples: pl.DataFrame, seed: int) -> dict[str, pl.DataFrame]:
    """Cut samples at random; each split stands in the order it was drawn in."""
    n = len(samples)
    drawn = samples[np.random.default_rng([seed, 1]).permutation(n)]
    learnt = int(TRAIN_SHARE * n)
    train = learnt - int(VALIDATION_SHARE_OF_TRAIN * learnt)
    return {"train": drawn[:train], "validation": drawn[train:learnt], "test": drawn[learnt:]}
