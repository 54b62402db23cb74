"""How mixed a shown history is: the mean number of distinct groups (such as genres) among the behaviors a view shows.

``mean over samples s of |{group(i_j) : j in view(s)}|``. SUBR shows behaviors that are like the target and so like each other, so its
histories hold fewer groups than the latest behaviors do. A behavior of an unknown group is of none.
Source: ReLLa, appendix D.4, on the test split.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow.compute as pc

from rella_hub.corpora import UNKNOWN
from rella_hub.tables import store
from rella_hub.tables.histories import positions_within_user
from rella_hub.tables.keys import codes_of
from rella_hub.views import NOTHING, pad

ROWS_PER_PART = 20_000


def heterogeneity(folder: Path, views: list[str], group_field: str, split: str = "test") -> dict[str, float]:
    """The mean number of distinct values of the item field `group_field` in one split of each view table."""
    interactions = store.read(folder, "interactions", columns=["user_id", "item_id"])
    position = positions_within_user(interactions["user_id"].to_numpy())
    items = store.read(folder, "items", columns=["item_id", group_field])
    encoded = pc.dictionary_encode(items[group_field].combine_chunks(), null_encoding="encode")
    unknown = pc.index(encoded.dictionary, UNKNOWN).as_py()  # -1 where every group is known
    group = np.where(encoded.indices.to_numpy() == unknown, NOTHING, encoded.indices.to_numpy())
    item_code = codes_of(
        interactions["item_id"].to_numpy(), items["item_id"].to_numpy(), "items have interactions but no row in items"
    )
    return {view: _mean_over_split(folder, view, split, position, group[item_code]) for view in views}


def _mean_over_split(folder: Path, view: str, split: str, position: np.ndarray, group: np.ndarray) -> float:
    """position, group: (N,) of each interaction."""
    rows, distinct = 0, 0
    for batch in store.iterate(folder, view, split, ROWS_PER_PART):
        sample_id = batch["sample_id"].to_numpy()
        counts = np.diff(batch["positions"].offsets.to_numpy())
        shown = np.repeat(sample_id - position[sample_id], counts) + batch["positions"].flatten().to_numpy()
        distinct += int(distinct_groups(group[shown], counts).sum())
        rows += len(sample_id)
    return distinct / rows if rows else float("nan")


def distinct_groups(group: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """(S,) number of distinct groups in each row, for rows of counts[s] group codes (NOTHING: none) that follow each other."""
    rows = pad(group, counts, int(counts.max(initial=0)))  # (S, K), -1 where unused
    rows.sort(axis=1)
    return np.count_nonzero(np.diff(rows, axis=1, prepend=NOTHING), axis=1)
