"""Batches of samples: a few gathers by index, no loop over samples."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch

from rella_hub.networks.layers.batch import Batch
from rella_hub.systems.ctr.inputs.columns import Columns
from rella_hub.systems.ctr.inputs.retrieval import HardSearch, SoftSearch


class Samples:
    """Samples of one split, to be taken as batches. search: what `open_search` opened for that split, for a model that retrieves."""

    def __init__(
        self,
        columns: Columns,
        sample_id: np.ndarray,
        history_length: int,
        search: SoftSearch | HardSearch | None = None,
    ):
        self.columns, self.history_length = columns, history_length
        self.sample_id = torch.from_numpy(np.array(sample_id))
        self._search = None if search is None else search.of(sample_id)

    def __len__(self) -> int:
        return len(self.sample_id)

    @property
    def label(self) -> np.ndarray:
        """(S,) 0 or 1."""
        return self.columns.label[self.sample_id].numpy()

    def batches(self, size: int, generator: torch.Generator | None = None) -> Iterator[Batch]:
        """All samples, in order, or in a random one."""
        order = torch.arange(len(self)) if generator is None else torch.randperm(len(self), generator=generator)
        for begin in range(0, len(order), size):
            yield self.take(order[begin : begin + size])

    def take(self, samples: torch.Tensor) -> Batch:
        """The batch of the samples with these numbers, (B,)."""
        c, target = self.columns, self.sample_id[samples]
        position = c.position[target].long()
        shown = position.clamp(max=self.history_length)
        steps = torch.arange(self.history_length)
        mask = steps < shown[:, None]  # (B, T): behaviors at the left, the oldest first
        rows = ((target - shown)[:, None] + steps).clamp(max=len(c.item_code) - 1)
        fields = torch.cat([c.user_fields[c.user_row[target]], c.item_fields[c.item_row[target]]], dim=1)
        return Batch(
            fields=fields[:, c.order].long(),
            history_item=self._masked(c.item_code, rows, mask),
            history_rating=self._masked(c.rating_code, rows, mask),
            history_mask=mask,
            label=c.label[target].float(),
            **self._retrieved(samples, target, position),
        )

    def _retrieved(self, samples: torch.Tensor, target: torch.Tensor, position: torch.Tensor) -> dict:
        if self._search is None:
            return {}
        c = self.columns
        rows, mask = self._search.find(samples, target - position)
        if c.timestamp is not None:
            gap = (c.timestamp[target][:, None] - c.timestamp[rows]).clamp(min=0)
        else:
            gap = (target[:, None] - rows).clamp(min=0)  # no times are known: the number of behaviors between
        return {
            "retrieved_item": self._masked(c.item_code, rows, mask),
            "retrieved_rating": self._masked(c.rating_code, rows, mask),
            "retrieved_mask": mask,
            "retrieved_gap": torch.log1p(gap.float()) * mask,
        }

    @staticmethod
    def _masked(column: torch.Tensor, rows: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        return column[rows].long() * mask
