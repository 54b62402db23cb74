"""The views: each file here says which of a user's earlier behaviors a sample shows, and adding a file is registering it.

Every view has the same shape: ``select(...) -> positions (S, K) int32``, strictly increasing along a row, all before the
sample's own position, unused places at the right are -1. Nothing downstream knows which view it got.
"""

from __future__ import annotations

import numpy as np

NOTHING = -1


def pad(kept: np.ndarray, counts: np.ndarray, history_length: int) -> np.ndarray:
    """(S, K) with row s = the next counts[s] values of `kept`, then -1."""
    positions = np.full((len(counts), history_length), NOTHING, dtype=np.int32)
    positions[np.arange(history_length) < counts[:, None]] = kept
    return positions
