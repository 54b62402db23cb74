"""The generated archive of the benchmarks has the format and the shape it claims, read back with the csv module."""

from __future__ import annotations

import csv
import importlib
import io
import itertools
import statistics
import zipfile
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parent.parent / "benchmarks"
USERS = 300


@pytest.fixture(scope="module")
def harness():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(BENCHMARKS)
        yield importlib.import_module("harness.movielens_25m"), importlib.import_module("harness.archive_shape")


@pytest.fixture(scope="module")
def archive(harness, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("generated") / "ml-25m.zip"
    harness[0].generate(path, USERS)
    return path


def lines(path: Path, name: str) -> tuple[list[str], list[list[str]]]:
    text = zipfile.ZipFile(path).read(f"ml-25m/{name}").decode("utf-8")
    assert text.count("\n") == text.count("\r\n") > 0
    header, *rest = csv.reader(io.StringIO(text, newline=""))
    return header, rest


def test_ratings_keep_the_format_the_order_and_the_bounds(archive):
    header, ratings = lines(archive, "ratings.csv")
    assert header == ["userId", "movieId", "rating", "timestamp"]
    pairs = [(int(user), int(movie)) for user, movie, _, _ in ratings]
    assert pairs == sorted(set(pairs)), "ordered by user, then movie; no pair twice"
    assert {rating for _, _, rating, _ in ratings} == {str(half / 2) for half in range(1, 11)}
    assert all(789_652_009 <= int(time) <= 1_574_327_703 for *_, time in ratings)


def test_movies_hold_every_rated_one_and_quote_what_must_be(archive):
    header, movies = lines(archive, "movies.csv")
    ids = [int(movie) for movie, _, _ in movies]
    assert header == ["movieId", "title", "genres"]
    assert len(ids) == 62_423
    assert ids == sorted(set(ids))
    assert ids[-1] == 209_171
    assert {int(movie) for _, movie, _, _ in lines(archive, "ratings.csv")[1]} < set(ids)
    titles = [title for _, title, _ in movies]
    assert any(", The (" in title for title in titles)
    assert any('"' in title for title in titles)
    assert "(no genres listed)" in {genres for *_, genres in movies}


def test_users_are_as_long_as_those_of_the_whole(archive, harness):
    movielens_25m, archive_shape = harness
    ratings = lines(archive, "ratings.csv")[1]
    length: dict[str, int] = {}
    for user, *_ in ratings:
        length[user] = length.get(user, 0) + 1
    assert len(length) == USERS
    assert min(length.values()) == 20
    assert len(ratings) == round(25_000_095 * USERS / 162_541)
    assert statistics.median(length.values()) == pytest.approx(71, abs=2)
    whole = movielens_25m.lengths(162_541)
    assert (whole.sum(), whole.min(), whole.max()) == (25_000_095, 20, 32_202)
    scale = sum(n * n for n in length.values()) / len(ratings)
    assert scale == pytest.approx((whole**2).sum() / whole.sum(), rel=0.025)
    measured = archive_shape.measure(archive)
    assert (measured.users, measured.ratings, measured.longest) == (USERS, len(ratings), max(length.values()))
    assert measured.history_scale == pytest.approx(scale)
    neighbours = sorted((int(user), int(time)) for user, _, _, time in ratings)
    same = sum(a == b for a, b in itertools.pairwise(neighbours))
    assert measured.same_second == pytest.approx(same / (len(ratings) - USERS))
    assert 0.05 < measured.same_second < 0.3


def test_same_seed_gives_the_same_bytes_in_a_zip_and_in_a_folder(archive, harness, tmp_path):
    movielens_25m, _ = harness
    again, other, folder = tmp_path / "again.zip", tmp_path / "other.zip", tmp_path / "ml-25m"
    movielens_25m.generate(again, USERS)
    movielens_25m.generate(other, USERS, seed=1)
    movielens_25m.generate(folder, USERS)
    assert again.read_bytes() == archive.read_bytes() != other.read_bytes()
    for name in ("ratings.csv", "movies.csv"):
        assert (folder / name).read_bytes() == zipfile.ZipFile(archive).read(f"ml-25m/{name}")


def test_too_few_users_are_an_error(harness, tmp_path):
    with pytest.raises(ValueError, match="100"):
        harness[0].generate(tmp_path / "x.zip", users=20)
