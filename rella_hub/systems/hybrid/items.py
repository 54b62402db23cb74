"""The vectors of a recommender's items, which a hybrid system has inside: by item id, with what they were trained on.

items.safetensors    item_id (n,) int64, vector (n, d) float32; its metadata say which recommender they are of
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
import torch
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from rella_hub.corpora import load_corpus
from rella_hub.prompts.choosing import next_item
from rella_hub.tables import checked, store
from rella_hub.tables.keys import rows_of
from rella_hub.tables.runs import public_name

FILE = "items.safetensors"
KINDS = {"recommender": checked.LINE, "corpus": checked.NAME, "items": checked.LINE, "sha256": checked.LINE}


@dataclass(frozen=True, eq=False)
class ItemVectors:
    item_id: np.ndarray  # (n,) int64, distinct
    vectors: np.ndarray  # (n, d) float32
    trained_on: (
        dict  # KINDS: name of the recommender, its corpus, fingerprint of the table of items, hash of its weights
    )

    @property
    def width(self) -> int:
        return self.vectors.shape[1]

    def rows(self, item_ids: np.ndarray) -> np.ndarray:
        """Rows of items by id. ValueError for an item that the recommender does not know."""
        return rows_of(
            item_ids, self.item_id, f"items are not among those of the recommender {self.trained_on['recommender']}"
        )

    def tensor(self) -> torch.Tensor:
        return torch.from_numpy(self.vectors)

    def require_same_items(self, folder: Path) -> None:
        """ValueError where a data set has another corpus, or numbers its items otherwise, than the one that the vectors are of."""
        corpus, known = store.made_from(folder, "items")["corpus"], self.trained_on
        if known["corpus"] != corpus:
            raise ValueError(
                f"The recommender {known['recommender']} was trained on {known['corpus']}, and {folder} is of {corpus}. Give one that was "
                "trained on this data set."
            )
        if known["items"] != fingerprint_of_items(folder):
            raise ValueError(
                f"The recommender {known['recommender']} was trained on another table of items than {folder} has, so that an id may be "
                "another item. Build the data set as it was, or train the recommender on this one."
            )

    def save(self, folder: Path) -> None:
        tensors = {"item_id": self.item_id.astype(np.int64), "vector": self.vectors.astype(np.float32)}
        save_file(tensors, folder / FILE, metadata={"trained_on": json.dumps(self.trained_on)})


def fingerprint_of_items(folder: Path) -> str:
    """Of the ids and titles of a data set's items."""
    items = pl.DataFrame(store.read(folder, "items")).sort("item_id")
    titles = next_item.titles(load_corpus(store.made_from(folder, "items")["corpus"]).words, items)
    text = json.dumps([items["item_id"].to_list(), titles.to_list()])
    return hashlib.sha256(text.encode()).hexdigest()


def load_items(folder: Path) -> ItemVectors:
    """ValueError where the file is missing, damaged, or no such table."""
    path = folder / FILE
    try:
        with safe_open(path, framework="numpy") as file:
            trained_on = json.loads((file.metadata() or {})["trained_on"])
            item_id, vectors = (file.get_tensor(name) for name in ("item_id", "vector"))
    except (OSError, SafetensorError, KeyError, ValueError, TypeError) as error:
        raise ValueError(
            f"{path} is no whole table of item vectors ({error}). Get the model again, or train it again."
        ) from error
    checked.require(trained_on, KINDS, str(path))
    shapes = item_id.ndim == 1 and vectors.ndim == 2 and len(item_id) == len(vectors) > 0
    if not shapes or len(np.unique(item_id)) != len(item_id) or not np.isfinite(vectors).all():
        raise ValueError(
            f"{path} has item_id {item_id.shape} and vector {vectors.shape}; expected a finite vector for each of distinct items. Get the "
            "model again, or train it again."
        )
    return ItemVectors(item_id, vectors.astype(np.float32), trained_on)


def of_recommender(name: str, revision: str | None) -> ItemVectors:
    """The item vectors of a sequential recommender by run folder or Hub id."""
    from rella_hub.systems.sequential.items import read_item_table

    table = read_item_table(name, revision)
    return ItemVectors(table.item_id, table.vectors, {"recommender": public_name(name), **table.identity})
