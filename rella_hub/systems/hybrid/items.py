"""The item vectors of a recommender as a hybrid system has them inside, so that it needs no second repository.

items.safetensors    item_id (n,) int64 and vector (n, d) float32; its metadata say which recommender they are of
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from rella_hub.systems.hybrid.options import ITEMS as FILE
from rella_hub.systems.sequential.items import Items, ItemTable
from rella_hub.tables import checked
from rella_hub.tables.checked import LINE, NAME

AGAIN = "Get the model again, or train it again."
IDENTITY = {"name": LINE, "model": NAME, "corpus": NAME, "sha256": LINE, "items_sha256": LINE}  # of the recommender


def save_items(table: ItemTable, folder: Path) -> None:
    tensors = {"item_id": table.items.item_id.astype(np.int64), "vector": table.vectors.astype(np.float32)}
    save_file(tensors, folder / FILE, metadata={"recommender": json.dumps(table.identity)})


def load_items(folder: Path) -> ItemTable:
    """ValueError where the file is missing, damaged, or no such table."""
    path = folder / FILE
    try:
        with safe_open(path, framework="numpy") as file:
            identity = checked.parse_json((file.metadata() or {})["recommender"], str(path))
            item_id, vectors = (file.get_tensor(name) for name in ("item_id", "vector"))
    except (OSError, SafetensorError, KeyError) as error:
        raise ValueError(f"{path} is no whole table of item vectors ({error}). {AGAIN}") from error
    identity = checked.require(identity, IDENTITY, str(path))
    shapes = item_id.ndim == 1 and vectors.ndim == 2 and len(item_id) == len(vectors) > 0
    if not shapes or (np.diff(item_id) <= 0).any() or not np.isfinite(vectors).all():
        raise ValueError(
            f"{path} has item_id {item_id.shape} and vector {vectors.shape}; expected a finite vector for each of the items, whose ids "
            f"ascend. {AGAIN}"
        )
    items = Items(identity["corpus"], item_id, identity["items_sha256"])
    return ItemTable(items, vectors.astype(np.float32), identity)
