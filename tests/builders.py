"""What several tests build on: small data sets, item vectors, scores and reports, all made up."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from rella_hub.cards.dataset.card import write_card
from rella_hub.corpora import demo
from rella_hub.corpora.raw.archive import RawFiles
from rella_hub.stages.arguments import CandidateArguments, FolderArguments, PromptArguments, RawArguments, ViewArguments
from rella_hub.stages.candidates import draw_candidates
from rella_hub.stages.prepare import prepare
from rella_hub.stages.prompt import build_prompts
from rella_hub.stages.view import build_views
from rella_hub.tables import schema, store
from rella_hub.tables.scores import Scores
from rella_hub.vectors.reduce import normalize
from rella_hub.views import vectors_table

DISTANCE = {
    "cosine": lambda x, y: -(x @ y) / np.sqrt((x @ x) * (y @ y)),
    "inner_product": lambda x, y: -(x @ y),
    "l2": lambda x, y: ((x - y) ** 2).sum(),
    "l1": lambda x, y: np.abs(x - y).sum(),
}


def nearest(history: list, target: np.ndarray, history_length: int, similarity: str) -> list[int]:
    """Positions of the closest behaviors by sorting all of them; of equally close ones the more recent."""
    distance = {position: DISTANCE[similarity](target, vector) for position, vector in enumerate(history)}
    closest = sorted(distance, key=lambda position: (distance[position], -position))[:history_length]
    return sorted(closest)


def write_vectors(
    where, without: int | None = None, seed: int = 2, variant: str | None = None
) -> dict[int, np.ndarray]:
    """Random vectors as the stage `embed` writes them, in no order; the vectors before normalization, by item id."""
    item_id = store.read(where.folder, "items")["item_id"].to_numpy()
    item_id = np.random.default_rng(1).permutation(item_id[item_id != without])
    given = np.random.default_rng(seed).normal(size=(len(item_id), 6)).astype(np.float32)
    vectors, norms = normalize(given)
    table = pa.table(
        {"item_id": item_id, "vector": pa.FixedSizeListArray.from_arrays(vectors.ravel(), 6), "norm": norms}
    )
    made_from = {"corpus": "ml1m", "inputs": {}, "encoder": "chance", "encoder_revision": str(seed)}
    store.write(where.folder, vectors_table(variant), schema.item_vectors(6), {"train": table}, made_from)
    return dict(zip(item_id.tolist(), given.astype(np.float64), strict=True))


def expected_view(where, split, select) -> list[dict]:
    items = store.read(where.folder, "interactions")["item_id"].to_pylist()
    return [
        {"sample_id": s["sample_id"], "positions": select(items[s["sample_id"] - s["position"] : s["sample_id"]], s)}
        for s in store.read(where.folder, "samples", split).to_pylist()
    ]


USERS, BEHAVIORS, ITEMS, HISTORY_LENGTH = 30, 14, 12, 4


CONFIG = "subr_k4"


UNSEEN_ITEM = 99  # in no training sample


def write_dataset(folder: Path, seed: int = 0) -> None:
    """`interactions`, `samples` and one view of a made-up corpus, each split in a random order."""
    rng = np.random.default_rng(seed)
    n = USERS * BEHAVIORS
    rating = rng.integers(1, 6, n).astype(np.float32)
    table = {
        "user_id": np.repeat(np.arange(USERS), BEHAVIORS) + 1,
        "item_id": rng.integers(1, ITEMS + 1, n),
        "rating": rating,
        "timestamp": np.arange(n),
        "label": (rating > 3).astype(np.int64),
    }
    position = np.tile(np.arange(BEHAVIORS), USERS)
    table["item_id"][position == BEHAVIORS - 1] = np.where(rng.random(USERS) < 0.3, UNSEEN_ITEM, 1)
    rows = {
        "train": np.flatnonzero((position >= 5) & (position < BEHAVIORS - 3)),
        "validation": np.flatnonzero(position == BEHAVIORS - 3),
        "test": np.flatnonzero(position >= BEHAVIORS - 2),
    }
    rows = {split: rng.permutation(found) for split, found in rows.items()}
    samples = {
        split: pa.table(
            {"sample_id": found, "position": position[found]}
            | {column: table[column][found] for column in ("user_id", "item_id", "label")}
        )
        for split, found in rows.items()
    }
    views = {
        split: pa.table({"sample_id": found, "positions": [some_positions(rng, position[row]) for row in found]})
        for split, found in rows.items()
    }
    made_from = {"corpus": "ml1m"}
    whole = {"train": pa.table(table)}
    store.write(folder, "interactions", schema.INTERACTIONS, whole, made_from)
    for name, features, splits in (("samples", schema.SAMPLES, samples), (f"view_{CONFIG}", schema.VIEWS, views)):
        store.write(folder, name, features, splits, made_from)


def some_positions(rng: np.random.Generator, before: int) -> list[int]:
    return np.sort(rng.choice(before, HISTORY_LENGTH, replace=False)).tolist()


def sample_ids_of(folder: Path, split: str = "test") -> np.ndarray:
    return store.read(folder, "samples", split)["sample_id"].to_numpy()


RECORD = {
    "system": "zero_shot",
    "base": "tiny",
    "adapter": None,
    "dataset": "rella/demo",
    "dataset_folder": None,
    "config_name": "subr_k30",
    "split": "test",
    "corpus": "demo",
    "limit": None,
    "seed": 0,
    "fingerprint": "0123",
}


REPOSITORY = Path(__file__).parents[1]


def some_scores(
    name: str = "a", n: int = 60, seed: int = 0, label=None, sample_id=None, users: bool = True, **record
) -> Scores:
    """Scores of one made-up system; labels and users depend on the sample alone."""
    sample_id = np.arange(n) if sample_id is None else sample_id
    label = (sample_id % 3 == 0).astype(np.int64) if label is None else label
    score = np.clip(0.3 * label + 0.7 * np.random.default_rng(seed).random(len(label)), 0, 1)
    users = sample_id // 4 if users else None
    return Scores(Path("runs") / name / "scores.parquet", sample_id, users, label, score, RECORD | record)


def run_report(where: Path, *arguments: str) -> subprocess.CompletedProcess:
    command = [sys.executable, str(REPOSITORY / "evaluation/report.py"), *arguments]
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY), "HF_HUB_OFFLINE": "1"}
    return subprocess.run(command, cwd=where, env=environment, capture_output=True, text=True)


class InMemory(RawFiles):
    def __init__(self, data: bytes):
        super().__init__(Path("nowhere"), "", "unverified")
        self.data = data

    def _open(self, name: str) -> BytesIO:
        return BytesIO(self.data)


@dataclass(frozen=True)
class Model:
    base: str = field(metadata={"help": "Base model."})
    rank: int = field(default=8, metadata={"help": "Rank."})
    target_modules: list[str] = field(default_factory=lambda: ["q_proj", "v_proj"], metadata={"help": "Modules."})


@dataclass(frozen=True)
class Training:
    learning_rate: float = field(default=1e-3, metadata={"help": "Step size."})
    packing: bool = field(default=False, metadata={"help": "Pack."})
    note: str | None = field(default=None, metadata={"help": "Note."})


def build_bookcrossing(folder: Path) -> FolderArguments:
    """The invented BookCrossing, whose terms allow to pass it on, with recency at K = 3 and 5, in files of 14 rows."""
    where = FolderArguments(corpus="bookcrossing", output=str(folder / "rella/bookcrossing"))
    views = ViewArguments(view=["recency"], history_length=[3, 5])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store, "ROWS_PER_SHARD", 40)
        prepare(where, RawArguments(raw=str(Path(__file__).parent / "fixtures/raw/bookcrossing")))
        build_views(where, views)
        build_prompts(where, views, PromptArguments())
    write_card(where)
    return where


def build_leave_one_out(folder: Path, users: int) -> FolderArguments:
    """The demo corpus of so many users with the task of SLIM, and its candidates."""
    before, demo.USERS = demo.USERS, users
    try:
        raw = demo.generate(folder / "raw")
    finally:
        demo.USERS = before
    where = FolderArguments(corpus="demo", output=str(folder / "rella" / "demo"))
    prepare(where, RawArguments(raw=str(raw), task="leave_one_out"))
    draw_candidates(where, CandidateArguments())
    return where
