"""From the behaviors of a history to one vector, or to the fixed number of rows that an architecture counts on."""

from __future__ import annotations

import torch
from torch import Tensor


def mean_weights(mask: Tensor, dtype: torch.dtype) -> Tensor:
    """(B, T) -> (B, T): the same weight for each real behavior of a sample, one in all."""
    weights = mask.to(dtype)
    return weights / weights.sum(dim=1, keepdim=True).clamp(min=1)


def last_state(states: Tensor, mask: Tensor) -> Tensor:
    """(B, T, D), (B, T) -> (B, D): the state at the last real behavior; zero where there is none."""
    lengths = mask.sum(dim=1)  # (B,)
    last = states[torch.arange(len(states), device=states.device), (lengths - 1).clamp(min=0)]
    return last * (lengths > 0).unsqueeze(1)


def most_recent(behaviors: Tensor, mask: Tensor, length: int) -> tuple[Tensor, Tensor]:
    """(B, T, D), (B, T) -> (B, length, D), (B, length): the last behaviors, padded at the left with zeros.

    So the last row is the most recent behavior of everybody, whatever T is; SASRec and Caser learn a weight a row.
    """
    lengths = mask.sum(dim=1, keepdim=True)  # (B, 1)
    position = torch.arange(length, device=mask.device) - length + lengths  # (B, length), negative before the first
    shown = position >= 0
    first = torch.arange(len(mask), device=mask.device).unsqueeze(1) * mask.shape[1]
    rows = (first + position.clamp(min=0)).flatten()
    recent = behaviors.flatten(0, 1).index_select(0, rows).view(*shown.shape, -1)  # (B * T, D) -> (B, length, D)
    return recent * shown.unsqueeze(2), shown


def to_history(recent: Tensor, mask: Tensor) -> Tensor:
    """(B, length, D), (B, T) -> (B, T, D): the rows of `most_recent` back to their behaviors; zero where a behavior has none."""
    length = recent.shape[1]
    row = torch.arange(mask.shape[1], device=mask.device) + length - mask.sum(dim=1, keepdim=True)  # (B, T)
    rows = row.clamp(0, length - 1).unsqueeze(2).expand(-1, -1, recent.shape[2])
    return recent.gather(1, rows) * (mask & (row >= 0)).unsqueeze(2)
