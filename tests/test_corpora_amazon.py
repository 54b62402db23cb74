"""Amazon reviews: the publisher's files and the tables that they are passed on as, whole and damaged."""

import gzip
import json
import re
from pathlib import Path

import amazon_raw
import polars as pl
import pytest

from rella_hub.corpora import corpus_ids, load_corpus
from rella_hub.corpora.raw import json_lines
from rella_hub.corpora.raw.amazon import REVIEW
from rella_hub.corpora.raw.archive import open_raw
from rella_hub.corpora.raw.json_lines import read_json_lines

FIXTURES = Path(__file__).parent / "fixtures" / "raw"
DATA = Path(__file__).parents[2] / "shared" / "data"
GAMES, OFFICE = load_corpus("amazon_games"), load_corpus("amazon_office")


def read(folder: Path, corpus=GAMES):
    reexport = corpus.reexport
    with open_raw(folder, corpus.files, corpus.archive, reexport.files) as raw:
        return (reexport.read if raw.status == "re-export" else corpus.read)(raw), raw.status


def triples(tables) -> list[tuple]:
    return tables.interactions.select("user_id", "item_id", "timestamp").rows()


def by_hand(reviews: list[dict]) -> list[tuple]:
    """Each user's earliest review of each product, both numbered by their first review."""
    users, items, first = {}, {}, {}
    for review in reviews:
        pair = users.setdefault(review["reviewerID"], len(users) + 1), items.setdefault(review["asin"], len(items) + 1)
        first[pair] = min(first.get(pair, review["unixReviewTime"]), review["unixReviewTime"])
    return [(*pair, time) for pair, time in first.items()]


def test_published_files_are_read(tmp_path):
    tables, status = read(amazon_raw.write_published(tmp_path / "raw"))
    assert status == "unverified"
    assert sorted(triples(tables)) == sorted(by_hand(amazon_raw.reviews()))
    assert tables.users.rows() == [(1, "A1"), (2, "A2"), (3, "A3"), (4, "A4")]
    assert tables.items.rows() == [
        (1, "Lunar &amp; Rocket", "Acme", "Video Games, PC", "B000"),
        (2, 'Haunted "Crypt"', "", "", "B001"),
        (3, "Dusty, Saloon", "", "Video Games", "B002"),
        (4, "Tidal Wave", "Acme", "Accessories", "B003"),
        (5, "", "", "", "B004"),
        (6, "", "Acme", "PC", "B005"),
    ]
    assert tables.dropped == {"reviews of a product that the user had reviewed before": 1}
    assert tables.odd == {"products without a title": 2}


def test_words_of_products(tmp_path):
    tables, _ = read(amazon_raw.write_published(tmp_path / "raw"))
    assert GAMES.words.title(tables.items).to_list()[::4] == ["Lunar & Rocket", "untitled"]
    assert GAMES.words.description(tables.items).to_list() == [
        "The title of the product is Lunar & Rocket. The category of the product is Video Games, PC. The brand of the product is Acme.",
        'The title of the product is Haunted "Crypt".',
        "The title of the product is Dusty, Saloon. The category of the product is Video Games.",
        "The title of the product is Tidal Wave. The category of the product is Accessories. The brand of the product is Acme.",
        "Nothing is known of the product.",
        "The category of the product is PC. The brand of the product is Acme.",
    ]


def test_blocks_change_nothing(tmp_path, monkeypatch):
    folder = amazon_raw.write_published(tmp_path / "raw")
    whole, _ = read(folder)
    monkeypatch.setattr(json_lines, "UNPACKED_AT_ONCE", 100)
    monkeypatch.setattr("rella_hub.corpora.raw.archive.BLOCK", 64)
    parts, _ = read(folder)
    for name in ("users", "items", "interactions"):
        assert getattr(whole, name).equals(getattr(parts, name))
    packed = (folder / amazon_raw.REVIEWS).read_bytes()
    lines = gzip.decompress(packed)
    (folder / amazon_raw.REVIEWS).write_bytes(gzip.compress(lines[:700]) + gzip.compress(lines[700:-1]))  # two members
    assert read(folder)[0].interactions.equals(whole.interactions)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b'{"reviewerID": "A1", "asin": "B0', r"Games_5\.json\.gz, line 3: no JSON .*expected an object"),
        (b'["A1", "B000", 1]', r"line 3: no JSON object"),
        (b"", r"line 3: no JSON|line 3: an empty line"),
        (b'{"reviewerID": "A1", "unixReviewTime": 1}', r"line 3: a review without asin"),
        (b'{"reviewerID": "A1", "asin": null, "unixReviewTime": 1}', r"line 3: a review without asin"),
        (b'{"reviewerID": "A1", "asin": " ", "unixReviewTime": 1}', r"line 3: asin is empty"),
        (b'{"asin": "B000", "unixReviewTime": 1}', r"line 3: a review without reviewerID"),
        (b'{"reviewerID": "A1", "asin": "B000"}', r"line 3: a review without unixReviewTime"),
        (b'{"reviewerID": "A1", "asin": "B000", "unixReviewTime": "soon"}', r"line 3: unixReviewTime is 'soon'"),
        (b'{"reviewerID": "A1", "asin": "B000", "unixReviewTime": -1}', r"line 3: unixReviewTime is -1"),
        (b'{"reviewerID": "A1", "asin": "B000", "unixReviewTime": 1400000000000}', r"line 3: .*not milliseconds"),
        (b'{"reviewerID": "A1", "asin": "B\xff", "unixReviewTime": 1}', r"line 3: no JSON"),
        (b"<html>", r"line 3: no JSON"),
    ],
)
def test_a_damaged_review_is_named(tmp_path, line, message):
    lines = amazon_raw.lines_of(amazon_raw.reviews()).splitlines()
    folder = amazon_raw.write_published(tmp_path / "raw", b"\n".join([*lines[:2], line, *lines[2:]]) + b"\n")
    with pytest.raises(ValueError, match=message) as error:
        read(folder)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("category", ["Games", {"a": 1}])
def test_a_product_with_another_type_is_named(tmp_path, category):
    wrong = {"asin": "B000", "category": category}
    folder = amazon_raw.write_published(tmp_path / "raw", None, json.dumps(wrong).encode())
    with pytest.raises(ValueError, match=r"meta_Video_Games\.json\.gz, line 1: category is"):
        read(folder)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda packed: packed[:-30], r"ends in the middle: it is cut off"),
        (lambda packed: packed[:40] + b"\0" * 40 + packed[80:], r"is damaged|no JSON"),
        (lambda packed: gzip.decompress(packed), r"is damaged|is no gzip file"),
        (lambda packed: b"", r"is empty"),
        (lambda packed: packed + b"junk", r"is damaged"),
        (lambda packed: gzip.compress(b""), r"has no rows"),
        (lambda packed: gzip.compress(b"x" * (1 << 21)), r"line 1: no end within 1,048,576 bytes"),
    ],
)
def test_a_damaged_gzip_file_is_named(tmp_path, damage, message):
    folder = amazon_raw.write_published(tmp_path / "raw")
    path = folder / amazon_raw.REVIEWS
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(ValueError, match=message):
        read(folder)


def test_numbers_of_lines_are_kept_over_blocks(tmp_path, monkeypatch):
    monkeypatch.setattr(json_lines, "UNPACKED_AT_ONCE", 50)
    folder = amazon_raw.write_published(tmp_path / "raw")
    with open_raw(folder, GAMES.files, GAMES.archive) as raw:
        table = read_json_lines(raw, amazon_raw.REVIEWS, REVIEW)
    assert table["line"].to_list() == list(range(1, len(amazon_raw.reviews()) + 1))
    assert table["asin"].to_list() == [review["asin"] for review in amazon_raw.reviews()]


def test_tables_that_are_passed_on_are_read():
    tables, status = read(FIXTURES / "amazon_games")
    assert status == "re-export"
    assert triples(tables)[:5] == [
        (7, 100, 1400000000),
        (7, 101, 1400086400),
        (7, 102, 1400086400),
        (7, 104, 1400172800),
        (7, 103, None),
    ]
    assert tables.items.columns == ["item_id", "title", "brand", "category", "asin"]
    assert tables.items["brand"].to_list() == [""] * 5
    assert tables.odd == {"products without a title": 1}
    assert tables.interactions["rating"].null_count() == len(tables.interactions)


def test_sequences_are_read_in_their_order():
    tables, _ = read(FIXTURES / "amazon_office", OFFICE)
    by_user = tables.interactions.group_by("user_id", maintain_order=True).agg("item_id")["item_id"].to_list()
    assert by_user == [[0, 1, 2, 3], [3, 2, 1], [1, 3, 0]]  # the last user's second review of item 1 is left out
    assert tables.dropped == {"reviews of a product that the user had reviewed before": 1}
    assert tables.items["category"].to_list() == ["Office Electronics, Telephones", "Binders", "", "Lamps, Desk"]
    assert OFFICE.words.title(tables.items).to_list()[1] == 'Ring Binder "Blue"'


@pytest.mark.parametrize(
    ("name", "old", "new", "message"),
    [
        ("items.csv", "item_id,", "id,", r"items\.csv, line 1: the header is .*expected item_id"),
        ("items.csv", "103,,B003", "102,,B003", r"items\.csv, line 5: item 102 stands there already"),
        ("items.csv", "100,", "x,", r"items\.csv, line 2: item_id is 'x'"),
        ("interactions.csv", "7,104,", "7,999,", r"interactions\.csv, line 5: item 999 is not in items\.csv"),
        ("interactions.csv", "1400172800", "soon", r"interactions\.csv, line 5: timestamp is 'soon'"),
        ("interactions.csv", "1400172800", "1400172800000", r"interactions\.csv, line 5: .*not milliseconds"),
        ("interactions.csv", "9,101,", "9;101,", r"interactions\.csv, line 10: 2 fields, expected 3"),
    ],
)
def test_damaged_tables_are_named(tmp_path, name, old, new, message):
    for path in (FIXTURES / "amazon_games").iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    text = (tmp_path / name).read_text()
    assert old in text
    (tmp_path / name).write_text(text.replace(old, new))
    with pytest.raises(ValueError, match=message):
        read(tmp_path)


@pytest.mark.parametrize("corpus_id", [name for name in corpus_ids() if name.startswith("amazon_")])
def test_every_category_has_its_own_files(corpus_id):
    corpus = load_corpus(corpus_id)
    assert corpus.id == corpus_id
    assert corpus.archive.url.endswith(corpus.files[0])
    assert corpus.archive.beside[0].endswith(corpus.files[1])
    assert re.fullmatch(r"https://\S+", corpus.archive.url)
    assert corpus.archive.checksum is None
    assert not corpus.may_be_redistributed


@pytest.mark.real_data
@pytest.mark.parametrize(
    ("corpus_id", "archive", "users", "items", "interactions"),
    [
        ("amazon_games", "amazon2018-video-games.zip", 50_597, 16_874, 453_637),
        ("amazon_office", "amazon2014-office.zip", 4_905, 2_420, 53_258),
        ("amazon_toys", "amazon2014-toys.zip", 19_124, 11_758, 165_247),
        ("amazon_food", "amazon2014-grocery.zip", 14_681, 8_713, 151_254),
    ],
)
def test_the_real_tables_have_the_counts_that_are_known(corpus_id, archive, users, items, interactions):
    if not (DATA / archive).is_file():
        pytest.skip(f"{archive} is not in {DATA}")
    tables, _ = read(DATA / archive, load_corpus(corpus_id))
    repeated = sum(tables.dropped.values())
    assert (len(tables.users), len(tables.items), len(tables.interactions) + repeated) == (users, items, interactions)
    assert repeated == (390 if corpus_id == "amazon_games" else 0)
    assert tables.users["user_id"].dtype == pl.Int32
