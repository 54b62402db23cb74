"""The tables of a data set as columns of codes: read once, then every batch is a few gathers by index.

A sample needs no row of its own: its fields are those of its user and its item, its history is a slice of the interactions.
Nothing is stored for each sample and behavior but, for a model that retrieves, the positions of its view. So all 24 million samples
of MovieLens-25M fit into a few gigabytes.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
import torch

from rella_hub.corpora import load_corpus
from rella_hub.systems.vocabulary import RATING, Values, learn_values
from rella_hub.tables import store
from rella_hub.tables.histories import positions_within_user
from rella_hub.tables.keys import codes_of


@dataclass(frozen=True)
class Columns:
    """Of each interaction (N,): rows in `user_fields` and `item_fields`, codes, position within the user, time, label."""

    values: Values
    # (F,) the columns of user_fields and item_fields, side by side, in the order of a model's fields
    order: torch.Tensor
    user_fields: torch.Tensor  # (U, Fu) int32
    item_fields: torch.Tensor  # (I, Fi) int32
    user_row: torch.Tensor  # (N,) int32
    item_row: torch.Tensor  # (N,) int32
    item_code: torch.Tensor  # (N,) int32, of the field item_id
    rating_code: torch.Tensor  # (N,) int8
    position: torch.Tensor  # (N,) int32
    timestamp: torch.Tensor | None  # (N,) int64
    label: torch.Tensor  # (N,) int8


def load_columns(folder: Path, values: Values | None = None, train: np.ndarray | None = None) -> Columns:
    """The columns of a data set folder, coded by `values`, or by what the training samples `train` (ids) have seen."""
    corpus = load_corpus(store.made_from(folder, "samples")["corpus"])
    users, items = (store.frame(folder, name) for name in ("users", "items"))
    table = store.read(folder, "interactions")
    user_id, item_id = table["user_id"].to_numpy(), table["item_id"].to_numpy()
    user_row = codes_of(user_id, users["user_id"].to_numpy(), "users have interactions but no row in users")
    item_row = codes_of(item_id, items["item_id"].to_numpy(), "items have interactions but no row in items")
    rating = pl.Series("rating", table["rating"])
    position = positions_within_user(user_id)
    if values is None:
        assert train is not None, "values are learned from training samples"
        seen = _seen(train, position)
        values = learn_values(
            corpus,
            users.filter(_among(len(users), user_row[train])),
            items.filter(_among(len(items), item_row[seen])),
            rating.filter(pl.Series(seen)),
        )
    of_user = [field for field in corpus.features if field in users.columns]
    of_item = [field for field in corpus.features if field not in users.columns]
    item_fields = _codes(items, of_item, values)
    timestamp = table["timestamp"]
    return Columns(
        values=values,
        order=torch.tensor([[*of_user, *of_item].index(field) for field in values.field_sizes]),
        user_fields=_codes(users, of_user, values),
        item_fields=item_fields,
        user_row=torch.from_numpy(user_row.astype(np.int32)),
        item_row=torch.from_numpy(item_row.astype(np.int32)),
        item_code=item_fields[:, of_item.index("item_id")][torch.from_numpy(item_row)],
        rating_code=torch.from_numpy(values.codes(rating, RATING).astype(np.int8)),
        position=torch.from_numpy(position),
        timestamp=None if timestamp.null_count else torch.from_numpy(timestamp.to_numpy().copy()),
        label=torch.from_numpy(table["label"].to_numpy().astype(np.int8)),
    )


def _seen(train: np.ndarray, position: np.ndarray) -> np.ndarray:
    """(N,) whether an interaction is the target or in the history of one of the samples `train`."""
    begins = np.bincount(train - position[train], minlength=len(position) + 1)
    ends = np.bincount(train + 1, minlength=len(position) + 1)
    return np.cumsum(begins - ends)[:-1] > 0


def _among(size: int, rows: np.ndarray) -> pl.Series:
    """(size,) whether a row number is one of `rows`."""
    found = np.zeros(size, dtype=bool)
    found[rows] = True
    return pl.Series(found)


def _codes(table: pl.DataFrame, fields: list[str], values: Values) -> torch.Tensor:
    return torch.from_numpy(np.column_stack([values.codes(table[field], field) for field in fields]).astype(np.int32))
