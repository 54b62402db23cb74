"""How well stored candidates are ranked, and how unpopular what is found is: numbers of one question each.

    NDCG@k = [rank <= k] / log2(1 + rank)        Hit@k = [rank <= k]        rank: of the target among its candidates, from 1
    EPC@k  = NDCG@k (1 - p_user(target)) / D     p_user: the share of the users who have the item in training
    EFD@k  = NDCG@k (-log2 p(target)) / D        p: the item's share of the interactions of training;  D = sum_{j=1..k} 1 / log2(1 + j)

Source: SLIM (arXiv 2403.04260) for NDCG@10, Hit@10, Hit@20, EFD@10, EPC@10, by the definitions of Vargas and Castells (RecSys 2011), as the
Elliot framework has them: only what is relevant counts, and here one item is. SLIM's numbers fit: EPC@10 of its SASRec on Games is 0.0511,
nearly its NDCG@10 of 0.2273 over D = 4.544. An item that is not in training counts as one interaction of one user (ours: it has no
logarithm otherwise).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rella_hub.tables import store

NDCG, HITS = 10, (10, 20)
METRICS = ("ndcg_at_10", "hit_at_10", "hit_at_20", "efd_at_10", "epc_at_10")
TITLES = {
    "ndcg_at_10": "NDCG@10",
    "hit_at_10": "Hit@10",
    "hit_at_20": "Hit@20",
    "efd_at_10": "EFD@10",
    "epc_at_10": "EPC@10",
}


def ranks(scores: np.ndarray, target: np.ndarray) -> np.ndarray:
    """(n,) rank of the target, from 1; candidates with its very score come before it, so that a constant score finds nothing.

    scores: (n, C); target: (n,) its place among the candidates.
    """
    own = np.take_along_axis(scores, target[:, None], axis=1)
    return (scores >= own).sum(axis=1)


@dataclass(frozen=True)
class Popularity:
    """How often items stand in the targets and histories of training."""

    item_id: np.ndarray  # (I,) ascending
    users: np.ndarray  # (I,) share of the users who have it
    interactions: np.ndarray  # (I,) its share of all of them
    counts: np.ndarray  # (I,)

    @staticmethod
    def of(folder: Path) -> Popularity:
        """Of every interaction but those that validation and test ask for."""
        table = store.read(folder, "interactions", columns=["user_id", "item_id"])
        user_id, item_id = (column.to_numpy() for column in table.columns)
        asked = [
            store.read(folder, "samples", split, ["sample_id"])["sample_id"].to_numpy()
            for split in ("validation", "test")
        ]
        known = np.ones(len(user_id), dtype=bool)
        known[np.concatenate(asked)] = False
        items = np.sort(store.read(folder, "items", columns=["item_id"])["item_id"].to_numpy())
        counts = np.bincount(np.searchsorted(items, item_id[known]), minlength=len(items))
        least = np.maximum(counts, 1)
        return Popularity(items, least / len(np.unique(user_id[known])), least / known.sum(), counts)

    def rows(self, item_id: np.ndarray) -> np.ndarray:
        return np.searchsorted(self.item_id, item_id)


def of_questions(rank: np.ndarray, target_id: np.ndarray, known: Popularity) -> dict[str, np.ndarray]:
    """name -> (n,) of each question. known: an item has at most one interaction with a user."""
    places = 1 / np.log2(2 + np.arange(NDCG))
    gain = np.where(rank <= NDCG, 1 / np.log2(1 + rank), 0.0)
    row = known.rows(target_id)
    return {
        "ndcg_at_10": gain,
        **{f"hit_at_{k}": (rank <= k).astype(float) for k in HITS},
        "efd_at_10": gain * -np.log2(known.interactions[row]) / places.sum(),
        "epc_at_10": gain * (1 - known.users[row]) / places.sum(),
    }


def chance(target_id: np.ndarray, candidates: int, known: Popularity) -> dict[str, float]:
    """What a random order of the candidates gives on average: exactly, over all ranks."""
    every = [of_questions(np.full(len(target_id), rank), target_id, known) for rank in range(1, candidates + 1)]
    return {name: float(np.mean([one[name].mean() for one in every])) for name in METRICS}


def popularity_scores(item_ids: np.ndarray, known: Popularity, seed: int = 0) -> np.ndarray:
    """(n, C) how often each candidate stands in training; equally frequent ones in a random order."""
    return known.counts[known.rows(item_ids)] + np.random.default_rng(seed).random(item_ids.shape)
