"""Which item comes next? Users are divided by when they came: the first are trained on, the others asked for their last item.

Source: LLaRA (arXiv 2312.02445), released data and code: users in the order of their first interaction, cut 8:1:1; training holds every
prefix of the first eight tenths, a validation or test user gives one row, the last. Rows with fewer than three earlier behaviors are left
out, as its code does for the language model. Ratings below 3 are no interactions: only so do the published rows of MovieLens-100K come out.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from rella_hub.corpora import Divergence
from rella_hub.tables.histories import with_positions
from rella_hub.tasks import NextItem

TRAIN_SHARE, VALIDATION_SHARE = 0.8, 0.1
NEXT_ITEM = NextItem(
    candidates=20,
    candidates_of=("train", "validation", "test"),
    history_length=10,
    minimum_history=3,
    in_words=True,
    lowest_rating=3,
)
ORDER = "timestamp, then the order of the raw file"
SAMPLES = (
    "Every interaction of a training user, and the last one of every other user, with at least {minimum_history} earlier ones of the same "
    "user"
)
SPLIT = "user, in the order of their first interactions, 80/10/10"
PROMISE = "no user is in two of them"
DIVERGENCES = (
    Divergence(
        what="equal timestamps",
        paper="not stated",
        released="follows no simple rule: neither the file, nor item ids, nor ratings",
        ours=f"by {ORDER}",
        why="one rule, on record; rows whose last eleven times are distinct are the published ones",
    ),
    Divergence(
        what="candidates",
        paper="19 that the user never interacted with, and the target",
        released="drawn anew whenever a row is read, in validation and test too; only the ten shown items are kept out",
        ours="drawn once and stored; all items of the user are kept out, or only the shown ones (--candidates_exclude shown)",
        why="every system answers the same question",
    ),
    Divergence(
        what="short histories",
        paper="not stated",
        released="the recommenders are trained on every position, the language model on those with three earlier items",
        ours="all systems on those with three earlier items",
        why="all are trained on the same samples",
    ),
)


def order(interactions: pl.DataFrame, seed: int) -> pl.DataFrame:
    """Each user's interactions in time order, equal times as in the file. `came` numbers the users by their first interaction.

    A corpus without timestamps tells the order by its file.
    """
    kept = interactions.filter(pl.col("rating").is_null() | (pl.col("rating") >= NEXT_ITEM.lowest_rating))
    kept = kept.sort("timestamp", maintain_order=True)
    came = kept["user_id"].unique(maintain_order=True).to_frame().with_row_index("came")
    return kept.join(came, on="user_id", how="left", maintain_order="left").sort("user_id", maintain_order=True)


def samples(interactions: pl.DataFrame, minimum_history: int) -> pl.DataFrame:
    """The samples, user by user as they came; `part` is the split of each: the cuts count the users who have no sample too."""
    users = interactions["user_id"].n_unique()
    train, validation = int(TRAIN_SHARE * users), int((TRAIN_SHARE + VALIDATION_SHARE) * users)
    came, last = pl.col("came"), pl.col("user_id") != pl.col("user_id").shift(-1)
    part = pl.when(came < train).then(pl.lit("train")).when(came < validation).then(pl.lit("validation"))
    return (
        with_positions(interactions)
        .with_columns(part=part.otherwise(pl.lit("test")), last=last.fill_null(True))
        .filter(pl.col("position") >= minimum_history, pl.col("last") | (pl.col("part") == "train"))
        .sort("came", "position")
        .select("sample_id", "user_id", "position", "item_id", "label", "part")
    )


def split(samples: pl.DataFrame, seed: int) -> dict[str, pl.DataFrame]:
    """Train in a seeded random order, the others user by user."""
    parts = {name: samples.filter(pl.col("part") == name).drop("part") for name in ("train", "validation", "test")}
    train = parts["train"]
    return parts | {"train": train[np.random.default_rng(seed).permutation(len(train))]}
