"""Random batches for the tests of the traditional CTR models, and batches made of other batches."""

from dataclasses import fields, replace

import torch

from rella_hub.networks.layers.batch import Batch

FIELD_SIZES = {"age": 4, "gender": 3, "item_id": 21, "user_id": 9}
ITEM_COLUMN = 2
RATING_VALUES = 6
HISTORY_LENGTH = 7


def random_batch(size: int = 6, lengths: list[int] | None = None, length: int = HISTORY_LENGTH, seed: int = 0) -> Batch:
    """Known codes everywhere; histories (and what is retrieved) of the given lengths, 2 ... length if none are given."""
    generator = torch.Generator().manual_seed(seed)

    def codes(high: int, *shape: int) -> torch.Tensor:
        return torch.randint(1, high, shape, generator=generator)

    counts = torch.tensor(lengths) if lengths else torch.randint(2, length + 1, (size,), generator=generator)
    size = len(counts)
    mask = torch.arange(length) < counts[:, None]
    return Batch(
        fields=torch.stack([codes(high, size) for high in FIELD_SIZES.values()], dim=1),
        history_item=codes(FIELD_SIZES["item_id"], size, length) * mask,
        history_rating=codes(RATING_VALUES, size, length) * mask,
        history_mask=mask,
        retrieved_item=codes(FIELD_SIZES["item_id"], size, length) * mask,
        retrieved_rating=codes(RATING_VALUES, size, length) * mask,
        retrieved_mask=mask,
        retrieved_gap=torch.rand(size, length, generator=generator) * 20 * mask,
        label=codes(3, size).float() - 1,
    )


def each_column(batch: Batch, change) -> Batch:
    """A batch with `change(name, value)` in place of each column."""
    return Batch(**{column.name: change(column.name, getattr(batch, column.name)) for column in fields(batch)})


def rows(batch: Batch, index) -> Batch:
    return each_column(batch, lambda name, value: value[index])


def reordered(batch: Batch, group: str, order: torch.Tensor) -> Batch:
    """The behaviors of `group` ("history", "retrieved") in another order. order: (B, T)"""
    return each_column(batch, lambda name, value: value.gather(1, order) if name.startswith(group) else value)


def with_garbage(batch: Batch, columns: int) -> Batch:
    """`columns` more columns of padding, and nonsense under every False of a mask."""

    def change(name: str, value: torch.Tensor) -> torch.Tensor:
        group, _, part = name.partition("_")
        if part not in ("item", "rating", "gap", "mask"):
            return value
        value = torch.cat([value, torch.zeros(len(value), columns, dtype=value.dtype)], dim=1)
        if part == "mask":
            return value
        mask = torch.cat([getattr(batch, f"{group}_mask"), torch.zeros(len(value), columns, dtype=torch.bool)], dim=1)
        nonsense = float("nan") if part == "gap" else 10**9 if part == "item" else -1
        return torch.where(mask, value, torch.full_like(value, nonsense))

    return each_column(batch, change)


def replaced(batch: Batch, name: str, row: int, column: int, value) -> Batch:
    changed = getattr(batch, name).clone()
    changed[row, column] = value
    return replace(batch, **{name: changed})
