"""The corpora: each file here holds the facts and the words of one, and adding a file is registering it.

A corpus file defines ``CORPUS``. Facts: where the raw files lie, how they are read, what a positive label is. Words: how a
user, an item and a rating are put in English. The frame of the sentences around them is a prompt style's.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from rella_hub.corpora.raw.archive import Archive, RawFiles
from rella_hub.open_folder import load_member, members

UNKNOWN = "unknown"  # what a text field holds where the raw files hold nothing, or a filler


@dataclass(frozen=True)
class RawTables:
    """What a corpus reads, checked against each other, in any order.

    `users`: user_id Int32, text fields; `items`: item_id Int32, text fields; `interactions`: user_id, item_id, rating Float32 (all
    null where the corpus has no ratings), timestamp Int64 (all null where it knows no time). A corpus whose
    published ids are no numbers numbers its items and keeps the published id as a text field.
    """

    users: pl.DataFrame
    items: pl.DataFrame
    interactions: pl.DataFrame
    dropped: dict[str, int] = field(default_factory=dict)  # reason, in words -> rows of the raw files that it left out
    odd: dict[str, int] = field(default_factory=dict)  # what is unlikely, in words -> rows that are used all the same


@dataclass(frozen=True)
class Words:
    """The words a prompt style and an item description need; every function maps a table to a column, never one row."""

    profile: Callable[[pl.DataFrame], pl.Series]  # users -> opening sentence
    subject: Callable[[pl.DataFrame], pl.Series]  # users -> "he", "she" or "the user"
    title: Callable[[pl.DataFrame], pl.Series]  # items -> how the item is named in a prompt
    description: Callable[[pl.DataFrame], pl.Series]  # items -> one sentence per field, for the item vectors
    item: str  # "movie"
    consumed: str  # "watched"
    in_time_order: bool = True  # whether a history may be said to begin with the oldest behavior


@dataclass(frozen=True)
class Divergence:
    """One thing the paper, its released code and this project do not do alike; the card of the corpus shows it."""

    what: str
    paper: str
    released: str
    ours: str
    why: str


@dataclass(frozen=True)
class Reexport:
    """A corpus in other files, as somebody else publishes it: no official checksum tells whether they are whole."""

    source: str  # in words
    files: list[str]
    read: Callable[[RawFiles], RawTables]
    limits: tuple[str, ...]  # what a reader of the card must know of it


@dataclass(frozen=True)
class Corpus:
    id: str
    name: str
    summary: str  # a sentence of what the ratings are; how many there are is counted
    licence: str  # a Hub licence identifier
    terms: str  # what the licence allows, in a sentence
    terms_url: str  # where the publisher says so
    may_be_redistributed: bool  # False: pushed privately, unless the user holds the publisher's permission
    citation: str  # BibTeX
    archive: Archive | None  # None: the project generates the corpus
    generate: Callable[[Path], Path] | None  # writes the raw files into a folder
    files: list[str]
    read: Callable[[RawFiles], RawTables]
    tasks: tuple[
        str, ...
    ]  # what may be predicted, and how samples are split: files in rella_hub/tasks/; the first is the usual one
    label_threshold: (
        float | None
    )  # label = rating > threshold; None: the corpus has no ratings, so nobody knows what was liked
    minimum_history: int
    rating_range: tuple[float, float] | None
    group_field: str  # the item field whose distinct values among the shown behaviors measure heterogeneity
    features: tuple[str, ...]  # the columns of users and items that the paper counts as feature fields (table 1)
    unrated_items_count: bool  # whether the paper counts items that nobody rated
    words: Words
    expected_rows: dict[str, int]  # of the official archive, by table or split; empty where none is known
    expected_of_task: dict[str, dict[str, int]] = field(default_factory=dict)  # of another task than the first
    expected_bytes: dict[str, int] = field(default_factory=dict)  # of its files, where the length is known
    published_rows: dict[str, int] = field(default_factory=dict)  # split -> rows of views and prompts; not in it: all
    rules_version: int = 1  # rises when the same raw files of this corpus would give other tables
    reexport: Reexport | None = None  # what is read where the publisher's files are not
    limits: tuple[str, ...] = ()  # what a reader of the card must know of this corpus alone
    divergences: tuple[Divergence, ...] = ()  # of this corpus alone; those of every corpus stand in the card's template


def corpus_ids() -> list[str]:
    return members(sys.modules[__name__])


def load_corpus(corpus_id: str) -> Corpus:
    return load_member(sys.modules[__name__], "corpus", corpus_id).CORPUS
