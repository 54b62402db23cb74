"""Recency: the K behaviors right before the target, what every sequential recommender shows."""

from __future__ import annotations

import numpy as np

from rella_hub.views import NOTHING, Config, Histories, View


def latest(position: np.ndarray, history_length: int) -> np.ndarray:
    """(S, K) positions ``max(0, p - K) ... p - 1`` of samples at positions `position` (S,)."""
    position = position.astype(np.int32)[:, None]
    shown = np.maximum(position - history_length, 0) + np.arange(history_length, dtype=np.int32)  # (S, K)
    np.putmask(shown, shown >= position, NOTHING)
    return shown


def select(histories: Histories, config: Config) -> np.ndarray:
    return latest(histories.position, config.history_length)


VIEW = View(sentence="with the {latest} {item}s", select=select)
