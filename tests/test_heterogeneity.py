"""How mixed a shown history is, against Python's sets."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from dataset_builders.cards.heterogeneity import distinct_groups


@given(st.lists(st.lists(st.integers(0, 9), max_size=7), max_size=12))
def test_distinct_groups_of_each_row(rows):
    group = np.array([g for row in rows for g in row], dtype=np.int32)
    counts = np.array([len(row) for row in rows], dtype=np.int64)
    assert distinct_groups(group, counts).tolist() == [len(set(row)) for row in rows]
