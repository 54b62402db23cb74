"""MovieLens-100K: what is read from the raw files, TALLRec's split of it, and what is said of damaged files."""

from pathlib import Path

import polars as pl
import pytest

from rella_hub.corpora import load_corpus
from rella_hub.corpora.raw.archive import open_raw
from rella_hub.stages.arguments import FolderArguments, RawArguments
from rella_hub.stages.prepare import prepare
from rella_hub.tables import store
from rella_hub.tasks import last_users

CORPUS = load_corpus("ml100k")
SHARED = Path(__file__).parents[1] / ".." / "shared" / "data"
REAL = SHARED / "ml-100k.zip"
FLAGS = "0|" * 18


@pytest.fixture
def raw(tmp_path) -> Path:
    """Three users of 14 ratings each: the second of the numbers comes first in the file."""
    folder = tmp_path / "ml-100k"
    folder.mkdir()
    (folder / "u.user").write_text(
        "1|24|M|technician|85711\n2|53|F|none|94043\n3|7|M|other|0021A\n", encoding="latin-1"
    )
    movies = [f"{n}|Movie {n}, The (1990)|01-Jan-1990||http://x|{FLAGS}0" for n in range(1, 15)]
    movies[0] = "1|Café (1995)|01-Jan-1995||http://x|0|0|0|1|1|1" + "|0" * 13
    movies[1] = "2|unknown||||1" + "|0" * 18
    movies[2:] = [f"{n}|Movie {n} (1990)|01-Jan-1990||http://x|0|1" + "|0" * 17 for n in range(3, 15)]
    (folder / "u.item").write_text("\n".join(movies) + "\n", encoding="latin-1")
    lines = [
        f"{user}\t{item}\t{1 + (item + user) % 5}\t{880000000 + 100 - item // 2}"
        for item in range(1, 15)
        for user in (2, 1, 3)
    ]
    (folder / "u.data").write_text("\n".join(lines) + "\n", encoding="latin-1")
    return folder


@pytest.fixture
def where(tmp_path) -> FolderArguments:
    return FolderArguments(corpus="ml100k", output=str(tmp_path / "rella" / "ml100k"))


def test_the_tables_hold_what_the_files_say(raw):
    with open_raw(raw, CORPUS.files, CORPUS.archive) as files:
        tables = CORPUS.read(files)
    assert tables.users.rows() == [
        (1, "male", "24", "technician", "85711"),
        (2, "female", "53", "other or not specified", "94043"),
        (3, "male", "7", "other or not specified", "0021A"),
    ]
    assert tables.items.rows()[:2] == [
        (1, "Café (1995)", "Animation", "Animation|Children's|Comedy"),
        (2, "unknown", "unknown", "unknown"),
    ]
    assert tables.interactions.rows()[0] == (2, 1, 4.0, 880000100)


def test_users_are_asked_in_the_order_of_the_file_and_their_pasts_are_in_time_order(raw, where):
    prepare(where, RawArguments(raw=str(raw)))
    interactions = pl.from_arrow(store.read(where.folder, "interactions"))
    assert interactions.columns == ["user_id", "item_id", "rating", "timestamp", "label"]
    # times fall with the item's number; items of one time stay as in the file
    assert interactions.filter(user_id=1)["item_id"].to_list() == [14, 12, 13, 10, 11, 8, 9, 6, 7, 4, 5, 2, 3, 1]
    parts = {name: pl.from_arrow(store.read(where.folder, "samples", name)) for name in store.SPLITS}
    asked = pl.concat([parts["train"].sort("sample_id"), parts["validation"], parts["test"]])
    assert sorted(zip(asked["user_id"], asked["position"], strict=True)) == [
        (u, p) for u in (1, 2, 3) for p in range(10, 14)
    ]
    assert parts["test"].rows()[-1][1:3] == (3, 13)
    assert set(parts["train"]["user_id"]) == {1, 2, 3}  # nine of twelve: users 2, 1 and the first of 3
    assert parts["train"].filter(user_id=3)["position"].to_list() == [10]


def test_only_the_last_rows_are_kept(monkeypatch, raw, where):
    monkeypatch.setattr(last_users, "KEPT", 5)
    prepare(where, RawArguments(raw=str(raw)))
    parts = [store.read(where.folder, "samples", name) for name in store.SPLITS]
    assert sorted((u, p) for part in parts for u, p in zip(part["user_id"].to_pylist(), part["position"].to_pylist(), strict=True)) == [
        (1, 13), (3, 10), (3, 11), (3, 12), (3, 13),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "line", "instead", "says"),
    [
        ("u.user", "1|24|M|technician|85711", "1|240|M|technician|85711", "u.user, line 1: age is 240"),
        ("u.user", "1|24|M|technician|85711", "1|24|X|technician|85711", "u.user, line 1: gender is 'X'"),
        ("u.user", "2|53|F|none|94043", "1|53|F|none|94043", "u.user, line 2: user 1 stands there already"),
        ("u.item", "2|unknown||||1", "2|unknown||||2", "u.item, line 2: the flag of unknown is 2"),
        ("u.item", "2|unknown||||1", "2|unknown||||0", "u.item, line 2: movie 2 has no genre"),
        ("u.data", "2\t1\t4\t", "2\t1\t9\t", "u.data, line 1: rating is 9"),
        ("u.data", "2\t1\t4\t", "9\t1\t4\t", "u.data, line 1: user 9 is not in u.user"),
        ("u.data", "2\t1\t4\t880000100", "2\t1\t4\t880000100000000", "u.data, line 1: timestamp is 880000100000000"),
        ("u.data", "1\t1\t3\t", "2\t1\t3\t", "u.data, line 2: user 2 has rated movie 1 already"),
    ],
)
def test_what_cannot_be_is_named_with_file_and_line(raw, name, line, instead, says):
    text = (raw / name).read_text(encoding="latin-1")
    assert text.count(line) == 1
    (raw / name).write_text(text.replace(line, instead), encoding="latin-1")
    with open_raw(raw, CORPUS.files, CORPUS.archive) as files, pytest.raises(ValueError, match="line") as caught:
        CORPUS.read(files)
    assert says in str(caught.value)


@pytest.mark.real_data
@pytest.mark.skipif(not REAL.exists(), reason="no ml-100k.zip in ../shared/data")
def test_the_split_is_the_published_one(where):
    prepare(where, RawArguments(raw=str(REAL)))
    found = {}
    for name in store.SPLITS:
        part = pl.from_arrow(store.read(where.folder, "samples", name))
        found[name] = (len(part), part["user_id"].n_unique(), round(part["label"].mean(), 3))
    # TALLRec's files: rows, users, share of Yes
    assert found == {"train": (8_000, 80, 0.557), "validation": (1_000, 14, 0.658), "test": (1_000, 16, 0.528)}
