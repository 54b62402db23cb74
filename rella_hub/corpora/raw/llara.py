"""Read what LLaRA's line of work passes on of a corpus: a row a position of the training users, one row of every other user.

    <name>.train_data.jsonl, <name>.Val_data.jsonl, <name>.Test_data.jsonl      {"seq": [10 items, padded at the right], "next": item}
    <name>.id2name.txt                                                          item::title

The rows of a training user stand together, from the one with an empty history on, so whole histories can be put together again. Of a
validation or test user no more is known than the items of its row.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

import polars as pl

from rella_hub.corpora import RawTables
from rella_hub.corpora.raw.archive import RawFiles
from rella_hub.corpora.raw.delimited import read_delimited, require

PARTS = ("train_data", "Val_data", "Test_data")


def files(name: str) -> list[str]:
    return [f"{name}.id2name.txt", *(f"{name}.{part}.jsonl" for part in PARTS)]


def read(raw: RawFiles, name: str) -> RawTables:
    """Users are numbered in the order of the files, which is that of the split; there are no times."""
    titles, *parts = files(name)
    items = read_delimited(raw, titles, "::", {"item_id": pl.Int32, "title": pl.String}, "utf-8")
    require(items["item_id"] >= 0, items, titles, "item_id is {item_id}, expected a number from 0")
    require(items["item_id"].is_first_distinct(), items, titles, "item {item_id} stands there already")
    known = frozenset(items["item_id"].to_list())
    users = [*_training_users(raw, parts[0], known)]
    users += [[*row.shown, row.target] for part in parts[1:] for row in _rows(raw, part, known)]
    lengths = pl.Series([len(user) for user in users], dtype=pl.Int64)
    numbered = pl.DataFrame({"user_id": pl.Series(range(1, len(users) + 1), dtype=pl.Int32), "item_id": users})
    interactions = numbered.explode("item_id").select(
        "user_id",
        pl.col("item_id").cast(pl.Int32),
        rating=pl.lit(None, dtype=pl.Float32),
        timestamp=pl.lit(None, dtype=pl.Int64),
    )
    assert len(interactions) == lengths.sum()
    return RawTables(
        users=numbered.select("user_id"), items=items.select("item_id", "title"), interactions=interactions
    )


@dataclass(frozen=True)
class _Row:
    line: int
    shown: list[int]
    target: int


def _training_users(raw: RawFiles, name: str, known: frozenset[int]) -> Iterator[list[int]]:
    """The items of each user; ValueError where a row does not go on from the one before it."""
    user: list[int] = []
    for row in _rows(raw, name, known):
        if not row.shown and user:
            yield user
            user = []
        if user[-len(row.shown) :] != row.shown if row.shown else bool(user):
            raise ValueError(
                f"{name}, line {row.line}: its history does not go on from the row before it; the published file's does. Get it again."
            )
        user = [*user, row.target]
    if user:
        yield user


def _rows(raw: RawFiles, name: str, known: frozenset[int]) -> Iterator[_Row]:
    """ValueError with file and line for what is no row. Padding is any number that is no item."""
    text = b"".join(raw.blocks_of_anything(name)).decode("utf-8", "replace")
    for line, entry in enumerate(text.splitlines(), 1):
        try:
            row = json.loads(entry)
            seq, target = row["seq"], row["next"]
            whole = all(isinstance(item, int) for item in (*seq, target))
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise ValueError(
                f'{name}, line {line}: no row such as {{"seq": [1, 2], "next": 3}} ({type(error).__name__}). Got: {entry[:80]!r}.'
            ) from error
        if not whole or target not in known:
            raise ValueError(f"{name}, line {line}: item {str(target)[:20]} has no title. Got: {entry[:80]!r}.")
        shown = [item for item in seq if item in known]
        if seq[: len(shown)] != shown:
            raise ValueError(f"{name}, line {line}: padding stands before an item. Got: {entry[:80]!r}.")
        yield _Row(line, shown, target)
