"""A history is a slice: the interactions of a user that come before a position.

`interactions` is sorted by user and then time, and a sample's id is the row of its target, so
``history(sample) = interactions[sample_id - position : sample_id]``. It is never stored expanded: that would be
quadratic in a user's length.
"""

from __future__ import annotations

import numpy as np
import polars as pl

TIE_RULE = "timestamp, then user id, then item id, as numbers"


def sort_by_user_and_time(interactions: pl.DataFrame) -> pl.DataFrame:
    """Each user's interactions in time order. Equal times are ordered by item id as a number (`TIE_RULE`)."""
    return interactions.sort("user_id", "timestamp", "item_id")


def positions_within_user(user_id: np.ndarray) -> np.ndarray:
    """(N,) number of earlier interactions of the same user, for user ids that stand together."""
    starts = np.flatnonzero(np.r_[True, user_id[1:] != user_id[:-1]])
    counts = np.diff(np.r_[starts, len(user_id)])
    return (np.arange(len(user_id)) - np.repeat(starts, counts)).astype(np.int32)


def make_samples(interactions: pl.DataFrame, minimum_history: int) -> pl.DataFrame:
    """One sample for each interaction with at least `minimum_history` earlier ones, in global time order.

    Source: ReLLa, section 4.1.1, and the released preparation (five earlier behaviors).
    """
    with_position = interactions.with_row_index("sample_id").with_columns(
        pl.col("sample_id").cast(pl.Int64), position=positions_within_user(interactions["user_id"].to_numpy())
    )
    return (
        with_position.filter(pl.col("position") >= minimum_history)
        .sort("timestamp", "user_id", "item_id")
        .select("sample_id", "user_id", "position", "item_id", "label")
    )
