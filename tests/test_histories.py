"""Samples and their histories, against plain loops."""

import numpy as np
import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from dataset_builders.tables import store
from dataset_builders.tables.histories import make_samples, positions_within_user, sort_by_user_and_time

rows = st.lists(
    st.tuples(st.integers(1, 4), st.integers(1, 9), st.integers(0, 5)),  # user, item, time: many ties
    max_size=60,
    unique_by=lambda row: row[:2],
)


def table(rows) -> pl.DataFrame:
    schema = {"user_id": pl.Int32, "item_id": pl.Int32, "timestamp": pl.Int64}
    frame = pl.DataFrame([list(c) for c in zip(*rows, strict=True)] or [[], [], []], schema=schema)
    return frame.with_columns(rating=pl.lit(1.0, pl.Float32), label=pl.lit(1, pl.Int64))


@given(rows)
def test_sorted_by_user_time_and_item_as_numbers(rows):
    ordered = sort_by_user_and_time(table(rows)).select("user_id", "item_id", "timestamp").rows()
    assert ordered == sorted(rows, key=lambda row: (row[0], row[2], row[1]))


def test_equal_times_are_ordered_as_numbers_not_as_text():
    ordered = sort_by_user_and_time(table([(1, 10, 0), (1, 9, 0), (1, 100, 0)]))
    assert ordered["item_id"].to_list() == [9, 10, 100]


@given(st.lists(st.integers(1, 3), max_size=30))
def test_positions_count_the_earlier_rows_of_a_user(users):
    users = sorted(users)
    expected = [users[:row].count(user) for row, user in enumerate(users)]
    assert positions_within_user(np.array(users, dtype=np.int32)).tolist() == expected


@given(rows, st.integers(0, 3))
def test_samples_are_those_with_enough_history_in_global_time_order(rows, minimum_history):
    interactions = sort_by_user_and_time(table(rows))
    samples = make_samples(interactions, minimum_history)
    expected = []
    known = interactions.rows(named=True)
    for row, target in enumerate(known):
        history = [other for other in known[:row] if other["user_id"] == target["user_id"]]
        if len(history) >= minimum_history:
            order = (target["timestamp"], target["user_id"], target["item_id"])
            expected.append((order, row, target["user_id"], len(history), target["item_id"]))
    assert samples.select("sample_id", "user_id", "position", "item_id").rows() == [e[1:] for e in sorted(expected)]


@given(rows.filter(len))
def test_a_history_is_a_slice_of_interactions(rows):
    interactions = sort_by_user_and_time(table(rows))
    for sample in make_samples(interactions, 1).rows(named=True):
        history = interactions[sample["sample_id"] - sample["position"] : sample["sample_id"]]
        assert history["user_id"].unique().to_list() == [sample["user_id"]]
        later = interactions[sample["sample_id"] :].filter(pl.col("user_id") == sample["user_id"])
        assert len(history) + len(later) == interactions["user_id"].to_list().count(sample["user_id"])
        assert history["timestamp"].max() <= later["timestamp"].min()


def test_the_first_five_rows_of_a_user_are_no_samples(prepared):
    per_user = store.read(prepared.folder, "interactions").to_pandas().groupby("user_id").size()
    samples = sum(store.count_rows(prepared.folder, "samples", split) for split in store.SPLITS)
    assert samples == (per_user - 5).clip(lower=0).sum()
