"""From the tables of a data set to batches of token ids, with nothing stored for a sample but its length.

Every word of a text is tokenized once (T5's tokenizer reads words one by one, which is checked), and a batch is put together from the
tokens of its words when it is wanted. So memory grows with the users and items of a corpus and not with the samples.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np
import polars as pl
import torch

from rella_hub.corpora import load_corpus
from rella_hub.stages.prompt import Sources, load_sources
from rella_hub.systems.seq2seq.language import Language
from rella_hub.systems.seq2seq.text import Texts
from rella_hub.systems.vocabulary import Values, numbered
from rella_hub.tables import store

TABLES = ("users", "items", "interactions", "samples")
IDS = {"user_id": "users", "item_id": "items"}  # field of the vocabulary -> table
SAMPLES_AT_ONCE = 20_000
CHECKED = 64  # texts whose tokens are compared with those of their words


@dataclass(frozen=True)
class Seen:
    """What of a sample the model reads."""

    corpus: str
    history_length: int  # K latest behaviors; 0 where the history is not in the text
    max_length: int  # tokens, the end token included
    truncation: str  # none or right


@dataclass(frozen=True)
class Batch:
    ids: torch.Tensor  # (B, T) int64, padded at the right
    real: torch.Tensor  # (B, T) bool: what is no padding
    words: (
        torch.Tensor
    )  # (B, T) int64: which word of the text a token is of, counted from 1; 0 at its end and behind it

    def to(self, device: torch.device) -> Batch:
        return Batch(self.ids.to(device), self.real.to(device), self.words.to(device))


def number_ids(folder: Path) -> Values:
    """The numbers of all users and items of a data set: consecutive from 1, in the order of their ids, as text `user_1`, `item_1`, ...

    As in P5's own code every user and item gets one, those of the test split too; a number says nothing about a label.
    """
    tables = (store.frame(folder, table, [field]) for field, table in IDS.items())
    return Values(pl.concat([numbered(field, table[field]) for field, table in zip(IDS, tables, strict=True)]))


class Rows:
    """The token rows of the samples of a data set."""

    def __init__(self, folder: Path, seen: Seen, values: Values, language: Language):
        """ValueError when the data set is of another corpus, has users or items without a number, or the tokenizer cannot be used."""
        corpus = store.made_from(folder, "samples")["corpus"]
        if corpus != seen.corpus:
            raise ValueError(f"The model was trained on {seen.corpus}, the data set {folder} is {corpus}.")
        self._source = load_sources(folder)
        self._user, self._item = _numbers(folder, self._source, values)
        sizes = values.field_sizes
        self._texts = Texts(load_corpus(corpus).words, sizes["user_id"] - 1, sizes["item_id"] - 1, self._source.ratings)
        self._seen, self._language = seen, language
        tokens = language.words(self._texts.fragments)
        self._lengths = np.fromiter(map(len, tokens), np.int64, len(tokens))
        self._starts = np.cumsum(self._lengths) - self._lengths
        self._tokens = np.fromiter(chain.from_iterable(tokens), np.int32, int(self._lengths.sum()))

    def labels(self, sample_id: np.ndarray) -> np.ndarray:
        """(S,) 0 or 1."""
        return self._source.label[sample_id]

    def texts(self, sample_id: np.ndarray) -> list[str]:
        return self._texts.texts(*self._codes(sample_id))

    def check(self, sample_id: np.ndarray) -> None:
        """ValueError when the tokenizer reads a text otherwise than word by word, looked at in some samples."""
        some = sample_id[:CHECKED]
        alone = [row.tolist() for row in np.split(*self._composed(some))[:-1]]
        whole = self._language.words(self.texts(some))
        if alone != whole:
            raise ValueError(
                f"The tokenizer of {self._language.name!r} reads a word otherwise beside other words than alone, so texts cannot be put "
                "together from words. Take a T5 with its SentencePiece tokenizer."
            )

    def lengths(self, sample_id: np.ndarray) -> np.ndarray:
        """(S,) tokens of the samples' texts, their end included, before any cut."""
        found = [np.zeros(0, dtype=np.int64)]
        for begin in range(0, len(sample_id), SAMPLES_AT_ONCE):
            codes, used = self._codes(sample_id[begin : begin + SAMPLES_AT_ONCE])
            found.append((self._lengths[codes] * used).sum(axis=1) + 1)
        return np.concatenate(found)

    def require_within_budget(self, lengths: np.ndarray, what: str) -> int:
        """How many texts are to be cut. ValueError where none may be. what: of which samples, for the error."""
        limit = self._seen.max_length
        over = int((lengths > limit).sum())
        if over and self._seen.truncation == "none":
            raise ValueError(
                f"{over:,} of {len(lengths):,} {what} texts are longer than --max_length {limit} tokens (the longest has "
                f"{lengths.max():,}). Nothing is cut unless you ask for it: raise --max_length, lower --history_length, or pass "
                "--truncation right."
            )
        return over

    def take(self, sample_id: np.ndarray) -> Batch:
        """The batch of some samples, each text cut at the budget."""
        tokens, ends = self._composed(sample_id)
        starts = np.concatenate([[0], ends[:-1]])
        lengths = np.minimum(ends - starts + 1, self._seen.max_length)  # with the end token
        places = np.arange(lengths.max(initial=0))
        real = places < lengths[:, None]
        ids = tokens[np.minimum(starts[:, None] + places, len(tokens) - 1)].astype(np.int64)
        ids = np.where(real, ids, self._language.pad)
        ids[np.arange(len(ids)), lengths - 1] = self._language.end
        inside = places < lengths[:, None] - 1
        words = np.cumsum(self._language.begins_word[ids], axis=1) * inside
        return Batch(*(torch.from_numpy(part) for part in (ids, real, words)))

    def _composed(self, sample_id: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The tokens of some texts one after the other, and (S,) where each ends."""
        codes, used = self._codes(sample_id)
        taken = codes[used]
        lengths = self._lengths[taken]
        ends = np.cumsum(lengths)
        within = np.arange(int(lengths.sum())) - np.repeat(ends - lengths, lengths)
        tokens = self._tokens[np.repeat(self._starts[taken], lengths) + within]
        return tokens, ends[np.cumsum(used.sum(axis=1)) - 1]

    def _codes(self, sample_id: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        source = self._source
        steps = np.arange(self._seen.history_length)
        shown = steps < source.position[sample_id][:, None]  # (S, K): the latest behavior at the left
        behaviors = np.where(shown, sample_id[:, None] - 1 - steps, 0)
        return self._texts.codes(
            *(self._user[sample_id], self._item[sample_id]),
            *(self._item[behaviors], source.rating[behaviors], shown),
        )


def _numbers(folder: Path, source: Sources, values: Values) -> tuple[np.ndarray, np.ndarray]:
    """(N,) the number of the user and of the item of each interaction."""
    found = []
    for field, (table, row) in {
        "user_id": (source.users, source.user_code),
        "item_id": (source.items, source.item_code),
    }.items():
        codes = values.codes(table[field], field)
        unknown = table[field].filter(pl.Series(codes == 0))
        if len(unknown):
            raise ValueError(
                f"{len(unknown):,} {IDS[field]} of {folder} have no number in the vocabulary of the model, such as {field} {unknown[0]}: "
                "it was trained on another build of the corpus. Give that one, or train again."
            )
        found.append(codes[row])
    return found[0], found[1]


@dataclass(frozen=True)
class Samples:
    """Samples of one split, to be taken as batches."""

    rows: Rows
    sample_id: np.ndarray  # (S,)
    lengths: np.ndarray  # (S,) tokens
    cut: int  # texts over the budget

    def __len__(self) -> int:
        return len(self.sample_id)

    @property
    def label(self) -> np.ndarray:
        return self.rows.labels(self.sample_id)

    def shuffled(self, size: int, order: torch.Generator) -> Iterator[tuple[Batch, torch.Tensor]]:
        """All samples in a random order, as batches with their (B,) labels."""
        numbers = torch.randperm(len(self), generator=order).numpy()
        for begin in range(0, len(numbers), size):
            chosen = self.sample_id[numbers[begin : begin + size]]
            yield self.rows.take(chosen), torch.from_numpy(self.rows.labels(chosen).astype(np.int64))


def read_samples(rows: Rows, sample_id: np.ndarray, what: str) -> Samples:
    """ValueError when a text is over the budget and may not be cut."""
    lengths = rows.lengths(sample_id)
    return Samples(rows, sample_id, lengths, rows.require_within_budget(lengths, what))
