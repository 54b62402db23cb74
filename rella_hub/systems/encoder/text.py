"""The fields of users and items as text, one clause a field, and the behaviors of a history behind them.

    ctr_bert   "User ID is 7. Gender is male. ... History is Heat (1995) (4 stars), ...."  and  "Movie ID is 9. Title is ...."
    ptab       "user id: 7 gender: male ... movie id: 9 title: ... history: Heat (1995) (4 stars), ..."

Sources: ClickPrompt's clauses "<field> is <value>.", fields in the order of the paper's table 1; PTab's `header: value` pairs in the order
of the columns. ReLLa prints neither the wording nor whether the history is in the text, so `history_in_text` is a switch of ours. The
latest behavior stands first and the history last: a cut at the right drops what is oldest, and never the target.
"""

from __future__ import annotations

import html
import re
from dataclasses import dataclass

import numpy as np
import polars as pl
import pyarrow as pa

from rella_hub.corpora import Corpus
from rella_hub.prompts.pointwise import in_stars
from rella_hub.texts.compose import concatenate

VERSION = 1  # rises whenever a character of any text changes
IDS = ("user_id", "item_id")
ENTITY = re.compile(r"&(?:#\d+|#x[0-9a-f]+|\w+);", re.IGNORECASE)


@dataclass(frozen=True)
class Frame:
    capital: bool  # whether the name of a field begins with one
    joint: str  # between a field and its value
    end: str  # of a clause


FRAMES = {"ctr_bert": Frame(True, " is ", "."), "ptab": Frame(False, ": ", "")}


def user_texts(corpus: Corpus, users: pl.DataFrame, frame: Frame, ids: bool) -> pl.Series:
    """(U,) texts of the users' fields; with ids=False the user's id is left out."""
    return _fields(corpus, users, [field for field in corpus.features if field in users.columns], frame, ids)


def item_texts(corpus: Corpus, items: pl.DataFrame, frame: Frame, ids: bool) -> pl.Series:
    """(I,) the same of the items."""
    return _fields(corpus, items, [field for field in corpus.features if field in items.columns], frame, ids)


def _fields(corpus: Corpus, table: pl.DataFrame, fields: list[str], frame: Frame, ids: bool) -> pl.Series:
    values = {
        field: corpus.words.title(table) if field == "title" else _readable(table[field])
        for field in fields
        if ids or field not in IDS
    }
    clauses = [
        pl.concat_str(pl.lit(_name(field, corpus, frame) + frame.joint), pl.lit(column), pl.lit(frame.end))
        for field, column in values.items()
    ]
    if not clauses:
        raise ValueError(f"Without ids {corpus.name} has no field to make a text of. Pass --ids_in_text true.")
    return table.select(pl.concat_str(clauses, separator=" ").alias("text")).to_series()


def _readable(column: pl.Series) -> pl.Series:
    """In one line, HTML entities (`&amp;`) as the letters that they stand for."""
    texts = column.cast(pl.String)
    if texts.str.contains("&", literal=True).any():
        texts = pl.Series([ENTITY.sub(lambda found: html.unescape(found[0]), text) for text in texts], dtype=pl.String)
    return texts.str.replace_all(r"\s+", " ").str.strip_chars()


def _name(field: str, corpus: Corpus, frame: Frame) -> str:
    """ "User ID", "Zip code"; in PTab's frame "user id", "zip code"."""
    words = field.replace("item_", f"{corpus.words.item}_").split("_")
    if not frame.capital:
        return " ".join(words)
    name = " ".join("ID" if word == "id" else word for word in words)
    return name[:1].upper() + name[1:]


class Rows:
    """Texts made of a user's or an item's text, or of both, and of a history."""

    def __init__(self, frame: Frame, parts: list[pl.Series], titles: pl.Series | None, ratings: np.ndarray):
        """parts: the texts that stand first, side by side. titles: of the items, None where texts show no history.

        ratings: (R,) the distinct ratings, ascending.
        """
        name = "History" if frame.capital else "history"
        pieces = [*parts, pl.Series([" ", f" {name}{frame.joint}", ", ", frame.end])]
        if titles is not None:
            stars = pl.DataFrame({"stars": [in_stars(rating) for rating in ratings]})
            behaviors = pl.DataFrame({"title": titles}).join(stars, how="cross", maintain_order="left_right")
            pieces.append(behaviors.select(pl.col("title") + " " + pl.col("stars")).to_series())
        starts = np.cumsum([0, *map(len, pieces)])
        self._texts = pl.concat([piece.rename("text") for piece in pieces]).to_arrow().cast(pa.large_string())
        self._starts, self._constants = starts[: len(parts)], starts[len(parts)]
        self._behaviors, self._ratings = starts[len(parts) + 1], ratings

    def compose(
        self, parts: list[np.ndarray], item: np.ndarray, rating: np.ndarray, shown: np.ndarray
    ) -> pa.LargeStringArray:
        """(S,) texts. parts: (S,) row of each part; item, rating: (S, K) row and value of behaviors, the latest first; shown: (S, K)."""
        blank, history, comma, end = (self._constants + number for number in range(4))
        samples, length = shown.shape
        columns, used = [], []
        for number, (start, rows) in enumerate(zip(self._starts, parts, strict=True)):
            columns += [start + rows, np.full(samples, blank)] if number + 1 < len(parts) else [start + rows]
        used += [np.ones(samples, dtype=bool)] * len(columns)
        behavior = self._behaviors + item * len(self._ratings) + np.searchsorted(self._ratings, rating)
        for place in range(length):
            columns += [np.full(samples, comma if place else history), behavior[:, place]]
            used += [shown[:, place]] * 2
        if length:
            columns.append(np.full(samples, end))
            used.append(shown[:, 0])
        return concatenate(self._texts, np.column_stack(columns).astype(np.int64), np.column_stack(used))
