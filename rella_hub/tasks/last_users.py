"""The users who came last are asked for all their ratings: train, validation and test are cut by user, not by time.

Source: TALLRec (arXiv 2305.00447), released code for MovieLens-100K: users in the order of their first rating in the file, each user's
ratings in time order, the last 10,000 rows with ten earlier ones of the same user, cut 8,000 / 1,000 / 1,000. A user whose rows stand on
both sides of a cut is in both splits.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from rella_hub.corpora import Divergence
from rella_hub.tables.histories import with_positions

KEPT = 10_000  # rows
TRAIN_SHARE, VALIDATION_SHARE = 0.8, 0.1
ORDER = "timestamp, then the order of the raw file"
SAMPLES = (
    f"The last {KEPT:,} interactions with at least {{minimum_history}} earlier ones of the same user, users in the order of their first "
    "rating in the raw file"
)
SPLIT = "by user, in that order, 80/10/10"
PROMISE = "no two splits share more than one user, whose rows the cut divides in time order"
DIVERGENCES = (
    Divergence(
        what="users in two splits",
        paper="not stated",
        released="one straddles each cut",
        ours="the same",
        why="the published rows are kept as they are; reports resample users, so the sixteen test users are not taken for 1,000 samples",
    ),
    Divergence(
        what="the training rows",
        paper="N samples",
        released="shuffled with the seed of the run, the first N",
        ours="one seeded order; the first N rows are the N-shot set, for every N",
        why="smaller sets lie within larger ones",
    ),
)


def order(interactions: pl.DataFrame, seed: int) -> pl.DataFrame:
    """Each user's interactions in time order, equal times as in the file. `came` numbers the users by their first row."""
    came = interactions["user_id"].unique(maintain_order=True).to_frame().with_row_index("came")
    return interactions.join(came, on="user_id", how="left", maintain_order="left").sort(
        "user_id", "timestamp", maintain_order=True
    )


def samples(interactions: pl.DataFrame, minimum_history: int) -> pl.DataFrame:
    """The last `KEPT` of the interactions with at least `minimum_history` earlier ones, user by user as they came."""
    return (
        with_positions(interactions)
        .filter(pl.col("position") >= minimum_history)
        .sort("came", "position")
        .tail(KEPT)
        .select("sample_id", "user_id", "position", "item_id", "label")
    )


def split(samples: pl.DataFrame, seed: int) -> dict[str, pl.DataFrame]:
    """Cut samples that stand user by user; train alone is then put into a seeded random order."""
    n = len(samples)
    train, validation = int(TRAIN_SHARE * n), int(VALIDATION_SHARE * n)
    return {
        "train": samples[:train][np.random.default_rng(seed).permutation(train)],
        "validation": samples[train : train + validation],
        "test": samples[train + validation :],
    }
