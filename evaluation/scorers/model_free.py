"""Two systems that need no model, the floor under every table: the mean of what is shown, and the mean of the item.

`history_mean` answers "what does this user usually think?" from the behaviors the prompt shows, `item_mean` answers "what do
users usually think of this item?" from the train split. A tuned model should beat both.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa

from dataset_builders.corpora import load_corpus
from dataset_builders.stages.view import table_name
from dataset_builders.tables import store
from dataset_builders.tables.keys import rows_of


def history_mean(folder: Path, config_name: str, split: str, sample_ids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(n,) labels, and (n,) mean rating of the behaviors shown, mapped from the corpus' rating range to [0, 1].

    A sample that shows no behavior gets the middle of the range, 0.5: nothing is known of that user.
    """
    samples = _samples(folder, split, sample_ids, ["position", "label"])
    shown, counts = _shown(folder, config_name, split, sample_ids)
    first = np.repeat(sample_ids - samples["position"].to_numpy(), counts)  # where the user's interactions begin
    rating = store.read(folder, "interactions", columns=["rating"])["rating"].to_numpy()[first + shown]
    total = np.bincount(np.repeat(np.arange(len(counts)), counts), weights=rating, minlength=len(counts))
    low, high = load_corpus(store.provenance(folder, "samples")["corpus"]).rating_range
    mean = np.divide(total, counts, out=np.full(len(counts), (low + high) / 2), where=counts > 0)
    return samples["label"].to_numpy(), (mean - low) / (high - low)


def item_mean(folder: Path, config_name: str, split: str, sample_ids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(n,) labels, and (n,) mean label of each target item in the train split, the same for every `config_name`.

    An item that the train split does not hold gets the mean label of the whole train split. On the train split itself
    this system has seen the labels that it predicts.
    """
    samples = _samples(folder, split, sample_ids, ["item_id", "label"])
    train = store.read(folder, "samples", "train", ["item_id", "label"])
    label = train["label"].to_numpy()
    if not len(label):
        raise ValueError(
            f"The train split of {folder / 'samples'} is empty, so no item has a mean. Use a larger corpus."
        )
    target = samples["item_id"].to_numpy()
    items, code = np.unique(np.r_[train["item_id"].to_numpy(), target], return_inverse=True)
    trained, asked = code[: len(label)], code[len(label) :]
    count = np.bincount(trained, minlength=len(items))
    liked = np.bincount(trained, weights=label, minlength=len(items))
    mean = np.divide(liked, count, out=np.full(len(items), label.mean()), where=count > 0)
    return samples["label"].to_numpy(), mean[asked]


def missing_table(folder: Path, config_name: str) -> str | None:
    """The first table the two systems need that the data set folder lacks, None when it has all."""
    for name in ("samples", "interactions", table_name(config_name)):
        if not store.table_splits(folder, name):
            return name
    return None


def _samples(folder: Path, split: str, sample_ids: np.ndarray, columns: list[str]) -> pa.Table:
    """The rows of `samples` for `sample_ids` (n,), in that order."""
    table = store.read(folder, "samples", split, ["sample_id", *columns])
    return table.take(_rows(table, sample_ids, f"scored samples are not in the {split} split of {folder / 'samples'}"))


def _shown(folder: Path, config_name: str, split: str, sample_ids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Positions shown for all of `sample_ids` (n,), one sample after the other, and how many each shows (n,)."""
    name = table_name(config_name)
    table = store.read(folder, name, split)
    rows = _rows(table, sample_ids, f"scored samples are not in the {split} split of {folder / name}")
    positions = table["positions"].take(rows).combine_chunks()
    return positions.flatten().to_numpy(), positions.value_lengths().to_numpy()


def _rows(table: pa.Table, sample_ids: np.ndarray, what: str) -> np.ndarray:
    """The row of each sample in a table whose samples stand in any order."""
    return rows_of(sample_ids, table["sample_id"].to_numpy(), what)
