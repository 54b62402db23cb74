"""Splits by global time, and the seeded order of the training samples."""

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataset_builders.stages.arguments import FolderArguments, RawArguments
from dataset_builders.stages.prepare import prepare
from dataset_builders.tables import store
from dataset_builders.tables.splits import shuffle_train, split_by_global_time


def samples(n: int) -> pl.DataFrame:
    return pl.DataFrame({"sample_id": range(n)}, schema={"sample_id": pl.Int64})


@given(st.integers(0, 300))
def test_sizes_are_those_of_the_released_code(n):
    splits = split_by_global_time(samples(n))
    assert [len(part) for part in splits.values()] == [int(0.8 * n), int(0.1 * n), n - int(0.8 * n) - int(0.1 * n)]


def test_sizes_on_movielens_1m():
    assert [len(part) for part in split_by_global_time(samples(970_009)).values()] == [776_007, 97_000, 97_002]


@given(st.integers(0, 100), st.integers(0, 5))
def test_nothing_is_lost_and_only_train_is_shuffled(n, seed):
    before = split_by_global_time(samples(n))
    after = shuffle_train(before, seed)
    assert [i for part in before.values() for i in part["sample_id"]] == list(range(n))
    assert sorted(after["train"]["sample_id"]) == before["train"]["sample_id"].to_list()
    assert after["test"].equals(before["test"])
    assert after["validation"].equals(before["validation"])


def test_the_order_depends_on_the_seed_alone():
    def order(seed):
        return shuffle_train(split_by_global_time(samples(100)), seed)["train"]["sample_id"].to_list()

    assert order(0) == order(0) != order(1)


def test_train_precedes_validation_precedes_test(prepared):
    timestamp = store.read(prepared.folder, "interactions")["timestamp"].to_numpy()
    time = {s: timestamp[store.read(prepared.folder, "samples", s)["sample_id"].to_numpy()] for s in store.SPLITS}
    assert time["train"].max() <= time["validation"].min()
    assert time["validation"].max() <= time["test"].min()


@pytest.mark.parametrize("column", ["user_id", "item_id", "label"])
def test_a_sample_id_is_the_row_of_its_target(prepared, column):
    interactions = store.read(prepared.folder, "interactions")
    for split in store.SPLITS:
        rows = store.read(prepared.folder, "samples", split)
        assert rows[column].to_pylist() == interactions[column].take(rows["sample_id"]).to_pylist()


def test_label_is_a_rating_above_three(prepared):
    rows = store.read(prepared.folder, "interactions").to_pylist()
    assert [row["label"] for row in rows] == [int(row["rating"] > 3) for row in rows]


def test_another_seed_gives_the_same_samples_in_another_order(prepared, raw_ml1m, tmp_path):
    other = FolderArguments(corpus="ml1m", output=str(tmp_path / "other"))
    prepare(other, RawArguments(raw=str(raw_ml1m), seed=1))
    ids = [store.read(where.folder, "samples", "train")["sample_id"].to_pylist() for where in (prepared, other)]
    assert ids[0] != ids[1]
    assert sorted(ids[0]) == sorted(ids[1])
