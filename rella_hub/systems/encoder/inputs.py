"""What the towers of an encoder read: the texts of samples, each distinct text once.

A side is what one tower reads. CTR-BERT has two, `user` and `item`; PTab has one, `row`. The text of an item belongs to every sample
of it, and that of a user without a history likewise: such a side is shared, and a text's key is the row of the item or user in its
table. Otherwise every sample has a text of its own, and the key is its id. No label and no rating of a target enters any text.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from rella_hub.corpora import load_corpus
from rella_hub.stages.prompt import Sources, load_sources
from rella_hub.systems.encoder.text import FRAMES, Rows, item_texts, user_texts
from rella_hub.systems.encoder.tokens import Budget, Tokens, tokenize
from rella_hub.tables import store

TABLES = ("users", "items", "interactions", "samples")
SIDES = {"ctr_bert": ("user", "item"), "ptab": ("row",)}
TEXTS_AT_ONCE = 10_000


@dataclass(frozen=True)
class Seen:
    """What of a sample is in its texts."""

    model: str  # ctr_bert or ptab
    corpus: str
    ids_in_text: bool
    history_length: int  # K latest behaviors; 0 where the history is not in the text


class Side:
    """The texts of one tower, made from the tables of a data set."""

    def __init__(self, name: str, source: Sources, seen: Seen):
        corpus, frame = load_corpus(seen.corpus), FRAMES[seen.model]
        self.name, self._source = name, source
        self._history = seen.history_length if name != "item" else 0
        self.shared = name != "row" and not self._history
        self._rows_of = [source.user_code] * (name != "item") + [source.item_code] * (name != "user")
        parts = [user_texts(corpus, source.users, frame, seen.ids_in_text)] * (name != "item")
        parts += [item_texts(corpus, source.items, frame, seen.ids_in_text)] * (name != "user")
        titles = corpus.words.title(source.items) if self._history else None
        self._rows = Rows(frame, parts, titles, source.ratings)

    def keys(self, sample_id: np.ndarray) -> np.ndarray:
        """(S,) key of the text of each sample."""
        return self._rows_of[0][sample_id] if self.shared else sample_id

    def texts(self, keys: np.ndarray) -> Iterator[pa.LargeStringArray]:
        """The texts of these keys, some at a time."""
        for begin in range(0, len(keys), TEXTS_AT_ONCE):
            yield self._compose(keys[begin : begin + TEXTS_AT_ONCE])

    def _compose(self, keys: np.ndarray) -> pa.LargeStringArray:
        parts = [keys] if self.shared else [rows[keys] for rows in self._rows_of]
        if not self._history:
            none = np.zeros((len(keys), 0), dtype=np.int64)
            return self._rows.compose(parts, none, none, none.astype(bool))
        source = self._source
        steps = np.arange(self._history)
        shown = steps < source.position[keys][:, None]  # (S, K): the latest behavior at the left
        behaviors = np.where(shown, keys[:, None] - 1 - steps, 0)
        return self._rows.compose(parts, source.item_code[behaviors], source.rating[behaviors], shown)


@dataclass(frozen=True)
class SideTexts:
    """The distinct texts of some samples on one side, and which of them each sample has."""

    name: str
    tokens: Tokens
    of_sample: np.ndarray  # (S,)


@dataclass(frozen=True)
class Samples:
    sides: tuple[SideTexts, ...]
    label: np.ndarray  # (S,) int8

    def __len__(self) -> int:
        return len(self.label)


def open_sides(folder: Path, seen: Seen) -> tuple[Side, ...]:
    """ValueError when the data set is of another corpus than `seen` says."""
    corpus = store.made_from(folder, "samples")["corpus"]
    if corpus != seen.corpus:
        raise ValueError(f"The model was trained on {seen.corpus}, the data set {folder} is {corpus}.")
    source = load_sources(folder)
    return tuple(Side(name, source, seen) for name in SIDES[seen.model])


def read_samples(sides: tuple[Side, ...], sample_id: np.ndarray, budget: Budget, label: np.ndarray) -> Samples:
    """The samples with these ids, tokenized. label: of every interaction."""
    return Samples(tuple(_side_texts(side, sample_id, budget) for side in sides), label[sample_id])


def _side_texts(side: Side, sample_id: np.ndarray, budget: Budget) -> SideTexts:
    keys, of_sample = np.unique(side.keys(sample_id), return_inverse=True)
    return SideTexts(side.name, tokenize(side.texts(keys), budget, side.name), of_sample)
