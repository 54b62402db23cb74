"""MovieLens-25M: what is read from the raw files, which rows are published, and what is said of damaged files."""

import csv
import shutil
import zipfile
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pytest

from rella_hub.corpora import load_corpus
from rella_hub.corpora.ml25m import read
from rella_hub.corpora.raw.archive import open_raw
from rella_hub.stages.arguments import FolderArguments, PromptArguments, RawArguments, RowArguments, ViewArguments
from rella_hub.stages.prepare import prepare
from rella_hub.stages.prompt import build_prompts
from rella_hub.stages.view import build_views
from rella_hub.tables import schema, store

CORPUS = load_corpus("ml25m")
RAW = Path(__file__).parent / "fixtures" / "raw" / "ml25m"
K = 4
SPLITS = {"train": 50, "validation": 6, "test": 7}  # of 63 samples: int(0.8 n), int(0.1 n), the rest


@pytest.fixture
def raw(tmp_path):
    """A copy of the raw files, to be damaged."""
    return shutil.copytree(RAW, tmp_path / "ml-25m")


@pytest.fixture
def where(tmp_path) -> FolderArguments:
    return FolderArguments(corpus="ml25m", output=str(tmp_path / "rella" / "ml25m"))


@pytest.fixture(scope="module")
def tables():
    with open_raw(RAW, CORPUS.files, CORPUS.archive) as files:
        return read(files)


def rows_of(name: str) -> list[list[str]]:
    with (RAW / name).open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file))[1:]


def test_the_fixture_has_the_published_format():
    movies, ratings = ((RAW / name).read_bytes() for name in ("movies.csv", "ratings.csv"))
    assert movies.startswith(b"movieId,title,genres\r\n")
    assert ratings.startswith(b"userId,movieId,rating,timestamp\r\n")
    assert all(data.count(b"\n") == data.count(b"\r\n") for data in (movies, ratings))
    assert b'5,"""Borrowed"" Violin, A (1971)",Crime|Mystery\r\n' in movies


def test_interactions_are_the_lines(tables):
    expected = [(int(user), int(item), float(rating), int(time)) for user, item, rating, time in rows_of("ratings.csv")]
    assert tables.interactions.rows() == expected
    assert tables.interactions.schema == {
        "user_id": pl.Int32,
        "item_id": pl.Int32,
        "rating": pl.Float32,
        "timestamp": pl.Int64,
    }
    assert {rating for _, _, rating, _ in expected} == {half / 2 for half in range(1, 11)}


def test_users_are_those_who_rated(tables):
    assert tables.users.columns == ["user_id"]
    assert tables.users["user_id"].to_list() == sorted({int(user) for user, *_ in rows_of("ratings.csv")})


def test_the_genre_is_the_first_one_and_quotes_and_letters_survive(tables):
    assert tables.items.rows() == [
        (int(movie), title, genres.split("|")[0].replace("(no genres listed)", "unknown"), genres)
        for movie, title, genres in rows_of("movies.csv")
    ]
    titles = tables.items["title"].to_list()
    assert {"Élan vital (1994)", 'Good, the Late and the "Lost", The (1978)'} <= set(titles)
    assert "(no genres listed)" in tables.items["genres"].to_list()


def test_of_a_movie_without_a_genre_only_the_title_is_described(tables):
    described = dict(zip(tables.items["item_id"], CORPUS.words.description(tables.items), strict=True))
    assert described[13] == "The title of the movie is Counting Sparrows (2011)."
    assert described[14] == "The title of the movie is Velvet Compass (1966). The genre of the movie is Adventure."
    assert not any("no genres listed" in text or "unknown" in text for text in described.values())


def test_nothing_is_said_of_a_user(tables):
    words = CORPUS.words
    assert words.profile(tables.users).to_list() == [""] * len(tables.users)
    assert words.subject(tables.users).to_list() == ["the user"] * len(tables.users)
    none = tables.users.clear()
    assert (len(words.profile(none)), len(words.subject(none))) == (0, 0)


def test_three_and_a_half_stars_are_liked_and_three_are_not(where):
    prepare(where, RawArguments(raw=str(RAW)))
    interactions = store.read(where.folder, "interactions").to_pylist()
    assert {row["rating"]: row["label"] for row in interactions} == {
        half / 2: int(half / 2 in (3.5, 4, 4.5, 5)) for half in range(1, 11)
    }
    assert {
        split: store.count_rows(where.folder, "samples", split) for split in store.table_splits(where.folder, "samples")
    } == SPLITS


def write_genre_vectors(folder: Path) -> None:
    """A vector of its genre for each movie, which is enough to have a nearest one."""
    items = store.read(folder, "items")
    genre = items["genre"].to_pylist()
    vectors = np.array([[g == other for other in sorted(set(genre))] for g in genre], dtype=np.float32)
    columns = {
        "item_id": items["item_id"].combine_chunks(),
        "vector": pa.FixedSizeListArray.from_arrays(vectors.ravel(), vectors.shape[1]),
        "norm": np.ones(len(vectors), dtype=np.float32),
    }
    store.write(
        folder,
        "item_vectors",
        schema.item_vectors(vectors.shape[1]),
        {"train": pa.table(columns)},
        {"corpus": "ml25m"},
    )


@pytest.fixture
def ready(where) -> FolderArguments:
    """All that views are made from."""
    prepare(where, RawArguments(raw=str(RAW)))
    write_genre_vectors(where.folder)
    return where


def build(where: FolderArguments, views: RowArguments, prompts: RowArguments | None = None) -> None:
    """Overwriting what was there."""
    again = FolderArguments(corpus=where.corpus, output=where.output, overwrite=True)
    lengths = ViewArguments(history_length=[K])
    build_views(again, lengths, views)
    build_prompts(again, lengths, PromptArguments(), prompts or views)


def ids(where: FolderArguments, name: str, split: str) -> list[int]:
    return store.read(where.folder, name, split)["sample_id"].to_pylist()


def counts(where: FolderArguments, name: str) -> dict[str, int]:
    return {split: store.count_rows(where.folder, name, split) for split in store.table_splits(where.folder, name)}


def test_published_are_at_most_what_the_released_code_samples(ready):
    assert RowArguments().choose(CORPUS) == {"train": 90_000, "validation": 10_000, "test": 70_000}
    build(ready, RowArguments())
    for view in ("recency", "subr"):
        assert counts(ready, f"{view}_k{K}") == SPLITS, "fewer than that there are"
    assert counts(ready, f"reit_k{K}") == {"mixed": 100, "validation": 6, "test": 7}


def test_a_smaller_choice_is_contained_in_a_larger_one(ready):
    shown = {}
    for train, test in ((12, 2), (30, 5), ("all", "all")):
        build(ready, RowArguments(train_rows=str(train), validation_rows="3", test_rows=str(test)))
        shown[train] = {
            name: {split: ids(ready, name, split) for split in store.table_splits(ready.folder, name)}
            for name in (f"recency_k{K}", f"view_recency_k{K}", f"subr_k{K}", f"reit_k{K}")
        }
    samples = {split: ids(ready, "samples", split) for split in SPLITS}
    for train, test in ((12, 2), (30, 5), ("all", "all")):
        recency, mixed = shown[train][f"recency_k{K}"], shown[train][f"reit_k{K}"]
        rows = len(samples["train"]) if train == "all" else train
        assert recency["train"] == samples["train"][:rows]
        assert mixed["mixed"] == [sample for sample in recency["train"] for _ in range(2)]
        assert recency["test"] == [sample for sample in samples["test"] if sample in recency["test"]], "stored order"
        assert len(recency["test"]) == len(set(recency["test"])) == (7 if test == "all" else test)
        assert len(recency["validation"]) == 3
        assert recency == shown[train][f"view_recency_k{K}"] == shown[train][f"subr_k{K}"]
        assert mixed["test"] == recency["test"]
    for small, large in ((12, 30), (30, "all")):
        for split in ("train", "test", "validation"):
            assert set(shown[small][f"recency_k{K}"][split]) <= set(shown[large][f"recency_k{K}"][split])


def test_fewer_prompts_than_rows_of_the_view_are_its_rows(ready):
    build(ready, RowArguments())
    prompt_of = {
        (name, row["sample_id"], number % 2 if split == "mixed" else 0): row["prompt"]
        for name in (f"recency_k{K}", f"subr_k{K}", f"reit_k{K}")
        for split in store.table_splits(ready.folder, name)
        for number, row in enumerate(store.read(ready.folder, name, split).to_pylist())
    }
    fewer = RowArguments(train_rows="9", validation_rows="2", test_rows="4")
    build(ready, RowArguments(train_rows="20", validation_rows="all", test_rows="5"), fewer)
    assert counts(ready, f"view_reit_k{K}") == {"mixed": 40, "validation": 6, "test": 5}
    assert counts(ready, f"reit_k{K}") == {"mixed": 18, "validation": 2, "test": 4}
    for name in (f"recency_k{K}", f"subr_k{K}", f"reit_k{K}"):
        for split in store.table_splits(ready.folder, name):
            for number, row in enumerate(store.read(ready.folder, name, split).to_pylist()):
                which = number % 2 if split == "mixed" else 0
                assert row["prompt"] == prompt_of[name, row["sample_id"], which]


def test_more_prompts_than_rows_of_the_view_are_refused(ready):
    with pytest.raises(
        ValueError, match=rf"view_recency_k{K} has 20 train rows, asked for are 21 prompts.*--train_rows 21"
    ):
        build(ready, RowArguments(train_rows="20"), RowArguments(train_rows="21"))
    with pytest.raises(ValueError, match=r"has 3 test rows, asked for are 7 prompts.*--test_rows 7"):
        build(ready, RowArguments(test_rows="3"), RowArguments())
    assert f"recency_k{K}" not in store.table_names(ready.folder)


def test_another_number_of_prompts_is_another_table(ready):
    build(ready, RowArguments(train_rows="20"))
    with pytest.raises(
        ValueError, match=rf"recency_k{K} was made from other inputs: its selected_rows.train is 20, asked for is 10"
    ):
        build_prompts(ready, ViewArguments(history_length=[K]), PromptArguments(), RowArguments(train_rows="10"))


@pytest.mark.parametrize("value", ["0", "-3", "many"])
@pytest.mark.parametrize("split", SPLITS)
def test_what_is_no_number_of_rows_is_refused_before_anything_is_built(ready, split, value):
    with pytest.raises(ValueError, match=f"--{split}_rows is '{value}'. Give a whole number from 1, or all"):
        build_views(ready, ViewArguments(history_length=[K]), RowArguments(**{f"{split}_rows": value}))
    assert not [name for name in store.table_names(ready.folder) if name.startswith("view")]


def append(name: str, line: str, encoding: str = "utf-8"):
    def damage(raw):
        with (raw / name).open("a", encoding=encoding, newline="") as file:
            file.write(line + "\r\n")

    return damage


def change(name: str, old: bytes, new: bytes):
    def damage(raw):
        data = (raw / name).read_bytes()
        assert data.count(old) == 1
        (raw / name).write_bytes(data.replace(old, new))

    return damage


def again(raw):
    append("ratings.csv", (raw / "ratings.csv").read_text(encoding="utf-8").splitlines()[1])(raw)


M, R = r"movies\.csv", r"ratings\.csv"
DAMAGE = {
    "a file is missing": (lambda raw: (raw / "movies.csv").unlink(), f"(has no file|must hold) {M}"),
    "a file is empty": (lambda raw: (raw / "ratings.csv").write_bytes(b""), f"{R} is empty"),
    "only the header of ratings": (
        lambda raw: (raw / "ratings.csv").write_bytes(b"userId,movieId,rating,timestamp\r\n"),
        f"{R} has no rows",
    ),
    "only the header of movies": (
        lambda raw: (raw / "movies.csv").write_bytes(b"movieId,title,genres\r\n"),
        f"{M} has no rows",
    ),
    "no header in ratings": (
        change("ratings.csv", b"userId,movieId,rating,timestamp\r\n", b""),
        rf"{R}, line 1: the header is \['1', ",
    ),
    "another header in movies": (
        change("movies.csv", b"movieId", b"itemId"),
        rf"{M}, line 1: the header is \['itemId'",
    ),
    "columns in another order": (
        change("ratings.csv", b"rating,timestamp", b"timestamp,rating"),
        f"{R}, line 1: the header is",
    ),
    "byte order mark twice": (
        change("ratings.csv", b"userId", b"\xef\xbb\xbf\xef\xbb\xbfuserId"),
        f"{R}, line 1: the header is",
    ),
    "another encoding": (
        append("movies.csv", "7,Été (1990),Drama", "latin-1"),
        f"{M}, line 24: byte 0xc9 is not utf-8",
    ),
    "half a letter": (change("movies.csv", "É".encode(), b"\xc3"), f"{M}, line 3: byte 0xc3 is not utf-8"),
    "NUL": (append("movies.csv", "7,A\0,Drama"), f"{M}, line 24: a NUL byte"),
    "unclosed quote": (append("movies.csv", '7,"A,Drama'), f"{M}, line 24: a quote that is not closed"),
    "stray quote": (append("movies.csv", '7,"A" b,Drama'), f"{M}, line 24: a quote or a CR out of place"),
    "title of two lines": (append("movies.csv", '7,"A\r\nB",Drama'), f"{M}, line 24: movie 7 has a title of several"),
    "too few fields": (append("ratings.csv", "1,2,3.0"), f"{R}, line 113: 3 fields, expected 4"),
    "too many fields": (append("movies.csv", "7,A, The,Drama"), f"{M}, line 24: 4 fields, expected 3"),
    "no number": (append("ratings.csv", "1,two,3.0,4"), f"{R}, line 113: item_id is 'two'"),
    "signed id": (append("ratings.csv", "+1,2,3.0,4"), rf"{R}, line 113: user_id is '\+1'"),
    "negative user": (append("ratings.csv", "-1,2,3.0,4"), f"{R}, line 113: user_id is -1, expected a number from 1"),
    "id with a point": (append("ratings.csv", "1.0,2,3.0,4"), f"{R}, line 113: user_id is '1.0'"),
    "large id": (append("ratings.csv", "2147483648,2,3.0,4"), f"{R}, line 113: user_id is '2147483648'"),
    "unknown movie": (append("ratings.csv", "1,7,3.0,4"), f"{R}, line 113: movie 7 is not in {M}"),
    "rated twice": (again, rf"{R}, line 113: user 1 has rated movie \d+ already \(1 such lines"),
    "no stars": (append("ratings.csv", "1,2,0.0,4"), f"{R}, line 113: rating is 0.0, expected 0.5 to 5 in half stars"),
    "five and a half": (append("ratings.csv", "1,2,5.5,4"), f"{R}, line 113: rating is 5.5, expected 0.5 to 5"),
    "a quarter": (append("ratings.csv", "1,2,3.25,4"), f"{R}, line 113: rating is 3.25, expected 0.5 to 5"),
    "nan": (append("ratings.csv", "1,2,nan,4"), f"{R}, line 113: rating is 'nan', expected a number"),
    "inf": (append("ratings.csv", "1,2,inf,4"), f"{R}, line 113: rating is 'inf', expected a number"),
    "exponent": (append("ratings.csv", "1,2,3e0,4"), f"{R}, line 113: rating is '3e0', expected a number"),
    "no rating": (append("ratings.csv", "1,2,,4"), f"{R}, line 113: rating is ''"),
    "before 1970": (append("ratings.csv", "1,2,5.0,-4"), f"{R}, line 113: timestamp is -4"),
    "movie twice": (append("movies.csv", "1,A,Drama"), f"{M}, line 24: movie 1 stands there already"),
    "movie 0": (append("movies.csv", "0,A,Drama"), f"{M}, line 24: item_id is 0, expected a number from 1"),
    "no title": (append("movies.csv", '7," ",Drama'), f"{M}, line 24: movie 7 has no title"),
    "no genre": (append("movies.csv", "7,A,"), f"{M}, line 24: movie 7 has no first genre"),
}


def zip_of(raw, prefix: str = "ml-25m/"):
    path = raw.with_suffix(".zip")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as out:
        for file in sorted(raw.iterdir()):
            out.write(file, prefix + file.name)
    return path


@pytest.mark.parametrize("damage", DAMAGE)
@pytest.mark.parametrize("packed", [False, True], ids=["folder", "zip"])
def test_damage_is_named_and_leaves_no_table(raw, where, damage, packed):
    do, said = DAMAGE[damage]
    do(raw)
    with pytest.raises(ValueError, match=said):
        prepare(where, RawArguments(raw=str(zip_of(raw) if packed else raw)))
    assert store.table_names(where.folder) == []


@pytest.mark.parametrize("packed", ["truncated", "climbing"])
def test_a_damaged_zip_leaves_no_table(raw, where, packed):
    path = zip_of(raw, "../" if packed == "climbing" else "ml-25m/")
    if packed == "truncated":
        path.write_bytes(path.read_bytes()[:-100])
    said = "is not a whole zip" if packed == "truncated" else "leads out of the archive"
    with pytest.raises(ValueError, match=said):
        prepare(where, RawArguments(raw=str(path)))
    assert store.table_names(where.folder) == []


def test_zip_and_folder_give_the_same_tables(raw, tmp_path):
    folders = []
    for source in (raw, zip_of(raw)):
        folders.append(FolderArguments(corpus="ml25m", output=str(tmp_path / f"from-{source.suffix}")))
        prepare(folders[-1], RawArguments(raw=str(source)))
    for name in ("users", "items", "interactions", "samples"):
        for split in store.table_splits(folders[0].folder, name):
            assert store.read(folders[0].folder, name, split).equals(store.read(folders[1].folder, name, split))


def test_line_ends_may_be_those_of_unix(raw, tables):
    for path in raw.iterdir():
        path.write_bytes(path.read_bytes().replace(b"\r\n", b"\n"))
    with open_raw(raw, CORPUS.files, CORPUS.archive) as files:
        again = read(files)
    assert again.items.equals(tables.items)
    assert again.interactions.equals(tables.interactions)
