"""Embeddings of the fields and the behaviors of a sample, in one table and one lookup.

A behavior is an item that a user gave a rating: the sum of the item's embedding and the rating's. The papers of the models
know no ratings; in ReLLa's data a rating is part of a behavior, and a sum keeps the width that each paper counts on.
The item has one embedding, as target and as behavior.

Row 0 of the table is the zero vector, never trained: padding, and code 0 of every field. A field with V codes owns V - 1 rows.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from rella_hub.networks.layers.batch import ITEM_FIELD, Batch, Vocabulary
from rella_hub.networks.layers.options import check_size
from rella_hub.networks.layers.pooling import mean_weights

POOLED = 2  # fields that a history makes
SPREAD = 0.01  # standard deviation of new embeddings: interactions start small, the bias is learned first


@dataclass(frozen=True)
class EmbeddedSamples:
    fields: Tensor  # (B, F, D)
    item: Tensor  # (B, D) the target item, also in `fields`
    history: Tensor  # (B, T, D), zero where there is no behavior
    retrieved: Tensor | None  # (B, R, D)


class CodeRows(nn.Module):
    """From the codes of each field to rows of one table that holds them all."""

    field_sizes: Tensor  # (F,)
    field_offsets: Tensor

    def __init__(self, field_sizes: dict[str, int], rating_values: int):
        super().__init__()
        Vocabulary(field_sizes, rating_values)  # refuses what is no vocabulary
        sizes = torch.tensor([*field_sizes.values(), rating_values])
        offsets = (sizes - 1).cumsum(0) - (sizes - 1)
        self.item_column = list(field_sizes).index(ITEM_FIELD)
        self.num_rows = 1 + int((sizes - 1).sum())
        self.item_size, self.item_offset = int(sizes[self.item_column]), int(offsets[self.item_column])
        self.rating_size, self.rating_offset = int(sizes[-1]), int(offsets[-1])
        self.register_buffer("field_sizes", sizes[:-1], persistent=False)
        self.register_buffer("field_offsets", offsets[:-1], persistent=False)

    def fields(self, codes: Tensor) -> Tensor:
        """(B, F) rows of (B, F) codes."""
        if codes.ndim != 2 or codes.shape[1] != len(self.field_sizes):
            raise ValueError(
                f"fields has the shape {tuple(codes.shape)}. Expected {len(self.field_sizes)} columns: one a field of field_sizes."
            )
        return _rows(codes, self.field_sizes, self.field_offsets, "fields")

    def items(self, codes: Tensor, mask: Tensor) -> Tensor:
        """(B, T) rows of (B, T) item codes, 0 where there is no behavior."""
        return _rows(codes.masked_fill(~mask, 0), self.item_size, self.item_offset, "the items of the behaviors")

    def ratings(self, codes: Tensor, mask: Tensor) -> Tensor:
        codes = self.known_ratings(codes, mask)
        return (codes + self.rating_offset).masked_fill(codes == 0, 0)

    def known_ratings(self, codes: Tensor, mask: Tensor) -> Tensor:
        """(B, T) codes, 0 where there is no behavior."""
        codes = codes.masked_fill(~mask, 0)
        _check(codes, self.rating_size, "the ratings of the behaviors")
        return codes


class SampleEmbedding(nn.Module):
    """The embeddings of everything that a batch holds, each of width `embedding_size`."""

    def __init__(self, field_sizes: dict[str, int], rating_values: int, embedding_size: int):
        super().__init__()
        check_size("embedding_size", embedding_size)
        self.rows = CodeRows(field_sizes, rating_values)
        self.table = embedding_table(self.rows.num_rows, embedding_size)
        self.fields_width = len(field_sizes) * embedding_size

    def forward(self, batch: Batch, with_retrieved: bool = False) -> EmbeddedSamples:
        groups = [self.rows.fields(batch.fields), *self._behaviors(batch, "history")]
        if with_retrieved:
            groups += self._behaviors(batch, "retrieved")
        embedded = self.table(torch.cat(groups, dim=1))  # (B, F + 2T + 2R) -> (B, F + 2T + 2R, D)
        fields, item, rating, *retrieved = embedded.split([group.shape[1] for group in groups], dim=1)
        return EmbeddedSamples(
            fields=fields,
            item=fields[:, self.rows.item_column],
            history=item + rating,
            retrieved=retrieved[0] + retrieved[1] if with_retrieved else None,
        )

    def fields_with_history(self, batch: Batch) -> Tensor:
        """(B, F + 2, D): the fields, then the mean of the history's items and the mean of its ratings.

        Two fields, as ReLLa counts them (table 1: ten fields, of which eight are in the tables), so that how a user rates is one of its
        own. There are few ratings, so their mean is made of the share of each; no behavior's is looked up.
        """
        fields, item = self.rows.fields(batch.fields), self.rows.items(batch.history_item, batch.history_mask)
        first, size = self.rows.rating_offset + 1, self.rows.rating_size - 1
        every_rating = torch.arange(first, first + size, device=item.device)
        # In one lookup, because each makes a gradient as large as the whole table.
        rows = torch.cat([fields.flatten(), item.flatten(), every_rating])
        fields, items, ratings = self.table(rows).split([fields.numel(), item.numel(), size])
        fields, items = fields.view(len(batch), -1, fields.shape[1]), items.view(*item.shape, -1)
        weights = mean_weights(batch.history_mask, items.dtype)
        codes = self.rows.known_ratings(batch.history_rating, batch.history_mask)
        shares = weights.new_zeros(len(batch), 1 + size)  # column 0: a rating that is unknown, or no behavior
        shares = shares.scatter_add(1, codes, weights)
        means = [torch.bmm(weights.unsqueeze(1), items).squeeze(1), shares[:, 1:] @ ratings]  # (B, V) (V, D) -> (B, D)
        return torch.cat([fields, torch.stack(means, dim=1)], dim=1)

    def _behaviors(self, batch: Batch, group: str) -> list[Tensor]:
        item, rating, mask = (getattr(batch, f"{group}_{part}") for part in ("item", "rating", "mask"))
        if item is None or rating is None or mask is None:
            raise ValueError(
                f"The batch has no {group} behaviors. Expected item, rating and mask of {group}: fill them."
            )
        return [self.rows.items(item, mask), self.rows.ratings(rating, mask)]


def embedding_table(num_rows: int, width: int) -> nn.Embedding:
    """A table whose row 0 is zero and stays zero."""
    table = nn.Embedding(num_rows, width, padding_idx=0)
    with torch.no_grad():
        table.weight[1:].normal_(std=SPREAD)
    return table


def _rows(codes: Tensor, sizes: Tensor | int, offsets: Tensor | int, name: str) -> Tensor:
    _check(codes, sizes, name)
    return (codes + offsets).masked_fill(codes == 0, 0)


def _check(codes: Tensor, sizes: Tensor | int, name: str) -> None:
    """A code outside its field would silently be a row of another field, so this looks, every time."""
    if isinstance(sizes, int):
        low, high = codes.aminmax()
        outside = low < 0 or high >= sizes
    else:
        outside = ((codes < 0) | (codes >= sizes)).any()
    if outside:
        raise ValueError(
            f"A code of {name} is outside its vocabulary (they reach from {int(codes.min())} to {int(codes.max())}). Expected "
            f"0 to {sizes if isinstance(sizes, int) else sizes.tolist()}, exclusive: give unseen values the code 0."
        )
