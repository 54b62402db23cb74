"""Batches of histories and targets: gathers by index out of one column, no loop over samples or users."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from rella_hub.systems.sequential.items import Items
from rella_hub.tables import store


def load_behaviors(folder: Path, items: Items) -> Tensor:
    """(N,) int64 row in the item table of each interaction."""
    item_id = store.read(folder, "interactions", columns=["item_id"])["item_id"].to_numpy()
    return torch.from_numpy(items.codes(item_id).astype(np.int64))


@dataclass(frozen=True)
class Histories:
    """Samples, to be taken as batches."""

    behaviors: Tensor  # (N,) of `load_behaviors`
    sample_id: Tensor  # (S,) int64
    position: Tensor  # (S,) int64
    history_length: int

    @staticmethod
    def of(behaviors: Tensor, sample_id: np.ndarray, position: np.ndarray, history_length: int) -> Histories:
        columns = (torch.from_numpy(np.array(column, dtype=np.int64)) for column in (sample_id, position))
        return Histories(behaviors, *columns, history_length)

    @staticmethod
    def read(folder: Path, behaviors: Tensor, split: str, history_length: int, limit: int | None = None) -> Histories:
        """The samples of a split, or the first `limit` of them. ValueError where there are fewer, or none."""
        rows = store.count_rows(folder, "samples", split)
        if not rows or (limit is not None and not 1 <= limit <= rows):
            wanted = "at least one is needed" if limit is None else f"{limit:,} are asked for"
            raise ValueError(f"{folder} has {rows:,} samples of {split}, {wanted}.")
        table = store.read_rows(folder, "samples", 0, limit or rows, split, ["sample_id", "position"])
        return Histories.of(behaviors, *(column.to_numpy() for column in table.columns), history_length)

    def __len__(self) -> int:
        return len(self.sample_id)

    def batches(self, size: int, generator: torch.Generator | None = None) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        """All samples, in order, or in a random one, as `take` gives them."""
        order = torch.arange(len(self)) if generator is None else torch.randperm(len(self), generator=generator)
        for begin in range(0, len(order), size):
            yield self.take(order[begin : begin + size])

    def take(self, numbers: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(B, T) item rows of the latest behaviors at the left, the oldest first, 0 where there is none; (B, T) whether; (B,) target."""
        target, position = self.sample_id[numbers], self.position[numbers]
        shown = position.clamp(max=self.history_length)
        steps = torch.arange(self.history_length)
        mask = steps < shown[:, None]
        rows = ((target - shown)[:, None] + steps).clamp(max=len(self.behaviors) - 1)
        return self.behaviors[rows] * mask, mask, self.behaviors[target]
