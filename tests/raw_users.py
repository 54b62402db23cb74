"""A raw corpus in the format of MovieLens-1M in which every user has a profile of their own, built into a data set with two views."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa

from rella_hub.stages.arguments import FolderArguments, RawArguments, ViewArguments
from rella_hub.stages.prepare import prepare
from rella_hub.stages.view import build_views
from rella_hub.tables import schema, store

HISTORY_LENGTH, USERS, MOVIES = 4, 25, 30


TITLES = ["2001 (1968)", "7. Seal (5 stars)", "12 (4 stars) Angry Men", "Will he like it? (1999)"]  # and plain ones


def write_raw(folder: Path, seed: int) -> None:
    """A corpus in MovieLens-1M's format in which every user has a profile of their own, so that a text tells its user."""
    rng = np.random.default_rng(seed)
    folder.mkdir()
    ages, genres = [1, 18, 25, 35, 45, 50, 56], ["Drama", "Comedy", "Horror"]
    titles = TITLES + [f"Movie {i} ({1950 + i})" for i in range(MOVIES - len(TITLES))]
    users = [f"{u + 1}::{'MF'[u % 2]}::{ages[u % 7]}::{u % 21}::12345" for u in range(USERS)]
    movies = [f"{3 * m + 5}::{title}::{rng.choice(genres)}" for m, title in enumerate(titles)]
    ratings = []
    for user in range(USERS):
        seconds = rng.integers(0, 500_000) + np.sort(rng.integers(0, 300_000, size := rng.integers(6, 25)))
        rated = rng.choice(MOVIES, size, replace=False)
        ratings += [f"{user + 1}::{3 * m + 5}::{rng.integers(1, 6)}::{t}" for m, t in zip(rated, seconds, strict=True)]
    for name, lines in (("users", users), ("movies", movies), ("ratings", ratings)):
        (folder / f"{name}.dat").write_text("\n".join(lines) + "\n", encoding="latin-1")


def build(folder: Path, seed: int) -> Path:
    write_raw(folder / "raw", seed)
    where = FolderArguments(corpus="ml1m", output=str(folder / "data"))
    prepare(where, RawArguments(raw=str(folder / "raw"), seed=seed))
    items = store.read(where.folder, "items", columns=["item_id"]).combine_chunks()
    vectors = np.random.default_rng(seed).normal(size=(len(items), 6)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    columns = {"item_id": items["item_id"], "vector": pa.FixedSizeListArray.from_arrays(vectors.ravel(), 6)}
    table = pa.table(columns | {"norm": np.ones(len(items), dtype=np.float32)})
    store.write(where.folder, "item_vectors", schema.item_vectors(6), {"train": table}, {"corpus": "ml1m"})
    build_views(where, ViewArguments(view=["recency", "subr"], history_length=[HISTORY_LENGTH]))
    return where.folder
