"""The items, people and ratings of a data set, as a demo looks them up: by title, by person, by sample."""

from __future__ import annotations

import difflib
from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa

from rella_hub.corpora import Corpus, load_corpus
from rella_hub.stages.prompt import require_answers
from rella_hub.tables import store
from rella_hub.tables.keys import codes_of
from rella_hub.texts.shown import plain
from rella_hub.views import VECTORS

TABLES = ("users", "items", "interactions", "samples", VECTORS)
MOST_FOUND = 20  # titles that a search shows


@dataclass(frozen=True)
class Catalogue:
    folder: Path
    dataset: str  # as it was given: a Hub id or a folder
    corpus: Corpus
    users: pl.DataFrame
    items: pl.DataFrame
    interactions: pa.Table
    vectors: np.ndarray  # (I, D) float32 of unit length, in the order of `items`

    @cached_property
    def titles(self) -> list[str]:
        """(I,) what each item is called: its title, and its id where another item has the same one."""
        titles = self.corpus.words.title(self.items).to_list()
        count = Counter(titles)
        ids = self.items["item_id"].to_list()
        return [f"{one} [{id}]" if count[one] > 1 else one for one, id in zip(titles, ids, strict=True)]

    @cached_property
    def ratings(self) -> list[float]:
        """The ratings that there are, ascending."""
        return np.unique(self.interactions["rating"].to_numpy()).tolist()

    @cached_property
    def item_rows(self) -> np.ndarray:
        """(N,) the row in `items` of each interaction."""
        known = self.items["item_id"].to_numpy()
        return codes_of(
            self.interactions["item_id"].to_numpy(), known, "items have interactions but no row in items"
        ).astype(np.int64)

    @cached_property
    def usual_gap(self) -> int:
        """Seconds between two ratings of one user, the median: what a history without times is given. 0: no times are known."""
        time = self.interactions["timestamp"]
        if time.null_count:
            return 0
        same = np.diff(self.interactions["user_id"].to_numpy()) == 0
        gaps = np.diff(time.to_numpy())[same]
        return int(np.median(gaps)) if len(gaps) else 0

    def search(self, text: str) -> list[str]:
        """The first titles that hold every word of `text`, those that begin with it before all others."""
        wanted = text.casefold().split()
        found = [n for n, title in enumerate(self._folded) if all(word in title for word in wanted)]
        found.sort(key=lambda n: not self._folded[n].startswith(text.strip().casefold()))
        return [self.titles[n] for n in found[:MOST_FOUND]]

    def item(self, title: str) -> int:
        """The row of the item of that name. ValueError that names the nearest where there is none."""
        row = self._rows.get(title.strip().casefold())
        if row is None:
            near = difflib.get_close_matches(title.strip().casefold(), self._folded, n=1)
            hint = f" Did you mean {self.titles[self._rows[near[0]]]}?" if near else " Search for a part of its title."
            raise ValueError(f"There is no {self.corpus.words.item} {plain(title, 80)!r} in this corpus.{hint}")
        return row

    @cached_property
    def _folded(self) -> list[str]:
        return [title.casefold() for title in self.titles]

    @cached_property
    def _rows(self) -> dict[str, int]:
        return {title: row for row, title in reversed(list(enumerate(self._folded)))}


def open_catalogue(folder: Path, dataset: str) -> Catalogue:
    """ValueError for a data set without ratings, or one whose tables do not fit together."""
    corpus = load_corpus(store.made_from(folder, "samples")["corpus"])
    require_answers(corpus)
    users, items = (pl.DataFrame(store.read(folder, name)) for name in ("users", "items"))
    stored = store.read(folder, VECTORS).sort_by("item_id").combine_chunks()
    vectors = stored["vector"].combine_chunks().flatten().to_numpy().reshape(len(stored), -1)
    missing = "items have no vector (run embed.py again)"
    rows = codes_of(items["item_id"].to_numpy(), stored["item_id"].to_numpy(), missing)
    return Catalogue(folder, dataset, corpus, users, items, store.read(folder, "interactions"), vectors[rows])
