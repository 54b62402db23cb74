"""The views: each file here says which of a user's earlier behaviors a sample shows, and adding a file is registering it.

Every view has the same shape: ``select(...) -> positions (S, K) int32``, strictly increasing along a row, all before the
sample's own position, unused places at the right are -1. Nothing downstream knows which view it got.
"""

from __future__ import annotations

import re
import sys

import numpy as np

from rella_hub.open_folder import members

NOTHING = -1


def pad(kept: np.ndarray, counts: np.ndarray, history_length: int) -> np.ndarray:
    """(S, K) with row s = the next counts[s] values of `kept`, then -1."""
    positions = np.full((len(counts), history_length), NOTHING, dtype=np.int32)
    positions[np.arange(history_length) < counts[:, None]] = kept
    return positions


def config_name(view: str, history_length: int) -> str:
    """The name of the Hub config of a view's prompts."""
    return f"{view}_k{history_length}"


def table_name(config: str) -> str:
    """The name of the table of the view itself, beside its prompts."""
    return f"view_{config}"


def view_of(name: str) -> tuple[str, int] | tuple[None, None]:
    """The view and K of a table of prompts or of positions, by its name."""
    known = "|".join(members(sys.modules[__name__]))
    match = re.fullmatch(rf"(?:view_)?(?P<view>{known})_k(?P<history_length>\d+)", name)
    return (match["view"], int(match["history_length"])) if match else (None, None)
