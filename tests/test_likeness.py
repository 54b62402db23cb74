"""What a warning and a card say of an archive that is not the official one."""

from dataclasses import replace
from pathlib import Path

import pytest
from builders import InMemory

from rella_hub.cards.dataset.card import write_card
from rella_hub.corpora import load_corpus
from rella_hub.corpora.raw.archive import open_raw
from rella_hub.stages.arguments import FolderArguments, RawArguments
from rella_hub.stages.likeness import likeness
from rella_hub.stages.prepare import prepare

RAW = Path(__file__).parent / "fixtures" / "raw"
COUNTS = {"users": 10, "interactions": 117, "train": 55}
TWO_FILES = {"users.dat": 3, "ratings.dat": 3}


def like(counts: dict[str, int], lengths: dict[str, int]) -> str:
    corpus = replace(load_corpus("ml1m"), expected_rows=COUNTS, expected_bytes=lengths)
    return likeness(corpus, counts, InMemory(b"abc"))


def test_counts_and_lengths_that_are_the_official_ones():
    assert like(COUNTS, TWO_FILES) == (
        "Its numbers of users, interactions and train samples are the official ones, and so are the lengths of users.dat and "
        "ratings.dat: what differs can only be single values."
    )
    assert like(COUNTS, {}) == "Its numbers of users, interactions and train samples are the official ones."


def test_a_length_that_is_not_the_official_one():
    assert like(COUNTS, TWO_FILES | {"ratings.dat": 4}).endswith(
        "the lengths of its files are not: ratings.dat has 3 bytes, officially 4."
    )


def test_counts_that_are_not_the_official_ones():
    assert like(COUNTS | {"train": 54, "interactions": 1_234}, TWO_FILES) == (
        "Not as in the official archive: 1,234 interactions (officially 117), 54 train samples (officially 55)."
    )


def test_of_an_invented_corpus_nothing_is_said():
    assert likeness(load_corpus("demo"), COUNTS, InMemory(b"")) == ""


@pytest.mark.parametrize("corpus", ["ml1m", "ml25m", "bookcrossing"])
def test_the_first_sentence_of_a_card_is_counted(corpus, tmp_path):
    """On any archive, so of one that is smaller than the official one too."""
    where = FolderArguments(corpus=corpus, output=str(tmp_path / corpus))
    prepare(where, RawArguments(raw=str(RAW / corpus)))
    write_card(where)
    facts = load_corpus(corpus)
    with open_raw(RAW / corpus, facts.files, facts.archive) as raw:
        rated = facts.read(raw).interactions
    card = (where.folder / "README.md").read_text(encoding="utf-8")
    item = facts.words.item
    first = f"{len(rated)} ratings of {rated['item_id'].n_unique()} {item}s by {rated['user_id'].n_unique()} users"
    assert f"\n{first}" in card
    body = card.split("\n## Divergences", 1)[0]
    official = {f"{rows:,}" for rows in facts.expected_rows.values()} - {"10", "2", "1"}
    assert not [number for number in official if number in body.split("> [!WARNING]")[1].split("\n\n", 1)[1]]
