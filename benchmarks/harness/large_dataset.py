"""Data sets of MovieLens-25M's size for the benchmarks: their generated archives, and item vectors drawn at random."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa

from harness import movielens_25m
from rella_hub.files import ownership
from rella_hub.tables import records, schema, store
from rella_hub.vectors.reduce import normalize

WIDTH = 384
ALL = ("--train_rows", "all", "--validation_rows", "all", "--test_rows", "all")


def archive(folder: Path, users: int) -> Path:
    """The archive of so many users in `folder`, made where it is missing."""
    path = folder / f"ml-25m-{users}-users.zip"
    if not path.exists():
        with ownership.writing_file(path, movielens_25m.GENERATED) as temporary:
            movielens_25m.generate(temporary, users)
    return path


def write_random_vectors(folder: Path) -> None:
    item_id = store.read(folder, "items", columns=["item_id"])["item_id"].to_numpy()
    vectors, norms = normalize(np.random.default_rng(0).standard_normal((len(item_id), WIDTH)).astype(np.float32))
    table = pa.table(
        {"item_id": item_id, "vector": pa.FixedSizeListArray.from_arrays(vectors.ravel(), WIDTH), "norm": norms}
    )
    made_from = {
        "corpus": "ml25m",
        "inputs": records.input_fingerprints(folder, ["items"]),
        "encoder": "random",
        "encoder_revision": "unknown",
        "dimension": WIDTH,
    }
    store.write(folder, "item_vectors", schema.item_vectors(WIDTH), {store.SINGLE_SPLIT: table}, made_from)
