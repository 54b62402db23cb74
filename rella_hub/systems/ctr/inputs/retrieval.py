"""Which behaviors of the whole history SIM looks at: those of a view, such as SUBR's, or the latest of the target's category.

Source: Q. Pi et al., "Search-based User Interest Modeling with Lifelong Sequential Behavior Data", CIKM 2020, section 3.2: soft search
by embedding, hard search by category. ReLLa lets SIM retrieve with SUBR (section 4.1.3), which is the soft search here.
"""

from __future__ import annotations

import copy
from pathlib import Path

import numpy as np
import torch

from rella_hub.corpora import UNKNOWN, load_corpus
from rella_hub.stages.prompt import shown_positions
from rella_hub.tables import store
from rella_hub.tables.keys import codes_of, rows_of
from rella_hub.views import config_name, table_name

VIEWS = ("subr", "union")
SEARCHES = (*VIEWS, "category")
ROWS_AT_ONCE = 100_000


def searched_tables(search: str | None, count: int) -> list[str]:
    """The tables that a search needs beside those of every CTR model."""
    return [table_name(config_name(search, count))] if search in VIEWS else []


def open_search(search: str | None, folder: Path, split: str, count: int) -> SoftSearch | HardSearch | None:
    """What the samples of a split are looked up in (`of`), opened once; None for no search."""
    if search not in (None, *SEARCHES):
        raise ValueError(f"There is no search {search!r}. Expected one of {', '.join(SEARCHES)}.")
    if search is None:
        return None
    return SoftSearch(folder, split, count, search) if search in VIEWS else HardSearch(folder, count)


class SoftSearch:
    """A view: positions are stored for each sample, and looked up."""

    def __init__(self, folder: Path, split: str, count: int, view: str):
        (self._name,) = searched_tables(view, count)
        self._folder, self._split, self._width = folder, split, count
        self._stored = store.read(folder, self._name, split, ["sample_id"])["sample_id"].to_numpy()

    def of(self, sample_id: np.ndarray) -> SoftSearch:
        """That of these samples (n,), whose positions are read."""
        missing = f"samples are not in the {self._split} split of {self._folder / self._name}"
        rows = rows_of(sample_id, self._stored, missing)
        first, last = (int(rows.min()), int(rows.max()) + 1) if len(rows) else (0, 0)
        number = np.full(last - first, -1, dtype=np.int32)  # of the sample that a stored row belongs to
        number[rows - first] = np.arange(len(rows), dtype=np.int32)
        positions = np.zeros((len(rows), self._width), dtype=np.int32)
        counts = np.zeros(len(rows), dtype=np.int32)
        for begin in range(first, last, ROWS_AT_ONCE):  # a list takes more than its numbers
            end = min(begin + ROWS_AT_ONCE, last)
            part = store.read_rows(self._folder, self._name, begin, end, self._split, ["positions"])
            found, shown = shown_positions(part["positions"].combine_chunks())
            wanted = number[begin - first : end - first]
            mine = wanted >= 0
            positions[wanted[mine], : found.shape[1]] = found[mine]
            counts[wanted[mine]] = shown.sum(axis=1)[mine]
        chosen = copy.copy(self)
        chosen._positions, chosen._counts = torch.from_numpy(positions), torch.from_numpy(counts)
        return chosen

    def find(self, samples: torch.Tensor, first: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """(B, R) rows of interactions, and which are used. samples: (B,) numbers; first: (B,) row of the user's first behavior."""
        positions = self._positions[samples]
        mask = torch.arange(positions.shape[1]) < self._counts[samples][:, None]
        return first[:, None] + positions, mask


class HardSearch:
    """The latest behaviors in the target's category: a recency view of each user's behaviors sorted by category.

    A target of an unknown category has none in common with any behavior.
    """

    def __init__(self, folder: Path, count: int):
        corpus = load_corpus(store.made_from(folder, "samples")["corpus"])
        interactions = store.read(folder, "interactions", columns=["user_id", "item_id"])
        items = store.frame(folder, "items", ["item_id", corpus.group_field])
        known = items["item_id"].to_numpy()
        row = codes_of(interactions["item_id"].to_numpy(), known, "items have interactions but no row in items")
        group = items[corpus.group_field].rank("dense").to_numpy().astype(np.int64)[row]
        user = interactions["user_id"].to_numpy().astype(np.int64)
        by_group = np.lexsort((np.arange(len(user)), group, user))  # within a user and group by what comes first
        key = user[by_group] * (group.max() + 1) + group[by_group]
        starts = np.flatnonzero(np.r_[True, key[1:] != key[:-1]])
        rank = np.arange(len(key)) - np.repeat(starts, np.diff(np.r_[starts, len(key)]))
        rank[(items[corpus.group_field] == UNKNOWN).to_numpy()[row[by_group]]] = 0
        place, earlier = np.empty_like(by_group), np.empty_like(by_group)
        place[by_group], earlier[by_group] = np.arange(len(key)), rank
        self._order, self._count = torch.from_numpy(by_group), count
        self._of_all = place, earlier

    def of(self, sample_id: np.ndarray) -> HardSearch:
        """That of these samples (n,)."""
        chosen = copy.copy(self)
        chosen._place, chosen._earlier = (torch.from_numpy(a[sample_id]) for a in self._of_all)
        return chosen

    def find(self, samples: torch.Tensor, first: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """As `SoftSearch.find`."""
        shown = self._earlier[samples].clamp(max=self._count)
        places = (self._place[samples] - shown)[:, None] + torch.arange(self._count)
        mask = torch.arange(self._count) < shown[:, None]
        return self._order[places.clamp(0, len(self._order) - 1)], mask
