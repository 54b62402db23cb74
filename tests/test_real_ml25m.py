"""MovieLens-25M's format on real archives: "latest-small", which is complete and small, and the official one where it is there."""

import csv
import io
import zipfile
from pathlib import Path

import polars as pl
import pytest

from rella_hub.corpora import load_corpus
from rella_hub.stages.arguments import FolderArguments, RawArguments, ViewArguments
from rella_hub.stages.prepare import prepare
from rella_hub.stages.view import build_views
from rella_hub.tables import store

SHARED = Path(__file__).parents[1] / ".." / "shared" / "data"
SMALL, OFFICIAL = SHARED / "ml-latest-small.zip", SHARED / "ml-25m.zip"
CORPUS = load_corpus("ml25m")
HISTORY = 5
USERS = [1, 53, 318, 414, 610]  # 53 has rated as few movies as anybody, 20, and 414 the most, 2,698

pytestmark = pytest.mark.real_data
needs_small = pytest.mark.skipif(not SMALL.exists(), reason="no ml-latest-small.zip in ../shared/data")


def rows_of(name: str) -> list[list[str]]:
    with zipfile.ZipFile(SMALL) as archive:
        text = archive.read(f"ml-latest-small/{name}").decode("utf-8")
    return list(csv.reader(io.StringIO(text, newline="")))[1:]


@pytest.fixture(scope="module")
def where(tmp_path_factory) -> FolderArguments:
    where = FolderArguments(corpus="ml25m", output=str(tmp_path_factory.mktemp("real") / "ml25m"))
    prepare(where, RawArguments(raw=str(SMALL)))
    return where


@pytest.fixture(scope="module")
def histories() -> dict[int, list[tuple]]:
    """user -> (time, movie, rating) in the order of the past, by plain Python."""
    by_user = {}
    for user, movie, rating, time in rows_of("ratings.csv"):
        by_user.setdefault(int(user), []).append((int(time), int(movie), float(rating)))
    return {user: sorted(rated) for user, rated in by_user.items()}


def splits_of(where: FolderArguments, name: str) -> dict[str, pl.DataFrame]:
    return {s: pl.from_arrow(store.read(where.folder, name, s)) for s in store.table_splits(where.folder, name)}


@needs_small
def test_counts(where):
    samples = {split: len(rows) for split, rows in splits_of(where, "samples").items()}
    interactions, users, items = (
        pl.from_arrow(store.read(where.folder, n)) for n in ("interactions", "users", "items")
    )
    assert (len(interactions), len(users), len(items)) == (100_836, 610, 9_742)
    assert interactions["item_id"].n_unique() == 9_724
    assert sum(samples.values()) == 100_836 - HISTORY * 610 == 97_786
    assert samples == {"train": 78_228, "validation": 9_778, "test": 9_780}  # int(0.8 n), int(0.1 n), the rest


@needs_small
def test_movies_are_what_the_csv_module_reads(where):
    expected = [
        (int(movie), title, genres.split("|")[0].replace("(no genres listed)", "unknown"), genres)
        for movie, title, genres in rows_of("movies.csv")
    ]
    assert pl.from_arrow(store.read(where.folder, "items")).rows() == sorted(expected)


@needs_small
def test_samples_and_labels_of_every_split_are_those_of_plain_python(where, histories):
    expected = sorted(
        (time, user, movie, position, int(rating > 3))
        for user, rated in histories.items()
        for position, (time, movie, rating) in enumerate(rated)
        if position >= HISTORY
    )
    train, validation = int(0.8 * len(expected)), int(0.1 * len(expected))
    cut = {
        "train": expected[:train],
        "validation": expected[train : train + validation],
        "test": expected[train + validation :],
    }
    for split, rows in splits_of(where, "samples").items():
        found = list(rows.select("user_id", "item_id", "position", "label").iter_rows())
        wanted = [(user, movie, position, label) for _, user, movie, position, label in cut[split]]
        if split == "train":  # stands in a random order
            assert found != wanted
            found, wanted = sorted(found), sorted(wanted)
        assert found == wanted
        assert rows["label"].sum() == sum(label for *_, label in cut[split])
    assert cut["train"][-1][0] <= cut["validation"][0][0] <= cut["test"][0][0]


@needs_small
def test_every_history_of_some_users_is_that_of_plain_python(where, histories):
    """By the positions of the recency view, which point into the stored interactions."""
    build_views(where, ViewArguments(view=["recency"], history_length=[30]))
    interactions = pl.from_arrow(store.read(where.folder, "interactions"))
    stored = {
        user: interactions.filter(pl.col("user_id") == user).select("timestamp", "item_id", "rating").rows()
        for user in USERS
    }
    checked = 0
    for split, shown in splits_of(where, "view_recency_k30").items():
        samples = pl.from_arrow(store.read(where.folder, "samples", split))
        assert shown["sample_id"].equals(samples["sample_id"])
        both = samples.with_columns(shown["positions"]).filter(pl.col("user_id").is_in(USERS))
        for user, position, item, positions in both.select("user_id", "position", "item_id", "positions").iter_rows():
            past = histories[user][:position]
            assert histories[user][position][1] == item
            assert [stored[user][p] for p in positions] == past[-30:]
            checked += 1
    assert checked == sum(len(histories[user]) - HISTORY for user in USERS)


@pytest.mark.skipif(not OFFICIAL.exists(), reason="no official ml-25m.zip in ../shared/data")
def test_counts_of_the_official_archive(tmp_path, capsys):
    where = FolderArguments(corpus="ml25m", output=str(tmp_path / "ml25m"))
    prepare(where, RawArguments(raw=str(OFFICIAL)))
    assert store.provenance(where.folder, "samples")["raw_status"] == "official"
    counts = {name: store.count_rows(where.folder, name) for name in ("users", "interactions")}
    counts |= {s: store.count_rows(where.folder, "samples", s) for s in store.SPLITS}
    assert counts | {"samples": sum(counts[s] for s in store.SPLITS)} == CORPUS.expected_rows
    assert "WARNING" not in capsys.readouterr().err
