"""BookCrossing as Kaggle has it: the fixture's dump, sent through pandas as that file was, gives the dump's tables again."""

import re
import shutil
import zipfile
from pathlib import Path

import pandas as pd
import pytest

from rella_hub.cards.dataset.card import write_card
from rella_hub.corpora import load_corpus
from rella_hub.corpora.raw.archive import open_raw
from rella_hub.stages.arguments import FolderArguments, PromptArguments, RawArguments, ViewArguments
from rella_hub.stages.prepare import prepare
from rella_hub.stages.prompt import build_prompts
from rella_hub.stages.view import build_views
from rella_hub.tables import store

RAW = Path(__file__).parent / "fixtures" / "raw" / "bookcrossing"
SUBSET = Path(__file__).parents[1] / ".." / "shared" / "data" / "BX-CSV-Dump-subset.zip"
CORPUS = load_corpus("bookcrossing")
NAMES = dict(zip(CORPUS.files, CORPUS.reexport.files, strict=True))
SWALLOWING = [  # as in the official dump: a field that ends in a quote
    '"078946697X";"DK Readers: How It All Began (Level 4: Proficient Readers)\\"";"Michael Teitelbaum";"2000";"DK Publishing Inc"',
    '"2070426769";"Peuple du ciel, suivi de \'Les Bergers\\"";"Jean-Marie Gustave Le Clézio";"2003";"Gallimard"',
    '"0700000097";"Quoted";"David \\"Zeb\\" Cook\\"";"1999";"Heron"',
    '"0700000096";"\\"Surely You\'re Joking, Mr. Feynman!\\": Adventures – of a Curious Character";"R. \\"F.\\"";"1997";"W. W."',
    '"0700000095";"All is Null";"NULL";"0";"N/A"',
]
SKIPPED = '"0700000098";"The Real \\"J. Peterman\\" Through Life &amp; the Catalog";"John";"2000";"Prentice Hall"'
IMAGES = ';"http://s";"http://m";"http://l"\r\n'


def reexport(dump: Path, folder: Path) -> Path:
    """What pandas makes of the dump: lines of too many fields are skipped, escapes are not known."""
    folder.mkdir()
    for published, name in NAMES.items():
        table = pd.read_csv(dump / published, sep=";", encoding="latin-1", on_bad_lines="skip", low_memory=False)
        table.to_csv(folder / name, index=False)
    return folder


def zipped(folder: Path) -> Path:
    """With the pictures that lie beside the tables."""
    path = folder.with_name("archive.zip")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as out:
        for file in folder.iterdir():
            out.write(file, file.name)
        out.writestr("DeepRec.png", b"\x89PNG\r\n")
        out.writestr("recsys_taxonomy2.png", b"\x89PNG\r\n")
    return path


def tables_of(path: Path):
    with open_raw(path, CORPUS.files, CORPUS.archive, CORPUS.reexport.files) as raw:
        return raw.status, (CORPUS.reexport.read if raw.status == "re-export" else CORPUS.read)(raw)


def require_same(one, other) -> None:
    for name in ("users", "items", "interactions"):
        assert getattr(one, name).equals(getattr(other, name)), name
    assert list(one.dropped.values()) == list(other.dropped.values())


@pytest.fixture
def dump(tmp_path) -> Path:
    """The fixture, with records that its re-export shifts."""
    folder = shutil.copytree(RAW, tmp_path / "dump")
    with (folder / "BX-Books.csv").open("a", encoding="cp1252", newline="") as file:
        file.write("".join(record + IMAGES for record in SWALLOWING))
    return folder


@pytest.mark.parametrize("packed", [False, True], ids=["folder", "zip"])
def test_tables_are_those_of_the_dump(dump, tmp_path, packed):
    folder = reexport(dump, tmp_path / "kaggle")
    text = (folder / "Books.csv").read_text(encoding="utf-8")
    assert '""Surely' not in text, "pandas has lost the first quote"
    assert "DK Publishing Inc,http://s,http://m,http://l,\n" in text, "and has shifted the columns"
    _, published = tables_of(dump)
    status, again = tables_of(zipped(folder) if packed else folder)
    assert status == "re-export"
    require_same(published, again)
    books = {row["isbn"]: row for row in again.items.to_dicts()}
    assert books["078946697X"]["title"] == 'DK Readers: How It All Began (Level 4: Proficient Readers)"'
    assert [books["078946697X"][field] for field in ("author", "year", "publisher")] == [
        "Michael Teitelbaum",
        "2000",
        "DK Publishing Inc",
    ]
    assert books["0700000096"]["title"].startswith('"Surely You\'re Joking, Mr. Feynman!": Adventures – of')


def test_a_record_that_the_re_export_lost_is_missing_with_its_ratings(dump, tmp_path):
    with (dump / "BX-Books.csv").open("a", encoding="cp1252", newline="") as file:
        file.write(SKIPPED + IMAGES)
    with (dump / "BX-Book-Ratings.csv").open("a", encoding="cp1252", newline="") as file:
        file.write('"3";"0700000098";"7"\r\n')
    _, published = tables_of(dump)
    _, again = tables_of(reexport(dump, tmp_path / "kaggle"))
    assert set(published.items["isbn"]) - set(again.items["isbn"]) == {"0700000098"}
    assert len(published.interactions) == len(again.interactions) + 1
    assert again.dropped["ratings of books that are not in Books.csv, or were left out"] == 4


def test_the_card_says_what_it_was_made_from_and_what_may_be_lost(dump, tmp_path, capsys):
    where = FolderArguments(corpus="bookcrossing", output=str(tmp_path / "bookcrossing"))
    views = ViewArguments(view=["recency"], history_length=[3])
    prepare(where, RawArguments(raw=str(zipped(reexport(dump, tmp_path / "kaggle")))))
    assert "no official checksum can vouch for Kaggle's re-export" in capsys.readouterr().err
    build_views(where, views)
    build_prompts(where, views, PromptArguments())
    write_card(where)
    assert store.provenance(where.folder, "samples")["raw_status"] == "re-export"
    card = (where.folder / "README.md").read_text(encoding="utf-8")
    said = re.sub(r"\s+(> )?", " ", card)
    assert "Made from a re-export of BookCrossing, not from the official archive" in said
    assert "arashnic/book-recommendation-dataset" in said
    assert all(limit in card for limit in CORPUS.reexport.limits)


def test_the_files_of_the_publisher_come_first(dump, tmp_path):
    for file in reexport(dump, tmp_path / "kaggle").iterdir():
        shutil.copy(file, dump)
    status, _ = tables_of(dump)
    assert status == "unverified"


def damaged(folder: Path, name: str, old: str, new: str) -> None:
    text = (folder / name).read_text(encoding="utf-8")
    assert old in text
    (folder / name).write_text(text.replace(old, new, 1), encoding="utf-8", newline="")


@pytest.mark.parametrize(
    ("name", "old", "new", "said"),
    [
        ("Users.csv", "User-ID,Location,Age", "id,place,age", r"Users\.csv, line 1: the header is \['id'"),
        ("Users.csv", "34.0", "34.5", r"Users\.csv, line 2: age is '34\.5'"),
        ("Users.csv", "\n4,", "\n3,", r"Users\.csv, line 3: user 3 stands there already"),
        ("Ratings.csv", "\n3,", "\nx,", r"Ratings\.csv, line \d+: user_id is 'x'"),
        ("Books.csv", "0700000002,", "0700000001,", r"Books\.csv, line 3: ISBN 0700000001 stands there already"),
        ("Books.csv", "\n0700000002,", "\n0700000002,x,", r"Books\.csv, line 3: 9 fields, expected 8"),
    ],
)
def test_damage_is_named(dump, tmp_path, name, old, new, said):
    folder = reexport(dump, tmp_path / "kaggle")
    damaged(folder, name, old, new)
    with pytest.raises(ValueError, match=said):
        tables_of(folder)


@pytest.mark.real_data
@pytest.mark.skipif(not SUBSET.exists(), reason="no subset of BookCrossing in ../shared/data")
def test_tables_of_the_shared_subset_survive_the_re_export(tmp_path):
    with zipfile.ZipFile(SUBSET) as archive:
        archive.extractall(tmp_path / "dump")
    _, published = tables_of(SUBSET)
    _, again = tables_of(reexport(tmp_path / "dump", tmp_path / "kaggle"))
    require_same(published, again)
