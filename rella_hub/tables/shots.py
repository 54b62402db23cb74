"""Prompts as few-shot training sets and seeded test samples: which rows of a config are used."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from rella_hub.tables import store
from rella_hub.tables.rows import RowReader

COLUMNS = ["sample_id", "prompt", "completion", "label"]
MOST_ROWS_PER_SAMPLE = 100


def training_split(folder: Path, config_name: str) -> tuple[str, int]:
    """The split to train on and its rows per sample: `mixed` holds those of a sample one after the other."""
    if "mixed" not in store.table_splits(folder, config_name):
        return "train", 1
    rows = min(store.count_rows(folder, config_name, "mixed"), MOST_ROWS_PER_SAMPLE)
    sample_id = store.read_rows(folder, config_name, 0, rows, "mixed", ["sample_id"])["sample_id"]
    return "mixed", pc.sum(pc.equal(sample_id, sample_id[0])).as_py() if len(sample_id) else 1


def count_shots(folder: Path, config_name: str, num_shots: int | None) -> tuple[str, int]:
    """The split of the N-shot training set and how many of its first rows that is: N samples, 2N rows of `mixed`; None takes all."""
    split, rows_per_sample = training_split(folder, config_name)
    available = store.count_rows(folder, config_name, split) // rows_per_sample
    if num_shots is None:
        num_shots = available
    if not 1 <= num_shots <= available:
        raise ValueError(f"num_shots is {num_shots:,}, but {folder}/{config_name} has {available:,} training samples.")
    return split, num_shots * rows_per_sample


def first_shots(folder: Path, config_name: str, num_shots: int | None) -> pa.Table:
    """The N-shot training set, in the stored order."""
    return first_rows(folder, config_name, *count_shots(folder, config_name, num_shots))


def first_rows(folder: Path, config_name: str, split: str, rows: int) -> pa.Table:
    """The first rows of a split, without reading the rest."""
    parts, have = [], 0
    for batch in store.iterate(folder, config_name, split, min(rows, 50_000), COLUMNS):
        parts.append(batch.slice(0, rows - have))
        have += len(parts[-1])
        if have == rows:
            break
    return pa.Table.from_batches(parts)


def seeded_numbers(folder: Path, config_name: str, split: str, limit: int | None, seed: int) -> np.ndarray:
    """(n,) ascending numbers of `limit` random rows of a split (None: all). The same for every config of a data set, whose splits
    hold the same samples in the same order."""
    rows = store.count_rows(folder, config_name, split)
    if limit is None or limit >= rows:
        return np.arange(rows)
    if limit < 1:
        raise ValueError(f"limit is {limit}; at least 1 row is needed.")
    return np.sort(np.random.default_rng(seed).choice(rows, limit, replace=False))


def seeded_rows(folder: Path, config_name: str, split: str, limit: int | None, seed: int) -> pa.Table:
    """The rows of `seeded_numbers`, in stored order."""
    chosen = seeded_numbers(folder, config_name, split, limit, seed)
    return RowReader(folder, config_name, split, COLUMNS).take(chosen)


def sample_ids(folder: Path, split: str, limit: int | None = None) -> np.ndarray:
    """(S,) ids of a split in stored order, or of its first `limit`: of train, the N-shot training set."""
    available = store.count_rows(folder, "samples", split)
    if limit is not None and not 1 <= limit <= available:
        raise ValueError(f"{limit:,} samples of {split} are asked for, but {folder} has {available:,}.")
    return store.read_rows(folder, "samples", 0, limit or available, split, ["sample_id"])["sample_id"].to_numpy()


def seeded_ids(folder: Path, split: str, limit: int | None, seed: int) -> np.ndarray:
    """(n,) ids of a split in stored order: those of the rows that `seeded_numbers` chooses."""
    return sample_ids(folder, split)[seeded_numbers(folder, "samples", split, limit, seed)]
