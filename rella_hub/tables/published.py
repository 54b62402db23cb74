"""Which rows of a split its views and prompts show, where a corpus is too large for all of them to be worth their disk.

Every smaller choice is contained in every larger one. The released code publishes 90,000 training and 70,000 test samples of
MovieLens-25M; the tables `interactions` and `samples` always hold everything.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from rella_hub.tables import store

ALL = "all"


def choose(corpus_rows: Mapping[str, int], asked: Mapping[str, str | None]) -> dict[str, int | None]:
    """split -> rows, None for all of them: what was asked for, else what the corpus publishes. ValueError for no whole number."""
    return {split: _rows(split, asked.get(split), corpus_rows.get(split)) for split in store.SPLITS}


def _rows(split: str, asked: str | None, default: int | None) -> int | None:
    if asked is None:
        return default
    if asked == ALL:
        return None
    if not asked.isdecimal() or int(asked) < 1:
        raise ValueError(f"--{split}_rows is {asked!r}. Give a whole number from 1, or {ALL}.")
    return int(asked)


def rows_of(folder: Path, split: str, wanted: int | None) -> np.ndarray:
    """(n,) ascending row numbers in a split of `samples`. Train stands in a random order already, so there they are its first ones."""
    rows = store.count_rows(folder, "samples", split)
    if wanted is None or wanted >= rows:
        return np.arange(rows)
    if split == "train":
        return np.arange(wanted)
    seed = store.made_from(folder, "samples")["seed"]
    return np.sort(np.random.default_rng(seed).permutation(rows)[:wanted])
