"""Systems that need no model, the floor under every table: the mean of what is shown, the mean of the item, and both weighed.

`history_mean` answers "what does this user usually think?" from the behaviors the prompt shows, `item_mean` answers "what do
users usually think of this item?" from the train split. `both_means` is a logistic regression on the two: three weights. A trained
model should beat them all.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from rella_hub.corpora import load_corpus
from rella_hub.hub import resolve as hub
from rella_hub.systems.score_options import SampleOptions
from rella_hub.tables import store
from rella_hub.tables.keys import rows_of
from rella_hub.views import table_name

if TYPE_CHECKING:
    from sklearn.linear_model import LogisticRegression

FITTED_SAMPLES = 1_000_000  # more than enough for three weights


class NotFitted(ValueError):
    """Where there is nothing to fit `both_means` on."""


def history_mean(folder: Path, config_name: str, split: str, sample_ids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(n,) labels, and (n,) mean rating of the behaviors shown, mapped from the corpus' rating range to [0, 1].

    A sample that shows no behavior gets the middle of the range, 0.5: nothing is known of that user.
    """
    samples = _samples(folder, split, sample_ids, ["position", "label"])
    return samples["label"].to_numpy(), _mean_shown(folder, samples, _shown(folder, config_name, split, sample_ids))


def item_mean(folder: Path, config_name: str, split: str, sample_ids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(n,) labels, and (n,) mean label of each target item in the train split, the same for every `config_name`.

    An item that the train split does not hold gets the mean label of the whole train split. On the train split itself
    this system has seen the labels that it predicts.
    """
    samples = _samples(folder, split, sample_ids, ["item_id", "label"])
    return samples["label"].to_numpy(), mean_labels(folder, samples["item_id"].to_numpy())


def mean_labels(folder: Path, item_ids: np.ndarray) -> np.ndarray:
    """(n,) mean label in the train split of each of the items (n,), as `item_mean` says."""
    train = store.read(folder, "samples", "train", ["item_id", "label"])
    label = train["label"].to_numpy()
    if not len(label):
        raise ValueError(
            f"The train split of {folder / 'samples'} is empty, so no item has a mean. Use a larger corpus."
        )
    items, code = np.unique(np.r_[train["item_id"].to_numpy(), item_ids], return_inverse=True)
    trained, asked = code[: len(label)], code[len(label) :]
    count = np.bincount(trained, minlength=len(items))
    liked = np.bincount(trained, weights=label, minlength=len(items))
    mean = np.divide(liked, count, out=np.full(len(items), label.mean()), where=count > 0)
    return mean[asked]


def both_means(folder: Path, config_name: str, split: str, sample_ids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(n,) labels, and (n,) P(Yes) of a logistic regression on `history_mean` and `item_mean`, fitted on the train split.

    `NotFitted` where it cannot be.
    """
    regression = fit_both_means(folder, config_name)
    labels, shown = history_mean(folder, config_name, split, sample_ids)
    _, liked = item_mean(folder, config_name, split, sample_ids)
    return labels, regression.predict_proba(np.column_stack([shown, liked]))[:, 1]


def fit_both_means(folder: Path, config_name: str) -> LogisticRegression:
    """The regression of `both_means`, on history mean and item mean.

    In fitting, the mean of a sample's item leaves that sample's own label out: with it, an item's only rating would give itself away.
    The fit reads at most `FITTED_SAMPLES` rows, the first of those that the config trains on.
    """
    from sklearn.linear_model import LogisticRegression

    name = table_name(config_name)
    trained = next((split for split in ("mixed", "train") if split in store.table_splits(folder, name)), None)
    if trained is None:
        raise NotFitted(f"{folder / name} shows no training samples")
    rows = min(store.count_rows(folder, name, trained), FITTED_SAMPLES)
    table = store.read_rows(folder, name, 0, rows, trained)
    known = table["sample_id"].to_numpy()
    samples = _samples(folder, "train", known, ["position", "label"])
    fitted, shown = samples["label"].to_numpy(), _mean_shown(folder, samples, table["positions"])
    if not len(fitted) or fitted.min() == fitted.max():
        raise NotFitted(f"the training samples of {folder / name} do not have both labels, which a regression needs")
    return LogisticRegression(C=np.inf).fit(np.column_stack([shown, _others_mean(folder, known)]), fitted)


def _mean_shown(folder: Path, samples: pa.Table, positions: pa.ChunkedArray) -> np.ndarray:
    """(n,) mean rating of the behaviors at `positions` (n,) of `samples`, mapped to [0, 1]."""
    positions = positions.combine_chunks()
    counts = positions.value_lengths().to_numpy()
    begin = samples["sample_id"].to_numpy() - samples["position"].to_numpy()  # of the user's interactions
    shown = np.repeat(begin, counts) + positions.flatten().to_numpy()
    rating = store.read(folder, "interactions", columns=["rating"])["rating"].to_numpy()[shown]
    total = np.bincount(np.repeat(np.arange(len(counts)), counts), weights=rating, minlength=len(counts))
    corpus = load_corpus(store.made_from(folder, "samples")["corpus"])
    assert corpus.rating_range is not None, f"{corpus.id} has samples with labels and no ratings"
    return mean_ratings(total, counts, corpus.rating_range)


def mean_ratings(total: np.ndarray, counts: np.ndarray, rating_range: tuple[float, float]) -> np.ndarray:
    """(n,) means of ratings by their sums and numbers (n,), mapped from the range to [0, 1]; its middle where there are none."""
    low, high = rating_range
    mean = np.divide(total, counts, out=np.full(len(counts), (low + high) / 2), where=counts > 0)
    return (mean - low) / (high - low)


def _others_mean(folder: Path, sample_ids: np.ndarray) -> np.ndarray:
    """(n,) the mean label of each training sample's item over all other training samples."""
    train = store.read(folder, "samples", "train", ["sample_id", "item_id", "label"])
    label = train["label"].to_numpy()
    _, code = np.unique(train["item_id"].to_numpy(), return_inverse=True)
    others = np.bincount(code)[code] - 1
    liked = np.bincount(code, weights=label)[code] - label
    mean = np.divide(liked, others, out=np.full(len(label), label.mean()), where=others > 0)
    return mean[_rows(train, sample_ids, f"samples are not in the train split of {folder / 'samples'}")]


def missing_table(folder: Path, config_name: str) -> str | None:
    """The first table these systems need that the data set folder lacks, None when it has all."""
    for name in ("samples", "interactions", table_name(config_name)):
        if not store.table_splits(folder, name):
            return name
    return None


def _samples(folder: Path, split: str, sample_ids: np.ndarray, columns: list[str]) -> pa.Table:
    """The rows of `samples` for `sample_ids` (n,), in that order."""
    table = store.read(folder, "samples", split, ["sample_id", *columns])
    return table.take(_rows(table, sample_ids, f"scored samples are not in the {split} split of {folder / 'samples'}"))


def _shown(folder: Path, config_name: str, split: str, sample_ids: np.ndarray) -> pa.ChunkedArray:
    """(n,) the positions shown for each of `sample_ids`."""
    name = table_name(config_name)
    table = store.read(folder, name, split)
    rows = _rows(table, sample_ids, f"scored samples are not in the {split} split of {folder / name}")
    return table["positions"].take(rows)


def _rows(table: pa.Table, sample_ids: np.ndarray, what: str) -> np.ndarray:
    """The row of each sample in a table whose samples stand in any order."""
    return rows_of(sample_ids, table["sample_id"].to_numpy(), what)


MODEL_FREE = {"history_mean": history_mean, "item_mean": item_mean, "both_means": both_means}


class WithoutModel:
    """One of `MODEL_FREE` as a system that is scored; see `rella_hub.systems`. Its scores are of the view of one config."""

    family, columns, tables, training_samples = None, (), (), None
    read_from = "samples"  # what is shown is enough: its prompts need not be written
    rows_per_chunk = FITTED_SAMPLES  # what is fitted or counted once is needed for each chunk again

    def __init__(self, name: str, samples: SampleOptions):
        view = table_name(samples.config_name)
        folder = hub.resolve(samples.dataset, [view, "samples", "interactions"], samples.dataset_revision)
        shown = store.made_from(folder, view)["fingerprint"]
        self.name, self._samples, self._folder = name, samples, folder
        self.identity = {"model_identity": {"name": name, "model": name}, "view_fingerprint": shown}

    def scores(self, rows: pa.Table) -> np.ndarray:
        ids = rows["sample_id"].to_numpy()
        return MODEL_FREE[self.name](self._folder, self._samples.config_name, self._samples.split, ids)[1]
