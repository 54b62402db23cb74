"""What is predicted from what: samples, their order and their splits, of both protocols, against plain loops."""

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rella_hub.corpora import corpus_ids, load_corpus
from rella_hub.stages.arguments import FolderArguments, RawArguments
from rella_hub.stages.prepare import prepare
from rella_hub.tables import store
from rella_hub.tasks import by_time, load_protocol, one_per_user, users_8_1_1

rows = st.lists(
    st.tuples(st.integers(1, 4), st.integers(1, 9), st.integers(0, 5)),  # user, item, time: many ties
    max_size=60,
    unique_by=lambda row: row[:2],
)


def table(rows) -> pl.DataFrame:
    schema = {"user_id": pl.Int32, "item_id": pl.Int32, "timestamp": pl.Int64}
    frame = pl.DataFrame([list(c) for c in zip(*rows, strict=True)] or [[], [], []], schema=schema)
    return frame.with_columns(rating=pl.lit(1.0, pl.Float32), label=pl.lit(1, pl.Int64))


def numbered(n: int) -> pl.DataFrame:
    return pl.DataFrame({"sample_id": range(n)}, schema={"sample_id": pl.Int64})


def ids(splits: dict[str, pl.DataFrame]) -> dict[str, list[int]]:
    return {split: part["sample_id"].to_list() for split, part in splits.items()}


def test_every_corpus_has_a_protocol_that_says_what_it_does():
    for corpus_id in corpus_ids():
        protocol = load_protocol(load_corpus(corpus_id).tasks[0])
        assert protocol.ORDER
        assert protocol.SPLIT
        assert "{minimum_history}" in protocol.SAMPLES
    with pytest.raises(
        ValueError, match=r"no protocol 'leave_two_out'.*by_time, last_users, leave_one_out, next_item, one_per_user"
    ):
        load_protocol("leave_two_out")


@pytest.mark.parametrize("protocol", [by_time, one_per_user])
@given(rows=rows.filter(len), minimum_history=st.integers(1, 3), seed=st.integers(0, 9))
def test_a_history_is_a_slice_of_interactions(protocol, rows, minimum_history, seed):
    interactions = protocol.order(table(rows), seed)
    assert sorted(interactions.select("user_id", "item_id", "timestamp").rows()) == sorted(rows)
    for sample in protocol.samples(interactions, minimum_history).rows(named=True):
        history = interactions[sample["sample_id"] - sample["position"] : sample["sample_id"]]
        assert history["user_id"].unique().to_list() == [sample["user_id"]]
        assert len(history) == sample["position"] >= minimum_history
        target = interactions.row(sample["sample_id"], named=True)
        assert (target["user_id"], target["item_id"]) == (sample["user_id"], sample["item_id"])
        before = interactions[: sample["sample_id"] - sample["position"]]
        assert sample["user_id"] not in before["user_id"].to_list()


@given(rows)
def test_by_time_sorts_by_user_time_and_item_as_numbers(rows):
    ordered = by_time.order(table(rows), 0).select("user_id", "item_id", "timestamp").rows()
    assert ordered == sorted(rows, key=lambda row: (row[0], row[2], row[1]))


def test_equal_times_are_ordered_as_numbers_not_as_text():
    ordered = by_time.order(table([(1, 10, 0), (1, 9, 0), (1, 100, 0)]), 0)
    assert ordered["item_id"].to_list() == [9, 10, 100]


@given(rows, st.integers(0, 3))
def test_by_time_predicts_whatever_has_enough_history_in_global_time_order(rows, minimum_history):
    interactions = by_time.order(table(rows), 0)
    samples = by_time.samples(interactions, minimum_history)
    expected = []
    known = interactions.rows(named=True)
    for row, target in enumerate(known):
        history = [other for other in known[:row] if other["user_id"] == target["user_id"]]
        if len(history) >= minimum_history:
            order = (target["timestamp"], target["user_id"], target["item_id"])
            expected.append((order, row, target["user_id"], len(history), target["item_id"]))
    assert samples.select("sample_id", "user_id", "position", "item_id").rows() == [e[1:] for e in sorted(expected)]


@given(st.integers(0, 300))
def test_by_time_has_the_sizes_of_the_released_code(n):
    splits = by_time.split(numbered(n), 0)
    assert [len(part) for part in splits.values()] == [int(0.8 * n), int(0.1 * n), n - int(0.8 * n) - int(0.1 * n)]


@pytest.mark.parametrize(
    ("protocol", "n", "sizes"),
    [
        (by_time, 970_009, [776_007, 97_000, 97_002]),  # MovieLens-1M
        (by_time, 24_187_390, [19_349_912, 2_418_739, 2_418_739]),  # MovieLens-25M
        (one_per_user, 17_714, [15_942 - 1_594, 1_594, 1_772]),  # BookCrossing
        (users_8_1_1, 24_270, [19_416, 2_427, 2_427]),  # TALLRec's BookCrossing: validation and test as it ships them
    ],
)
def test_sizes_of_the_three_corpora(protocol, n, sizes):
    assert [len(part) for part in protocol.split(numbered(n), 0).values()] == sizes


@given(st.integers(0, 100), st.integers(0, 5))
def test_by_time_loses_nothing_and_shuffles_train_alone(n, seed):
    splits = ids(by_time.split(numbered(n), seed))
    assert [*sorted(splits["train"]), *splits["validation"], *splits["test"]] == list(range(n))


@given(rows, st.integers(0, 3), st.integers(0, 9))
def test_one_per_user_predicts_the_last_of_every_user_with_enough_others(rows, minimum_history, seed):
    interactions = one_per_user.order(table(rows), seed)
    samples = one_per_user.samples(interactions, minimum_history)
    users = [user for user, _, _ in rows]
    expected = [(user, users.count(user) - 1) for user in sorted(set(users)) if users.count(user) > minimum_history]
    assert samples.select("user_id", "position").rows() == expected
    ordered = interactions["user_id"].to_list()
    assert [ordered[i] for i in samples["sample_id"]] == [user for user, _ in expected]
    assert all(user not in ordered[i + 1 :] for i, user in samples.select("sample_id", "user_id").rows())


@given(rows.filter(len), st.randoms())
def test_one_per_user_does_not_depend_on_the_order_of_the_file(rows, random):
    shuffled = random.sample(rows, len(rows))
    assert one_per_user.order(table(rows), 3).rows() == one_per_user.order(table(shuffled), 3).rows()


def test_one_per_user_is_in_random_order():
    """Each of a user's six items comes last about equally often, over many users and over seeds."""
    many = table([(user, item, 0) for user in range(1, 601) for item in range(6)])
    last = one_per_user.samples(one_per_user.order(many, 0), 5)["item_id"].to_list()
    assert all(70 < last.count(item) < 130 for item in range(6))  # 100 each; 130 is more than three deviations off
    assert last != one_per_user.samples(one_per_user.order(many, 1), 5)["item_id"].to_list()


@given(st.integers(0, 300), st.integers(0, 5))
def test_one_per_user_carves_validation_from_train(n, seed):
    splits = ids(one_per_user.split(numbered(n), seed))
    learnt = int(0.9 * n)
    assert [len(part) for part in splits.values()] == [learnt - int(0.1 * learnt), int(0.1 * learnt), n - learnt]
    assert sorted(i for part in splits.values() for i in part) == list(range(n))


@given(rows, st.integers(0, 9), st.integers(0, 9))
def test_users_8_1_1_keeps_users_of_four_ratings_whatever_the_corpus_asks(rows, minimum_history, seed):
    samples = users_8_1_1.samples(users_8_1_1.order(table(rows), seed), minimum_history)
    users = [user for user, _, _ in rows]
    assert samples["user_id"].to_list() == [user for user in sorted(set(users)) if users.count(user) > 3]
    splits = users_8_1_1.split(samples, seed)
    assert sorted(one for part in splits.values() for one in part["user_id"]) == samples["user_id"].to_list()


@pytest.mark.parametrize("protocol", [by_time, one_per_user, users_8_1_1])
def test_the_order_depends_on_the_seed_alone(protocol):
    def train(seed):
        return ids(protocol.split(numbered(100), seed))["train"]

    assert train(0) == train(0) != train(1)


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


@pytest.mark.parametrize("threshold", [None, 1, 2.5, 4])
def test_label_is_a_rating_above_the_threshold(raw_ml1m, where, threshold):
    prepare(where, RawArguments(raw=str(raw_ml1m), label_threshold=threshold))
    rows = store.read(where.folder, "interactions").to_pylist()
    assert [row["label"] for row in rows] == [int(row["rating"] > (threshold or 3)) for row in rows]
    assert store.provenance(where.folder, "samples")["rules"]["label"] == f"rating > {threshold or 3:g}"


@pytest.mark.parametrize("threshold", [0, 5, 7.5])
def test_a_threshold_that_leaves_one_label_is_refused(raw_ml1m, where, threshold):
    with pytest.raises(ValueError, match=r"--label_threshold is .* ratings of MovieLens-1M go from 1 to 5"):
        prepare(where, RawArguments(raw=str(raw_ml1m), label_threshold=threshold))


def test_the_first_five_rows_of_a_user_are_no_samples(prepared):
    per_user = store.read(prepared.folder, "interactions").to_pandas().groupby("user_id").size()
    samples = sum(store.count_rows(prepared.folder, "samples", split) for split in store.SPLITS)
    assert samples == (per_user - 5).clip(lower=0).sum()


def test_another_seed_gives_the_same_samples_in_another_order(prepared, raw_ml1m, tmp_path):
    other = FolderArguments(corpus="ml1m", output=str(tmp_path / "other"))
    prepare(other, RawArguments(raw=str(raw_ml1m), seed=1))
    ids = [store.read(where.folder, "samples", "train")["sample_id"].to_pylist() for where in (prepared, other)]
    assert ids[0] != ids[1]
    assert sorted(ids[0]) == sorted(ids[1])
