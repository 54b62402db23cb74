"""A history is a slice: the interactions of a user that come before a position.

`interactions` is sorted by user and then by what comes first, and a sample's id is the row of its target, so
``history(sample) = interactions[sample_id - position : sample_id]``. It is never stored expanded: that would be
quadratic in a user's length.
"""

from __future__ import annotations

import numpy as np
import polars as pl


def positions_within_user(user_id: np.ndarray) -> np.ndarray:
    """(N,) number of earlier interactions of the same user, for user ids that stand together."""
    starts = np.flatnonzero(np.r_[True, user_id[1:] != user_id[:-1]])
    counts = np.diff(np.r_[starts, len(user_id)])
    return (np.arange(len(user_id)) - np.repeat(starts, counts)).astype(np.int32)


def with_positions(interactions: pl.DataFrame) -> pl.DataFrame:
    """The interactions, each with the sample_id and the position it has if it is predicted: its row, and its place in the user."""
    return interactions.with_row_index("sample_id").with_columns(
        pl.col("sample_id").cast(pl.Int64), position=positions_within_user(interactions["user_id"].to_numpy())
    )
