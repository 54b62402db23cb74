"""Texts as token ids in two flat arrays, and padded batches of them by length.

Nothing is cut in silence: a text over the budget is an error that counts them or, with `truncation` right as in the released code of
these baselines, is cut at the right, counted.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import torch

from rella_hub.language_models.room import longest_input


@dataclass(frozen=True)
class Budget:
    """How a tokenizer reads texts, and how long one may be."""

    tokenizer: object
    max_length: int  # tokens, those that the tokenizer puts around a text included
    truncation: str  # none or right

    def __post_init__(self) -> None:
        least = len(self.tokenizer("")["input_ids"]) + 1
        if self.max_length < least:
            raise ValueError(f"--max_length is {self.max_length}; a text of one token takes {least}.")


@dataclass(frozen=True)
class Tokens:
    """Text t is ``ids[starts[t] : starts[t + 1]]``."""

    ids: np.ndarray  # int32
    starts: np.ndarray  # (T + 1,) int64
    cut: int  # texts that were longer than the budget

    def __len__(self) -> int:
        return len(self.starts) - 1

    @property
    def lengths(self) -> np.ndarray:
        return np.diff(self.starts)

    def padded(self, texts: np.ndarray, pad: int) -> tuple[torch.Tensor, torch.Tensor]:
        """(B, T) token ids of some texts, padded at the right, and (B, T) which of them are real."""
        lengths = self.starts[texts + 1] - self.starts[texts]
        real = np.arange(lengths.max()) < lengths[:, None]
        places = self.starts[texts][:, None] + np.arange(real.shape[1])
        ids = np.where(real, self.ids[np.minimum(places, len(self.ids) - 1)], pad)
        return torch.from_numpy(ids.astype(np.int64)), torch.from_numpy(real)


def tokenize(parts: Iterable[pa.LargeStringArray], budget: Budget, what: str) -> Tokens:
    """The tokens of all texts of `parts`, in order. what: of which these are the texts, for an error."""
    ids, counts = [np.zeros(0, dtype=np.int32)], [np.zeros(0, dtype=np.int64)]
    cut = longest = 0
    for part in parts:
        texts = part.to_pylist()
        rows = budget.tokenizer(texts, verbose=False)["input_ids"] if texts else []
        lengths = np.fromiter(map(len, rows), np.int64, len(rows))
        over = np.flatnonzero(lengths > budget.max_length)
        cut, longest = cut + len(over), max(longest, int(lengths.max(initial=0)))
        if len(over) and budget.truncation == "right":
            shorter = budget.tokenizer(
                [texts[row] for row in over], truncation=True, max_length=budget.max_length, verbose=False
            )["input_ids"]
            for row, found in zip(over, shorter, strict=True):
                rows[row], lengths[row] = found, len(found)
        ids.append(np.fromiter((one for row in rows for one in row), np.int32, int(lengths.sum())))
        counts.append(lengths)
    if cut and budget.truncation == "none":
        texts = sum(map(len, counts))
        raise ValueError(
            f"{cut:,} of {texts:,} {what} texts are longer than --max_length {budget.max_length} tokens (the longest has {longest:,}). "
            "Nothing is cut unless you ask for it: raise --max_length, lower --history_length, or pass --truncation right."
        )
    return Tokens(np.concatenate(ids), np.concatenate([[0], *counts]).cumsum(), cut)


def batches(lengths: np.ndarray, tokens_per_batch: int) -> Iterator[np.ndarray]:
    """The numbers of all texts, in batches of like length and at most so many padded tokens, or of one text."""
    order = np.argsort(lengths, kind="stable")
    begin = 0
    while begin < len(order):
        most = max(1, tokens_per_batch // max(1, int(lengths[order[begin]])))
        ascending = lengths[order[begin : begin + most]]
        fitting = np.count_nonzero(ascending * np.arange(1, len(ascending) + 1) <= tokens_per_batch)
        end = begin + max(1, fitting)
        yield order[begin:end]
        begin = end


def require_positions(model: torch.nn.Module, name: str, max_length: int) -> None:
    """ValueError when the budget is more than the encoder has positions for."""
    limit = longest_input(model)
    if limit is not None and max_length > limit:
        raise ValueError(
            f"--max_length is {max_length}, but {name} has positions for {limit} tokens. Lower it, or take another --encoder."
        )
