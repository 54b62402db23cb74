"""Systems that choose the next item without a model: the most popular candidate, and one at random.

A system that does not beat them has learnt nothing. They take the questions of a file of choices and give scores (n, C).
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from rella_hub.tables import store
from rella_hub.tables.choices import Choices, best

SEED = 0


def popularity(folder: Path, asked: Choices) -> np.ndarray:
    """(n, C) how often each candidate is the target of a training sample."""
    items, count = np.unique(
        store.read(folder, "samples", "train", ["item_id"])["item_id"].to_numpy(), return_counts=True
    )
    at = np.searchsorted(items, asked.item_ids).clip(max=max(len(items) - 1, 0))
    return np.where(items[at] == asked.item_ids, count[at], 0).astype(np.float64)


def random(folder: Path, asked: Choices) -> np.ndarray:
    """(n, C) seeded numbers, the same for the same questions."""
    return np.random.default_rng([SEED, asked.record["draw"]]).random(asked.item_ids.shape)


MODEL_FREE_CHOICES = {"popularity": popularity, "random": random}


def answered(name: str, folder: Path, asked: Choices) -> Choices:
    """The choices of one of `MODEL_FREE_CHOICES` on the questions of others."""
    scores = MODEL_FREE_CHOICES[name](folder, asked)
    record = {**asked.record, "system": name, "base": None, "adapter": None, "model_identity": None}
    return replace(asked, path=None, scores=scores, chosen=best(asked.item_ids, scores), record=record)
