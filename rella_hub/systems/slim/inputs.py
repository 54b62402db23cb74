"""Histories, each with the row of its user's text behind it. A text never serves a target that it may have seen."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from rella_hub.systems.sequential.inputs import Histories
from rella_hub.systems.sequential.items import Items
from rella_hub.tables import text_vectors
from rella_hub.tables.keys import codes_of
from rella_hub.tables.text_vectors import TextVectors

NOBODY = 0  # the row of the texts of users that stands for no text


@dataclass(frozen=True)
class Told(Histories):
    """`take` gives (B, T + 1): the rows of the items, and then that of the user's text."""

    text: Tensor  # (S,) int64

    def take(self, numbers: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        items, mask, target = super().take(numbers)
        return torch.cat([items, self.text[numbers, None]], dim=1), mask, target

    def only(self, chosen: np.ndarray) -> Told:
        """The samples of a (S,) choice. ValueError where there are none."""
        if not chosen.any():
            raise ValueError("No sample is left: none of these users has a text that was written before the target.")
        kept = torch.from_numpy(chosen)
        return replace(self, sample_id=self.sample_id[kept], position=self.position[kept], text=self.text[kept])


def told(behaviors: Tensor, sample_id, user_id, position, history_length: int, texts: TextVectors | None) -> Told:
    """sample_id, user_id, position: (S,) of the samples."""
    found = Histories.of(behaviors, sample_id, position, history_length)
    rows = torch.from_numpy(text_rows(user_id, position, texts))
    return Told(found.behaviors, found.sample_id, found.position, history_length, rows)


def text_rows(user_id: np.ndarray, position: np.ndarray, texts: TextVectors | None) -> np.ndarray:
    """(S,) the row of each sample's text, from 1; NOBODY for a user without one, and where the text was written from the target on."""
    if texts is None or not len(texts.key):
        return np.zeros(len(user_id), dtype=np.int64)
    at = np.searchsorted(texts.key, user_id).clip(max=len(texts.key) - 1)
    serves = (texts.key[at] == user_id) & (texts.position[at] <= position)
    return np.where(serves, at + 1, NOBODY).astype(np.int64)


def user_table(texts: TextVectors, shuffled_by: int | None) -> Tensor:
    """(U + 1, W) of `text_rows`; shuffled_by: the seed by which every user gets the text of another one."""
    vectors = texts.vectors
    if shuffled_by is not None:
        if len(vectors) < 2:
            raise ValueError("--shuffled true needs the texts of at least two users.")
        order = np.random.default_rng(shuffled_by).permutation(len(vectors))
        vectors = np.empty_like(vectors)
        vectors[order] = texts.vectors[np.roll(order, 1)]  # along one circle of all: nobody keeps the own
    return torch.from_numpy(np.concatenate([np.zeros_like(vectors[:1]), vectors]))


def item_table(folder: Path, items: Items, texts: TextVectors) -> Tensor:
    """(I + 1, W) in the rows of the recommender's items. ValueError where an item has no text vector."""
    rows = codes_of(
        items.item_id, texts.key, f"items have no row in {folder / text_vectors.table_of(text_vectors.ITEMS)}"
    )
    return torch.from_numpy(np.concatenate([np.zeros_like(texts.vectors[:1]), texts.vectors[rows]]))
