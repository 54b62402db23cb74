"""Tables are joined by id, never by row number: an id is looked up, and one that is not there is an error."""

from __future__ import annotations

import numpy as np


def codes_of(ids: np.ndarray, known: np.ndarray, what: str) -> np.ndarray:
    """The row of each id in `known`, which is sorted. ValueError naming the ids that are not in it."""
    codes = np.searchsorted(known, ids).clip(max=max(len(known) - 1, 0))
    missing = np.unique(ids[known[codes] != ids]) if len(known) else np.unique(ids)
    if len(missing):
        shown = ", ".join(map(str, missing[:5]))
        raise ValueError(f"{len(missing)} {what}: {shown}{', ...' if len(missing) > 5 else ''}.")
    return codes


def rows_of(ids: np.ndarray, found: np.ndarray, what: str) -> np.ndarray:
    """The same for ids `found` that stand in any order."""
    order = np.argsort(found, kind="stable")
    return order[codes_of(ids, found[order], what)]
