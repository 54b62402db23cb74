"""Which item comes next? Each user's last item is asked for in test, the one before it in validation, all earlier ones in train.

Source: SASRec (ICDM 2018), section IV-A, whose protocol SLIM (arXiv 2403.04260) names for its candidates; how SLIM splits is not stated.
A review is an interaction. Where a corpus has ratings, one below 4 is none (ours): what a user disliked is no next item.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from rella_hub.corpora import Divergence
from rella_hub.tables.histories import with_positions
from rella_hub.tasks import NextItem

FEWEST = 3  # interactions of a user who is asked; those of others are trained on
NEXT_ITEM = NextItem(
    candidates=101,
    candidates_of=("validation", "test"),
    history_length=10,
    minimum_history=1,
    in_words=False,
    lowest_rating=4,
)
ORDER = "timestamp, then the order of the raw file"
SAMPLES = "Every interaction with at least {minimum_history} earlier ones of the same user"
SPLIT = "place in the user's history: the last to test, the one before to validation, the rest to train"
PROMISE = "within a user train precedes validation, and validation precedes test"
DIVERGENCES = (
    Divergence(
        what="split",
        paper="SLIM does not state it",
        released="SLIM has no code",
        ours="SASRec's: the last item of each user to test, the one before to validation; users with fewer than three to train",
        why="it is the protocol of the candidates that SLIM cites",
    ),
    Divergence(
        what="candidates",
        paper="100 random negatives and the target; which items are kept out is not stated",
        released="SASRec's code keeps out the items of the user",
        ours="drawn once and stored; all items of the user are kept out, or only the shown ones (--candidates_exclude shown)",
        why="every system answers the same question",
    ),
)


def order(interactions: pl.DataFrame, seed: int) -> pl.DataFrame:
    """Each user's interactions in time order, equal times as in the file. An unknown time is later than the known ones.

    Where a corpus hides the times of each user's last items, its file tells their order.
    """
    kept = interactions.filter(pl.col("rating").is_null() | (pl.col("rating") >= NEXT_ITEM.lowest_rating))
    return kept.sort("user_id", "timestamp", nulls_last=True, maintain_order=True)


def samples(interactions: pl.DataFrame, minimum_history: int) -> pl.DataFrame:
    """The samples by user and position; `left` is how many interactions of the user come after."""
    count = pl.len().over("user_id")
    return (
        with_positions(interactions)
        .with_columns(left=count - 1 - pl.col("position"), count=count)
        .filter(pl.col("position") >= minimum_history)
        .with_columns(left=pl.when(pl.col("count") >= FEWEST).then("left").otherwise(2))
        .select("sample_id", "user_id", "position", "item_id", "label", "left")
    )


def split(samples: pl.DataFrame, seed: int) -> dict[str, pl.DataFrame]:
    """Train in a seeded random order, the others by user."""
    left = pl.col("left")
    train = samples.filter(left > 1).drop("left")
    return {
        "train": train[np.random.default_rng(seed).permutation(len(train))],
        "validation": samples.filter(left == 1).drop("left"),
        "test": samples.filter(left == 0).drop("left"),
    }
