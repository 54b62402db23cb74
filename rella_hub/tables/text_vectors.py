"""Texts as vectors, encoded once for every recommender that reads them: of items, and of users.

    text_vectors_items                                  a row an item
    text_vectors_titles                                 a row a user: the titles that a rationale is written from, without a rationale
    text_vectors_<rationales>[_step1|_step2|_step3]     a row a user: the whole rationale, or one step of it

A user's text may serve targets from `position` on: it was written from behaviors before.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from datasets import Features, List, Value

from rella_hub.tables import store

TABLE, ITEMS, TITLES = "text_vectors", "items", "titles"


def schema(width: int, key: str) -> Features:
    """key: item_id or user_id. Vectors have unit length."""
    return Features({key: Value("int32"), "position": Value("int32"), "vector": List(Value("float32"), length=width)})


def table_of(texts: str) -> str:
    return f"{TABLE}_{texts}"


def is_text_vectors(table: str) -> bool:
    return table.startswith(f"{TABLE}_")


@dataclass(frozen=True)
class TextVectors:
    key: np.ndarray  # (n,) ids, ascending
    position: np.ndarray  # (n,) the first position that a text may serve; 0 for items
    vectors: np.ndarray  # (n, D) float32
    fingerprint: str


def read(folder: Path, texts: str) -> TextVectors:
    """ValueError naming the command that writes the table where it is missing."""
    name = table_of(texts)
    if store.provenance(folder, name) is None:
        raise ValueError(
            f"{folder} has no {name}. Write it first: python dataset_builders/embed_texts.py --corpus "
            f"{store.made_from(folder, 'items')['corpus']} --texts {texts}"
        )
    table = store.read(folder, name)
    key, position = table.column(0).to_numpy(), table["position"].to_numpy()
    vectors = table["vector"].combine_chunks().flatten().to_numpy().reshape(len(table), -1)
    if len(key) and (np.diff(key) <= 0).any():
        raise ValueError(f"{folder / name} is not sorted by {table.column_names[0]}. Build it again.")
    return TextVectors(key, position, vectors, store.made_from(folder, name)["fingerprint"])
