"""What the traditional CTR models are given: a batch of samples in codes, and the vocabulary the codes come from.

Code 0 of a field means that the value was not seen in training. Its embedding could never be trained, so it is the zero
vector in every field; a known value with an unknown neighbor is then scored by what is known.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import torch
from torch import Tensor

from rella_hub.networks.layers.options import check_size

ITEM_FIELD = "item_id"  # the field whose vocabulary and embeddings the behaviors share


@dataclass(frozen=True)
class Vocabulary:
    """How many codes there are, code 0 included: of each field, and of the rating of a behavior.

    The fields are in alphabetical order, and so are the columns of `Batch.fields`: `config.json` of a saved model keeps
    its keys sorted, so any other order would be lost between saving and loading, and codes would be read as another field's.
    """

    field_sizes: dict[str, int]
    rating_values: int

    def __post_init__(self):
        names = list(self.field_sizes)
        if names != sorted(names):
            raise ValueError(
                f"The fields of field_sizes are in the order {', '.join(names)}. Expected {', '.join(sorted(names))}: "
                "sort them by name, and the columns of Batch.fields with them."
            )
        if ITEM_FIELD not in names:
            raise ValueError(f"field_sizes has {names}. Expected {ITEM_FIELD!r} among them: add the item's own field.")
        for name, size in self.field_sizes.items():
            check_size(f"field_sizes[{name!r}]", size)
        check_size("rating_values", self.rating_values)


@dataclass(frozen=True)
class Batch:
    """B samples; histories and retrieved behaviors are at the left, oldest first, and padding is at the right.

    What is under a False of a mask is never read. T and R are at least 1, and may differ from batch to batch.
    """

    fields: Tensor  # (B, F) int64, columns in alphabetical order of the fields' names
    history_item: Tensor  # (B, T) int64 codes of the field item_id
    history_rating: Tensor  # (B, T) int64 rating codes, 0 = unknown, as everywhere in a corpus without ratings
    history_mask: Tensor  # (B, T) bool, True where there is a behavior
    retrieved_item: Tensor | None = None  # (B, R) int64, as are the next two; for models that retrieve
    retrieved_rating: Tensor | None = None
    retrieved_mask: Tensor | None = None
    retrieved_gap: Tensor | None = None  # (B, R) float32: log(1 + seconds or positions from behavior to target)
    label: Tensor | None = None  # (B,) float32

    def __post_init__(self):
        size = len(self.fields)
        for column in fields(self):
            value = getattr(self, column.name)
            if value is None:
                continue
            group = column.name.partition("_")[0]
            if group in ("history", "retrieved"):
                expected = tuple(getattr(self, f"{group}_item").shape)
                if value.ndim != 2 or tuple(value.shape) != expected or expected[0] != size or not expected[1]:
                    raise ValueError(
                        f"{column.name} has the shape {tuple(value.shape)}. Expected ({size}, number of behaviors, at least "
                        f"1) as {group}_item, which has {expected}: pad with one False column where nobody has a behavior."
                    )
            if column.name.endswith("mask"):
                _check_mask(column.name, value)

    def __len__(self) -> int:
        return len(self.fields)

    def to(self, device: torch.device | str) -> Batch:
        present = {column.name: getattr(self, column.name) for column in fields(self)}
        return replace(self, **{name: value.to(device) for name, value in present.items() if value is not None})


def _check_mask(name: str, mask: Tensor) -> None:
    """Check that padding comes last. Only on the CPU, where batches are made: on a GPU the check would force a synchronization."""
    if mask.dtype != torch.bool:
        raise ValueError(f"{name} holds {mask.dtype}. Expected torch.bool: True where there is a behavior.")
    if mask.device.type == "cpu" and (mask[:, 1:] & ~mask[:, :-1]).any():
        raise ValueError(
            f"{name} has a behavior right of padding. Expected padding at the right: move the behaviors left."
        )
