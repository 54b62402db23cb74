"""What a data card says in numbers: counts, label balance, lengths of histories and of prompts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow.compute as pc
import pyarrow.parquet as pq

from rella_hub.stages.prepare import field_counts
from rella_hub.tables import store

QUANTILES = (0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0)
SAMPLED_PROMPTS = 150  # of each split: within a few tokens of the quantiles over all prompts, in a tenth of a second
SAMPLED_ROW_GROUPS = 3
SEED = 0


@dataclass(frozen=True)
class CorpusStatistics:
    interactions: int
    users: int
    raters: int  # users who have an interaction
    items: int
    rated_items: int
    field_counts: dict[str, int]
    same_second: int  # interactions that share their time with another one of the same user
    days: tuple[str, str] | None  # first and last, UTC; None where the corpus has no time
    splits: list[SplitStatistics]


@dataclass(frozen=True)
class SplitStatistics:
    name: str
    samples: int
    positive: float | None  # share of label Yes; None where the corpus has no ratings
    history: list[int]  # QUANTILES of the number of earlier behaviors
    users: int
    samples_of_new_users: int  # users without a training sample
    days: tuple[str, str] | None  # first and last, UTC; None where the corpus has no time


def corpus_statistics(folder: Path) -> CorpusStatistics:
    users, items = (store.frame(folder, name) for name in ("users", "items"))
    interactions = store.read(folder, "interactions", columns=["user_id", "item_id", "timestamp"])
    timestamp = interactions["timestamp"]
    timestamp = None if timestamp.null_count else timestamp.to_numpy()
    rated = pl.Series(pc.unique(interactions["item_id"]))
    return CorpusStatistics(
        interactions=len(interactions),
        users=len(users),
        raters=pc.count_distinct(interactions["user_id"]).as_py(),
        items=len(items),
        rated_items=len(rated),
        field_counts=field_counts(users, items, rated),
        same_second=0 if timestamp is None else _sharing_their_time(interactions["user_id"].to_numpy(), timestamp),
        days=None if timestamp is None else _days(timestamp),
        splits=_split_statistics(folder, timestamp),
    )


def quantiles(values: np.ndarray) -> list[int]:
    """QUANTILES of whole numbers, each one a value that occurs; nothing for no values."""
    return [int(q) for q in np.quantile(values, QUANTILES, method="inverted_cdf")] if len(values) else []


def _sharing_their_time(user_id: np.ndarray, timestamp: np.ndarray) -> int:
    as_before = np.r_[False, (user_id[1:] == user_id[:-1]) & (timestamp[1:] == timestamp[:-1])]
    return int(np.count_nonzero(as_before | np.r_[as_before[1:], False]))


def _split_statistics(folder: Path, timestamp: np.ndarray | None) -> list[SplitStatistics]:
    found, train_users = [], None
    columns = ["sample_id", "user_id", "position", *(["label"] if store.has_labels(folder) else [])]
    for split in store.table_splits(folder, "samples"):  # train comes first
        table = store.read(folder, "samples", split, columns)
        sample_id, user_id, position, *label = (column.to_numpy() for column in table.columns)
        train_users = np.unique(user_id) if train_users is None else train_users
        found.append(
            SplitStatistics(
                name=split,
                samples=len(table),
                positive=(float(label[0].mean()) if len(table) else 0.0) if label else None,
                history=quantiles(position),
                users=len(np.unique(user_id)),
                samples_of_new_users=int(np.count_nonzero(~np.isin(user_id, train_users))),
                days=None if timestamp is None or not len(table) else _days(timestamp[sample_id]),
            )
        )
    return found


def _days(timestamp: np.ndarray) -> tuple[str, str]:
    first, last = (datetime.fromtimestamp(int(t), UTC).date().isoformat() for t in (timestamp.min(), timestamp.max()))
    return first, last


def token_quantiles(folder: Path, config: str, split: str, count_tokens: Callable[[list[str]], list[int]]) -> list[int]:
    """QUANTILES of the tokens of a seeded sample of prompts."""
    return quantiles(np.array(count_tokens(sample_prompts(folder, config, split)), dtype=np.int64))


def sample_prompts(folder: Path, config: str, split: str) -> list[str]:
    """Random prompts from a few row groups that lie evenly over the split: as quick on 25 million rows as on one million."""
    groups = [
        (path, group)
        for path in store.shard_paths(folder, config, split)
        for group in range(pq.read_metadata(path).num_row_groups)
    ]
    chosen = np.unique(np.linspace(0, len(groups) - 1, SAMPLED_ROW_GROUPS).astype(int)) if groups else []
    rng = np.random.default_rng(SEED)
    prompts = []
    for path, group in (groups[i] for i in chosen):
        column = pq.ParquetFile(path, memory_map=True).read_row_group(group, columns=["prompt"])["prompt"]
        rows = rng.choice(len(column), min(len(column), SAMPLED_PROMPTS // len(chosen)), replace=False)
        prompts += column.take(np.sort(rows)).to_pylist()
    return prompts
