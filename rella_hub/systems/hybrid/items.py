"""The vectors of a recommender's items, which a hybrid system has inside: by item id, with what they were trained on.

items.safetensors    item_id (n,) int64, vector (n, d) float32; its metadata say which recommender they are of
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from rella_hub.files.hashes import hash_file
from rella_hub.tables import checked
from rella_hub.tables.keys import rows_of

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

    def require_items(self, corpus: str, fingerprint: str, name: str) -> None:
        """ValueError where the data set has another corpus or numbers its items otherwise than the one that the vectors are of."""
        if self.trained_on["corpus"] != corpus:
            raise ValueError(
                f"{name} has item vectors of {self.trained_on['corpus']}, and the data set is of {corpus}. Give a data set of the same corpus."
            )
        if self.trained_on["items"] != fingerprint:
            raise ValueError(
                f"{name} has vectors of another table of items than this build of {corpus} has, so that an id may be another item. Build the "
                "data set as it was, or train the recommender on this one."
            )

    def save(self, folder: Path) -> None:
        tensors = {"item_id": self.item_id.astype(np.int64), "vector": self.vectors.astype(np.float32)}
        save_file(tensors, folder / FILE, metadata={"trained_on": json.dumps(self.trained_on)})


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


def hash_of(folder: Path) -> str:
    return hash_file(folder / FILE)
