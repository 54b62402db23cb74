"""The corpus that the project generates: the same bytes every time, in MovieLens-1M's format, and with a taste to find."""

import hashlib
from itertools import pairwise
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from sklearn.metrics import roc_auc_score

from rella_hub.corpora import demo, load_corpus
from rella_hub.corpora.raw.archive import open_raw
from rella_hub.stages.arguments import FolderArguments, RawArguments
from rella_hub.stages.prepare import prepare
from rella_hub.tables import store

FILES = ("users.dat", "movies.dat", "ratings.dat")
SHOWN = 5


@pytest.fixture(scope="module")
def raw(tmp_path_factory) -> Path:
    return demo.generate(tmp_path_factory.mktemp("raw"))


@pytest.fixture(scope="module")
def tables(raw):
    """As MovieLens-1M's own reader reads them."""
    with open_raw(raw, list(FILES), None) as files:
        return load_corpus("ml1m").read(files)


@pytest.fixture(scope="module")
def samples(raw, tmp_path_factory) -> list[dict]:
    """Every sample with the history before it: rating and genre of each earlier interaction, and of the target."""
    folder = tmp_path_factory.mktemp("demo") / "rella/demo"
    prepare(FolderArguments(corpus="demo", output=str(folder)), RawArguments(raw=str(raw)))
    genre = {row["item_id"]: row["genre"] for row in store.read(folder, "items").to_pylist()}
    interactions = store.read(folder, "interactions").to_pylist()
    found = []
    for split in ("train", "test"):
        for sample in store.read(folder, "samples", split).to_pylist():
            history = interactions[sample["sample_id"] - sample["position"] : sample["sample_id"]]
            found.append(
                {
                    "split": split,
                    "user": sample["user_id"],
                    "label": sample["label"],
                    "genre": genre[sample["item_id"]],
                    "history": [(row["rating"], genre[row["item_id"]]) for row in history],
                }
            )
    return found


def test_the_same_bytes_every_time(raw, tmp_path):
    again = demo.generate(tmp_path)
    assert {path.name for path in again.iterdir()} == {".rella.json", *FILES}
    for name in FILES:
        assert (again / name).read_bytes() == (raw / name).read_bytes()
    assert list(tmp_path.iterdir()) == [again], "nothing is left beside it"


def test_every_line_has_the_format_of_movielens(raw):
    patterns = {
        "users.dat": r"\d+::[MF]::(1|18|25|35|45|50|56)::([0-9]|1[0-9]|20)::\d{5}",
        "movies.dat": r"\d+::[A-Z][\w -]+::[\w-]+",
        "ratings.dat": r"\d+::\d+::[1-5]::\d{9,10}",
    }
    for name, pattern in patterns.items():
        lines = pl.Series((raw / name).read_text(encoding="latin-1").splitlines())
        wrong = lines.filter(~lines.str.contains(f"^{pattern}$"))
        assert wrong.is_empty(), f"{name}: {wrong[0]}"


def test_what_is_generated_is_what_is_read(tables):
    assert len(tables.users) == demo.USERS
    assert len(tables.items) == sum(len(f.split()) * len(s.split()) for _, f, s in demo.THEMES.values())
    per_user = tables.interactions.group_by("user_id").len()["len"]
    assert len(per_user) == demo.USERS
    low, high = demo.RATINGS_PER_USER
    assert (per_user.min(), per_user.max()) == (low, high)
    assert set(tables.interactions["item_id"]) == set(tables.items["item_id"])
    assert set(tables.interactions["rating"]) == {1, 2, 3, 4, 5}


def test_titles_are_distinct_and_made_of_their_themes_words(tables):
    titles = tables.items["title"].to_list()
    assert len(set(titles)) == len(titles)
    words = {genre: (set(first.split()), set(second.split())) for genre, first, second in demo.THEMES.values()}
    for title, genre in zip(titles, tables.items["genre"], strict=True):
        first, second = title.split()
        assert first in words[genre][0]
        assert second in words[genre][1]


def test_no_word_belongs_to_two_themes():
    words = [word for _, first, second in demo.THEMES.values() for word in f"{first} {second}".split()]
    assert len(set(words)) == len(words)
    assert len({genre for genre, _, _ in demo.THEMES.values()}) == len(demo.THEMES)


def test_movie_ids_have_gaps_and_say_nothing_of_the_theme(tables):
    ids = tables.items["item_id"].to_numpy()
    assert len(ids) < ids.max() - ids.min() + 1
    genre = tables.items["genre"].to_list()
    neighbors = np.mean([a == b for a, b in pairwise(genre)])
    assert neighbors < 2 / len(demo.THEMES)


def test_times_rise_with_the_rows_of_a_user(tables):
    for _, rows in tables.interactions.group_by("user_id"):
        assert (np.diff(rows["timestamp"].to_numpy()) >= 0).all()


def test_labels_are_balanced(samples):
    assert 0.4 < np.mean([sample["label"] for sample in samples]) < 0.6


def auc_of(samples: list[dict], score) -> float:
    tested = [sample for sample in samples if sample["split"] == "test"]
    return roc_auc_score([sample["label"] for sample in tested], [score(sample) for sample in tested])


def mean(ratings: list[float]) -> float:
    return float(np.mean(ratings)) if ratings else 3.0


def test_earlier_movies_of_the_same_theme_tell_the_label(samples):
    """What retrieval can find: the mean of the latest few ratings of that genre, against the mean of the latest few of all."""

    def retrieved(sample):
        return mean([rating for rating, genre in sample["history"] if genre == sample["genre"]][-SHOWN:])

    def recent(sample):
        return mean([rating for rating, _ in sample["history"]][-SHOWN:])

    assert auc_of(samples, retrieved) > 0.8
    assert auc_of(samples, recent) < 0.6


def test_user_and_theme_alone_tell_little(samples):
    """The taste is each user's own: how many a user likes, or how many like a genre, is no short cut."""
    for key in ("user", "genre"):
        liked = {}
        for sample in samples:
            if sample["split"] == "train":
                liked.setdefault(sample[key], []).append(sample["label"])
        assert auc_of(samples, lambda sample, key=key, liked=liked: mean(liked.get(sample[key], [0.5]))) < 0.65


def test_a_generated_corpus_is_what_prepare_takes_by_default(raw, tmp_path):
    where = FolderArguments(corpus="demo", output=str(tmp_path / "rella/demo"))
    prepare(where, RawArguments(raw_folder=str(tmp_path / "raw")))
    record = store.provenance(where.folder, "interactions")
    assert record["corpus"] == "demo"
    for name in FILES:
        digest = hashlib.sha256((raw / name).read_bytes()).hexdigest()
        assert hashlib.sha256((tmp_path / "raw/demo" / name).read_bytes()).hexdigest() == digest


def test_it_is_free_to_use():
    corpus = load_corpus("demo")
    assert corpus.licence == "apache-2.0"
    assert corpus.archive is None
    assert not corpus.expected_rows
    assert "invented" in corpus.summary
