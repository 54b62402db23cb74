"""The text of a next-item corpus, to pretrain a small base model on: what items are, and what training users chose one after the other.

    These movies were watched, the oldest first:          the behaviors that a training sample shows, and its target
    * Heat
    * Casino
    The same in another order:                            so that the model learns to say titles again that it has read
    * Casino
    * Heat

Validation and test users are in none of it, nor is the question of the prompts.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl

from rella_hub.corpora import load_corpus
from rella_hub.prompts.choosing import next_item
from rella_hub.tables import candidates, store


def tables_of(folder: Path, history_length: int) -> list[str] | None:
    """What the text is made of; None where a data set asks whether a user will like an item."""
    config = candidates.Config(history_length).name
    return ["items", config] if not store.has_labels(folder) and config in store.table_names(folder) else None


def documents(folder: Path, history_length: int, count: int, rng: np.random.Generator) -> tuple[list[str], list[str]]:
    """Descriptions of all items, and the choices of `count` random training samples."""
    corpus = load_corpus(store.made_from(folder, "items")["corpus"])
    items = pl.DataFrame(store.read(folder, "items"))
    title = dict(zip(items["item_id"].to_list(), next_item.titles(corpus.words, items).to_list(), strict=True))
    name = candidates.Config(history_length).name
    rows = store.read(folder, name, "train", ["history_item_ids", "target_item_id"])
    rows = rows.take(np.sort(rng.choice(len(rows), min(count, len(rows)), replace=False)))
    order = ", the oldest first" if corpus.words.in_time_order else ""
    texts = []
    for shown, target in zip(*(rows[column].to_pylist() for column in rows.column_names), strict=True):
        lines = [f"* {title[item]}" for item in [*shown, target]]
        again = [lines[number] for number in rng.permutation(len(lines))]
        head = f"These {corpus.words.item}s were {corpus.words.consumed}{order}:"
        texts.append("\n".join([head, *lines, "The same in another order:", *again]))
    return corpus.words.description(items).to_list(), [texts[number] for number in rng.permutation(len(texts))]
