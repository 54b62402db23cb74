"""Users in groups of equal size by how active they are. Source: SLIM (arXiv 2403.04260), section 4.5."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from rella_hub.tables import store

GROUPS = 5


def activity_groups(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """(U,) user ids, ascending, and the group of each from 1 to GROUPS: fifths of the users by how many interactions they have."""
    user_id = store.read(folder, "interactions", columns=["user_id"])["user_id"].to_numpy()
    users, counts = np.unique(user_id, return_counts=True)
    groups = np.empty(len(users), dtype=np.int64)
    groups[np.lexsort((users, counts))] = 1 + np.arange(len(users)) * GROUPS // len(users)
    return users, groups
