"""From the behaviors of a history to one vector, or to the fixed number of rows that an architecture counts on."""

from __future__ import annotations

import torch
from torch import Tensor

from training.layers.embedding import EmbeddedSamples

POOLED = 2  # fields that a history makes


def fields_with_history(embedded: EmbeddedSamples, mask: Tensor) -> Tensor:
    """(B, F + 2, D): the fields, then the mean of the history's items and the mean of its ratings.

    Two fields, as ReLLa counts them (table 1: ten fields, of which eight are in the tables), so that how a user rates is one of its own.
    """
    means = [masked_mean(part, mask) for part in (embedded.history_item, embedded.history_rating)]
    return torch.cat([embedded.fields, torch.stack(means, dim=1)], dim=1)


def masked_mean(behaviors: Tensor, mask: Tensor) -> Tensor:
    """(B, T, D), (B, T) -> (B, D): the mean of the real behaviors; zero where there is none."""
    weights = mask.to(behaviors.dtype)
    weights = weights / weights.sum(dim=1, keepdim=True).clamp(min=1)
    return torch.bmm(weights.unsqueeze(1), behaviors).squeeze(1)


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
