"""Which behaviors are shown: recency, SUBR and ReiT, against brute force over every earlier behavior."""

import dataclasses
import shutil

import numpy as np
import pytest
from builders import expected_view, nearest, write_vectors
from hypothesis import given, settings
from hypothesis import strategies as st

from rella_hub.stages.arguments import ViewArguments
from rella_hub.stages.view import build_views
from rella_hub.tables import schema, store
from rella_hub.vectors.reduce import normalize
from rella_hub.views import Config, recency, subr


def rows_of(positions: np.ndarray) -> list[list[int]]:
    return [[int(p) for p in row if p >= 0] for row in positions]


def check_subr(histories: list[list[int]], vectors: np.ndarray, history_length: int, similarity: str) -> None:
    """`histories`: the item codes of each user; every position after the first is a sample."""
    item_code = np.array([code for history in histories for code in history], dtype=np.int64)
    starts = np.cumsum([0, *map(len, histories)])
    samples = [(p, start) for history, start in zip(histories, starts, strict=False) for p in range(1, len(history))]
    position, start = (np.array(column, dtype=np.int64) for column in zip(*samples, strict=True))
    chosen = subr.closest(position, start, item_code, vectors.astype(np.float32), history_length, similarity)
    schema.check_views(position, chosen, history_length)
    exact = vectors.astype(np.float64)
    expected = [
        nearest([exact[i] for i in history[:p]], exact[history[p]], history_length, similarity)
        for history in histories
        for p in range(1, len(history))
    ]
    assert rows_of(chosen) == expected


some_histories = st.lists(st.lists(st.integers(0, 7), min_size=2, max_size=14), min_size=1, max_size=4)


@pytest.mark.parametrize("similarity", subr.SIMILARITIES)
@settings(max_examples=40)
@given(histories=some_histories, history_length=st.integers(1, 6), seed=st.integers(0, 99))
def test_subr_is_brute_force_on_random_vectors(similarity, histories, history_length, seed):
    vectors = np.random.default_rng(seed).normal(size=(8, 5)).astype(np.float32)
    vectors[3] = vectors[5]  # two items that say the same
    check_subr(histories, normalize(vectors)[0] if similarity == "cosine" else vectors, history_length, similarity)


EXACT = {  # small whole numbers, whose products and sums no rounding touches: many items are equally close
    "cosine": np.array([[1, 1, 1, 1], [1, 1, -1, -1], [1, -1, 1, -1], [1, 1, 1, -1], [2, 0, 0, 0], [0, 2, 0, 0], [0, 0, -2, 0], [1, 1, 1, 1]]) / 2,  # noqa: E501
    "inner_product": np.array([[1, 2], [2, 1], [0, 0], [-1, -2], [4, 2], [2, 4], [1, 2], [3, 3]]),
    "l2": np.array([[0, 0], [1, 0], [0, 1], [-1, 0], [0, -1], [1, 1], [-1, -1], [0, 0]]),
    "l1": np.array([[0, 0], [2, 0], [1, 1], [0, 2], [-1, 1], [2, 2], [0, -2], [0, 0]]),
}  # fmt: skip


@pytest.mark.parametrize("similarity", subr.SIMILARITIES)
@settings(max_examples=60)
@given(histories=some_histories, history_length=st.integers(1, 6))
def test_equally_close_behaviors_go_to_the_more_recent(similarity, histories, history_length):
    check_subr(histories, EXACT[similarity], history_length, similarity)


def test_a_movie_seen_twice_is_two_behaviors():
    vectors = np.eye(3, dtype=np.float32)
    codes = np.array([0, 1, 0, 2, 0])  # the target is the last one
    chosen = subr.closest(np.array([4]), np.array([0]), codes, vectors, 2)
    assert rows_of(chosen) == [[0, 2]]


@pytest.mark.parametrize("similarity", subr.SIMILARITIES)
def test_long_histories_are_answered_in_blocks(similarity, monkeypatch):
    monkeypatch.setattr(subr, "TARGETS_PER_BLOCK", 16)
    rng = np.random.default_rng(0)
    check_subr([rng.integers(0, 8, n).tolist() for n in (90, 2, 33)], EXACT[similarity], 7, similarity)


@given(st.lists(st.integers(0, 50), min_size=1, max_size=20), st.integers(1, 20))
def test_recency_is_the_end_of_the_history(position, history_length):
    chosen = recency.latest(np.array(position), history_length)
    schema.check_views(np.array(position), chosen, history_length)
    assert rows_of(chosen) == [list(range(p))[-history_length:] for p in position]


@settings(max_examples=30)
@given(st.lists(st.integers(1, 12), min_size=1, max_size=5), st.integers(0, 9))
def test_recency_is_subr_where_the_whole_history_is_shown(lengths, seed):
    rng = np.random.default_rng(seed)
    start = np.cumsum([0, *[n + 1 for n in lengths]])
    codes = rng.integers(0, 5, start[-1])
    vectors = normalize(rng.normal(size=(5, 3)).astype(np.float32))[0]
    position = np.array(lengths)
    by_subr = subr.closest(position, start[:-1], codes, vectors, history_length=12)
    assert (by_subr == recency.latest(position, 12)).all()


# From here on the stage, on the tables of the invented corpus, whose movie ids have gaps.


@pytest.mark.parametrize("history_length", [1, 4, 30])
@pytest.mark.parametrize("similarity", subr.SIMILARITIES)
def test_views_of_a_corpus_are_brute_force_by_item_id(prepared, similarity, history_length):
    vectors = write_vectors(prepared)
    build_views(prepared, ViewArguments(history_length=[history_length], similarity=similarity))

    def latest(history, _):
        return list(range(len(history)))[-history_length:]

    def closest(history, sample):
        known = [vectors[item] for item in history]
        return nearest(known, vectors[sample["item_id"]], history_length, similarity)

    def rows(view, split):
        config = Config("", history_length, similarity).of_view(view)
        return store.read(prepared.folder, config.table, split).to_pylist()

    for split in store.SPLITS:
        assert rows("recency", split) == expected_view(prepared, split, latest)
        assert rows("subr", split) == expected_view(prepared, split, closest)
    in_turn = zip(rows("recency", "train"), rows("subr", "train"), strict=True)
    assert rows("reit", "mixed") == [row for pair in in_turn for row in pair]
    assert rows("reit", "test") == rows("subr", "test")
    assert rows("reit", "validation") == rows("subr", "validation")


def test_no_view_shows_the_target_or_the_future(prepared):
    write_vectors(prepared)
    build_views(prepared, ViewArguments(history_length=[2, 7]))
    position = {}
    for split in store.SPLITS:
        samples = store.read(prepared.folder, "samples", split)
        position |= dict(zip(samples["sample_id"].to_pylist(), samples["position"].to_pylist(), strict=True))
    views = [name for name in store.table_names(prepared.folder) if name.startswith("view_")]
    assert len(views) == 6
    for name in views:
        history_length = int(name.rpartition("_k")[2])
        for split in store.table_splits(prepared.folder, name):
            for row in store.read(prepared.folder, name, split).to_pylist():
                shown = row["positions"]
                assert shown == sorted(set(shown))
                assert max(shown) < position[row["sample_id"]]
                assert len(shown) == min(history_length, position[row["sample_id"]])


@pytest.mark.parametrize(
    ("share", "name"), [(50, "union"), (50, "union50"), (30, "union30"), (1, "union1"), (99, "union99")]
)
def test_union_is_the_latest_and_the_closest_of_the_rest(prepared, share, name, monkeypatch):
    """By brute force, for each length and similarity: sort what lies before the latest ones, take what is missing to K."""
    monkeypatch.setattr(subr, "TARGETS_PER_BLOCK", 3)
    vectors = write_vectors(prepared)
    for history_length, similarity in ((1, "cosine"), (4, "l2"), (5, "cosine")):
        config = Config("", history_length, similarity).of_view(name)
        build_views(prepared, ViewArguments(view=[name], history_length=[history_length], similarity=similarity))
        count = int(history_length * share / 100)

        def union(history, sample, history_length=history_length, similarity=similarity, count=count):
            if len(history) <= history_length:
                return list(range(len(history)))
            rest = [vectors[item] for item in history[: len(history) - count]]
            close = nearest(rest, vectors[sample["item_id"]], history_length - count, similarity)
            return close + list(range(len(history) - count, len(history)))

        for split in store.SPLITS:
            assert store.read(prepared.folder, config.table, split).to_pylist() == expected_view(prepared, split, union)


@pytest.mark.parametrize("name", ["union0", "union100", "union400"])
def test_a_union_of_one_part_is_refused(prepared, name):
    write_vectors(prepared)
    with pytest.raises(ValueError, match="a share from 1 to 99 %"):
        build_views(prepared, ViewArguments(view=[name]))


@pytest.mark.parametrize("samples_per_block", [1, 8, 20])
@pytest.mark.parametrize("rows_per_shard", [5, 14])
def test_blocks_and_shards_do_not_change_a_view(prepared, tmp_path, monkeypatch, samples_per_block, rows_per_shard):
    write_vectors(prepared)
    in_parts = dataclasses.replace(prepared, output=str(shutil.copytree(prepared.folder, tmp_path / "in-parts")))
    build_views(prepared, ViewArguments(history_length=[3]))
    monkeypatch.setattr("rella_hub.stages.view.SAMPLES_PER_BLOCK", samples_per_block)
    monkeypatch.setattr(store, "ROWS_PER_SHARD", rows_per_shard)
    build_views(in_parts, ViewArguments(history_length=[3]))
    assert len(store.shard_paths(in_parts.folder, "view_reit_k3", "mixed")) == -(-110 // rows_per_shard)
    for name in store.table_names(prepared.folder):
        for split in store.table_splits(prepared.folder, name):
            assert store.read(prepared.folder, name, split).equals(store.read(in_parts.folder, name, split))
    assert not list(in_parts.folder.glob(".*"))


def test_an_item_without_a_vector_is_named(prepared):
    rated = store.read(prepared.folder, "interactions")["item_id"].to_pylist()
    write_vectors(prepared, without=rated[0])
    with pytest.raises(ValueError, match=rf"1 items have interactions but no item vector.*: {rated[0]}\."):
        build_views(prepared, ViewArguments(view=["subr"]))
    assert "view_subr_k30" not in store.table_names(prepared.folder)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"history_length": [5, 0]}, "--history_length is 0; a prompt must show at least 1 behavior"),
        ({"history_length": [-3]}, "--history_length is -3"),
        ({"view": ["recent"]}, "no view 'recent'. There are: duplicated, recency, reit, subr, union"),
        ({"similarity": "dot"}, "no similarity 'dot'. Expected one of cosine, l2, l1, inner_product"),
    ],
)
def test_options_that_make_no_sense(prepared, options, said):
    with pytest.raises(ValueError, match=said):
        build_views(prepared, ViewArguments(**options))


@pytest.mark.parametrize(
    ("position", "positions", "broken"),
    [
        (2, [0, 2, -1], "never shows the target or the future"),
        (2, [-1, -1, -1], r"min\(K, position\)"),
        (2, [0, -1, -1], r"min\(K, position\)"),
        (3, [0, 1, 3], "never shows the target or the future"),
        (3, [0, 2, 1], "strictly increasing"),
        (2, [1, 1, -1], "strictly increasing"),
        (2, [-1, 0, 1], "unused places stand at the right"),
    ],
)
def test_the_contract_of_a_view_is_held(position, positions, broken):
    with pytest.raises(AssertionError, match=broken):
        schema.check_views(np.array([position]), np.array([positions]), 3)
