"""Which rows of a config are used: the first N samples to train on, a seeded choice to score; and where a data set is found."""

from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rella_hub.hub import resolve as hub
from rella_hub.tables import schema, shots, store

TRAIN, TEST = 23, 40


def prompts(sample_ids, view: str) -> pa.Table:
    label = [sample_id % 2 for sample_id in sample_ids]
    text = [f"{view} of {sample_id}" for sample_id in sample_ids]
    completion = [("No.", "Yes.")[y] for y in label]
    return pa.table({"sample_id": sample_ids, "prompt": text, "completion": completion, "label": label})


def write(folder, name: str, splits: dict) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store, "ROWS_PER_SHARD", 7)
        store.write(folder, name, schema.PROMPTS, splits, {"corpus": "demo"})


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A data set of prompts whose samples stand in no order, in files of seven rows."""
    folder = tmp_path_factory.mktemp("shots") / "data"
    ids = np.random.default_rng(0).permutation(1000)
    train, test = ids[:TRAIN].tolist(), ids[100 : 100 + TEST].tolist()
    for view in ("recency", "subr"):
        splits = {split: prompts(ids, view) for split, ids in (("train", train), ("test", test))}
        write(folder, f"{view}_k5", splits)
    pairs = [row for i in train for view in ("recency", "subr") for row in prompts([i], view).to_pylist()]
    write(folder, "reit_k5", {"mixed": pa.Table.from_pylist(pairs), "test": prompts(test, "subr")})
    return folder


def test_the_split_to_train_on(folder):
    assert shots.training_split(folder, "reit_k5") == ("mixed", 2)
    assert shots.training_split(folder, "recency_k5") == ("train", 1)


@pytest.mark.parametrize("num_shots", [1, 3, 4, 7, TRAIN])
def test_n_shots_are_two_rows_each_of_mixed(folder, num_shots):
    rows = shots.first_shots(folder, "reit_k5", num_shots)
    assert rows.to_pylist() == store.read(folder, "reit_k5", "mixed").slice(0, 2 * num_shots).to_pylist()
    ids = rows["sample_id"].to_pylist()
    assert ids[::2] == ids[1::2]
    assert len(set(ids)) == num_shots
    assert [text.split()[0] for text in rows["prompt"].to_pylist()] == ["recency", "subr"] * num_shots


def test_n_shots_are_the_same_samples_of_every_config(folder):
    mixed = shots.first_shots(folder, "reit_k5", 5)["sample_id"].to_pylist()
    for config in ("recency_k5", "subr_k5"):
        rows = shots.first_shots(folder, config, 5)
        assert rows.to_pylist() == store.read(folder, config, "train").slice(0, 5).to_pylist()
        assert rows["sample_id"].to_pylist() == mixed[::2]


@pytest.mark.parametrize("config", ["reit_k5", "recency_k5"])
def test_few_shots_are_nested_in_more(folder, config):
    by_number = [shots.first_shots(folder, config, n).to_pylist() for n in range(1, TRAIN + 1)]
    for few, more in pairwise(by_number):
        assert more[: len(few)] == few
        assert len(more) > len(few)


def test_without_a_number_all_samples_are_taken(folder):
    assert len(shots.first_shots(folder, "reit_k5", None)) == 2 * TRAIN
    assert len(shots.first_shots(folder, "recency_k5", None)) == TRAIN


@pytest.mark.parametrize("num_shots", [0, -1, TRAIN + 1, 8192])
@pytest.mark.parametrize("config", ["reit_k5", "recency_k5"])
def test_more_shots_than_samples_are_refused(folder, config, num_shots):
    with pytest.raises(ValueError, match=rf"num_shots is {num_shots:,}, but .*/{config} has {TRAIN} training samples"):
        shots.first_shots(folder, config, num_shots)


def test_first_rows_stop_where_they_should(folder):
    for rows in (1, 6, 7, 8, 14, 2 * TRAIN):
        assert len(shots.first_rows(folder, "reit_k5", "mixed", rows)) == rows


@given(limit=st.integers(1, TEST), seed=st.integers(0, 1000))
def test_seeded_rows_are_the_same_samples_of_every_view(folder, limit, seed):
    recency, subr = (shots.seeded_rows(folder, name, "test", limit, seed) for name in ("recency_k5", "subr_k5"))
    assert recency["sample_id"].to_pylist() == subr["sample_id"].to_pylist()
    assert recency["prompt"].to_pylist() != subr["prompt"].to_pylist()
    assert len(recency) == limit


@given(limit=st.integers(1, TEST), seed=st.integers(0, 1000))
def test_seeded_rows_are_distinct_whole_rows_in_stored_order(folder, limit, seed):
    stored = store.read(folder, "subr_k5", "test").to_pylist()
    order = [stored.index(row) for row in shots.seeded_rows(folder, "subr_k5", "test", limit, seed).to_pylist()]
    assert order == sorted(set(order))


def test_seeds_choose_other_rows(folder):
    chosen = [shots.seeded_rows(folder, "subr_k5", "test", 8, seed)["sample_id"].to_pylist() for seed in range(40)]
    assert len({tuple(ids) for ids in chosen}) == 40
    assert {i for ids in chosen for i in ids} == set(store.read(folder, "subr_k5", "test")["sample_id"].to_pylist())
    assert chosen[3] == shots.seeded_rows(folder, "subr_k5", "test", 8, 3)["sample_id"].to_pylist()


@pytest.mark.parametrize("limit", [None, TEST, TEST + 1, 10**9])
def test_a_limit_beyond_the_split_takes_all_of_it(folder, limit):
    rows = shots.seeded_rows(folder, "subr_k5", "test", limit, seed=5)
    assert rows.to_pylist() == store.read(folder, "subr_k5", "test").to_pylist()


@pytest.mark.parametrize("limit", [0, -3])
def test_no_rows_are_no_choice(folder, limit):
    with pytest.raises(ValueError, match=rf"limit is {limit}; at least 1 row is needed"):
        shots.seeded_rows(folder, "subr_k5", "test", limit, seed=0)


def test_a_split_that_is_not_there(folder):
    with pytest.raises(ValueError, match=r"holds no split 'validation'\. Got: train, test"):
        shots.seeded_rows(folder, "subr_k5", "validation", 3, seed=0)


def test_a_folder_is_found_as_it_is(folder):
    assert hub.resolve(str(folder), ["reit_k5", "subr_k5"]) == folder


def test_a_table_that_a_data_set_lacks_is_named(folder):
    with pytest.raises(
        ValueError, match=r"has no 'subr_k30'\. It has: recency_k5, reit_k5, subr_k5\. .*--history_length"
    ):
        hub.resolve(str(folder), ["subr_k5", "subr_k30"])


def test_an_empty_folder_has_nothing(tmp_path):
    with pytest.raises(ValueError, match=r"has no 'subr_k5'\. It has: nothing"):
        hub.resolve(str(tmp_path), ["subr_k5"])


@pytest.mark.parametrize("dataset", ["rella/ml1m", "no/such/place", "/no/such/folder"])
def test_a_data_set_that_is_nowhere_is_said_how_to_build(dataset):
    corpus = dataset.rpartition("/")[2]
    message = rf"'{dataset}' is neither a folder here nor to be had from the Hub .*release\.py --corpus {corpus}$"
    with pytest.raises(ValueError, match=message):
        hub.resolve(dataset, ["subr_k5"])


def test_a_hub_data_set_is_downloaded_by_table(folder, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)  # where no folder has that name
    asked = {}
    monkeypatch.setattr(
        "rella_hub.hub.download.snapshot_download",
        lambda name, **options: asked.update(options, name=name) or folder,
    )
    assert hub.resolve("rella/demo", ["subr_k5"], revision="v1") == folder
    assert asked == {
        "name": "rella/demo",
        "repo_type": "dataset",
        "revision": "v1",
        "allow_patterns": ["README.md", "subr_k5/*"],
        "ignore_patterns": None,
    }
