"""Positions within a user, against a plain loop."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from rella_hub.tables.histories import positions_within_user


@given(st.lists(st.integers(1, 3), max_size=30))
def test_positions_count_the_earlier_rows_of_a_user(users):
    users = sorted(users)
    expected = [users[:row].count(user) for row, user in enumerate(users)]
    assert positions_within_user(np.array(users, dtype=np.int32)).tolist() == expected
