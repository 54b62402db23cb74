"""Values of raw files: what cannot be is named by file and line before a table is written, and what is read goes through all stages."""

import random
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from damage_kinds import damaged, refusal, write

from rella_hub.cards.dataset.card import write_card
from rella_hub.corpora import load_corpus
from rella_hub.corpora.raw.archive import open_raw
from rella_hub.corpora.raw.delimited import LONGEST_TEXT
from rella_hub.stages.arguments import EncoderArguments, FolderArguments, PromptArguments, RawArguments, ViewArguments
from rella_hub.stages.embed import embed
from rella_hub.stages.prepare import prepare
from rella_hub.stages.prompt import build_prompts
from rella_hub.stages.view import build_views
from rella_hub.tables import store

RAW = Path(__file__).parent / "fixtures" / "raw"
SEPARATOR = {"ml1m": "::", "ml25m": ",", "bookcrossing": ";"}
ENCODING = {"ml1m": "latin-1", "ml25m": "utf-8", "bookcrossing": "cp1252"}
LONG = "x" * 1_000_000
IMPOSSIBLE = {
    "ml1m": [
        *[("users.dat", 0, v) for v in ("0", "-1", "2147483648", "1e3", "nan", "", LONG)],
        *[("users.dat", 1, v) for v in ("", "f", "MF", "\x1b")],
        *[("users.dat", 2, v) for v in ("0", "-1", "24", "57", "100", "9" * 30)],
        *[("users.dat", 3, v) for v in ("-1", "21", "2147483647", "")],
        *[("users.dat", 4, v) for v in ("\x07", "481\x9f", LONG)],
        *[("movies.dat", 0, v) for v in ("0", "-5", "2147483648", "")],
        *[("movies.dat", 1, v) for v in ("", " \t", "\x1b[31mRed", "bell\x07", "\x80", "a\rb", LONG)],
        *[("movies.dat", 2, v) for v in ("", "|Drama", " | ", "Dra\x08ma", LONG)],
        *[("ratings.dat", 2, v) for v in ("0", "6", "-1", "4.0", "nan", "inf", "")],
        *[("ratings.dat", 3, v) for v in ("-1", "4102444800", "956702059000", "9223372036854775807", "1e9", "")],
    ],
    "ml25m": [
        *[("movies.csv", 0, v) for v in ("0", "-5", "2147483648", "1.0")],
        *[("movies.csv", 1, v) for v in ("", '" "', "\x1b[31mRed", "\x9c", '"a\nb"', LONG)],
        *[("movies.csv", 2, v) for v in ("", "|Drama", "\x02", LONG)],
        *[("ratings.csv", 0, v) for v in ("0", "-1", "2147483648", "1.0")],
        *[("ratings.csv", 2, v) for v in ("0", "0.25", "5.5", "-0.5", "nan", "inf", "1e0", "5e-324", "9" * 400)],
        *[("ratings.csv", 3, v) for v in ("-1", "4102444800", "1147872227000", "9223372036854775807", "1.1e9", "0x1")],
    ],
    "bookcrossing": [
        *[("BX-Users.csv", 0, v) for v in ('"0"', '"-1"', '"2147483648"', '""', "NULL", f'"{LONG}"')],
        *[("BX-Users.csv", 1, v) for v in (f'"{LONG}"',)],
        *[("BX-Users.csv", 2, v) for v in ('"-5"', '"18.5"', '"old"', '"nan"', '""')],
        *[("BX-Books.csv", column, f'"{LONG}"') for column in range(5)],
        *[("BX-Book-Ratings.csv", 2, v) for v in ('"11"', '"-1"', '"5.0"', '"nan"', '"inf"', "NULL", '""')],
    ],
}


def change_field(corpus: str, folder: Path, name: str, field: int, value: str) -> int:
    """Put `value` into the third line of a file; the number of that line."""
    path, separator = folder / name, SEPARATOR[corpus]
    lines = path.read_bytes().decode(ENCODING[corpus]).split("\n")
    end = "\r" * lines[2].endswith("\r")
    fields = lines[2].removesuffix("\r").split(separator)
    fields[field] = value
    lines[2] = separator.join(fields) + end
    # Bytes that windows-1252 or Python's cp1252 does not know are of no matter here.
    path.write_bytes("\n".join(lines).encode(ENCODING[corpus]))
    return 3


@pytest.mark.parametrize("corpus", IMPOSSIBLE)
def test_a_value_that_cannot_be_is_named_before_a_table_is_written(corpus, tmp_path):
    for name, field, value in IMPOSSIBLE[corpus]:
        raw = shutil.copytree(RAW / corpus, tmp_path / "raw", dirs_exist_ok=True)
        line = change_field(corpus, raw, name, field, value)
        where = FolderArguments(corpus=corpus, output=str(tmp_path / "out"))
        said = refusal(prepare, where, RawArguments(raw=str(raw)))
        print(name, field, value[:40], said)
        assert said is not None
        assert said.startswith(f"{name}, line {line}: ")
        assert len(said) < 500
        assert "\n" not in said
        assert not where.folder.exists()


def test_ids_that_stand_twice_or_nowhere_are_named_by_the_later_line(tmp_path):
    """Also where thousands of rows lie between."""
    raw = shutil.copytree(RAW / "ml25m", tmp_path / "raw")
    rows = [f"{user},1,3.0,1147872227" for user in range(100, 9_100)] + ["4444,1,2.0,1147872228"]
    with (raw / "ratings.csv").open("a", newline="") as file:
        file.write("".join(row + "\r\n" for row in rows))
    first = len((RAW / "ml25m" / "ratings.csv").read_bytes().splitlines()) + 1
    where = FolderArguments(corpus="ml25m", output=str(tmp_path / "out"))
    with pytest.raises(ValueError, match=rf"ratings\.csv, line {first + 9_000}: user 4444 has rated movie 1 already"):
        prepare(where, RawArguments(raw=str(raw)))


@pytest.mark.parametrize("corpus", ["ml1m", "ml25m"])
def test_odd_times_are_used_counted_and_said(corpus, tmp_path, capsys):
    name = "ratings.dat" if corpus == "ml1m" else "ratings.csv"
    raw = shutil.copytree(RAW / corpus, tmp_path / "raw")
    change_field(corpus, raw, name, 3, str(int(time.time()) + 10**7))
    data = (raw / name).read_bytes().splitlines(keepends=True)
    end = data[-1][len(data[-1].rstrip()) :]
    separator = SEPARATOR[corpus].encode()
    data[-1] = separator.join([*data[-1].rstrip().split(separator)[:3], b"0"]) + end
    (raw / name).write_bytes(b"".join(data))
    where = FolderArguments(corpus=corpus, output=str(tmp_path / corpus))
    prepare(where, RawArguments(raw=str(raw)))
    said = capsys.readouterr().err
    assert "WARNING: 1 ratings from before 1990, when there was no MovieLens" in said
    assert "WARNING: 1 ratings from later than the day on which they were read" in said
    write_card(where)
    card = (where.folder / "README.md").read_text(encoding="utf-8")
    assert "* **Unlikely**, and used as it stands: 1 ratings from before 1990" in card
    assert "1970-01-01 to 20" in card


def test_years_after_the_ratings_are_counted(tmp_path):
    raw = shutil.copytree(RAW / "bookcrossing", tmp_path / "raw")
    change_field("bookcrossing", raw, "BX-Books.csv", 3, '"2050"')
    corpus = load_corpus("bookcrossing")
    with open_raw(raw, corpus.files, corpus.archive) as files:
        tables = corpus.read(files)
    assert list(tables.odd.values()) == [1]
    assert "2050" in tables.items["year"].to_list()


@pytest.mark.parametrize("filler", ["Not Applicable (Na )", "N/A", "unknown", "NULL", " not avail "])
def test_a_filler_is_unknown(filler, tmp_path):
    raw = shutil.copytree(RAW / "bookcrossing", tmp_path / "raw")
    change_field("bookcrossing", raw, "BX-Books.csv", 2, f'"{filler}"')
    corpus = load_corpus("bookcrossing")
    with open_raw(raw, corpus.files, corpus.archive) as files:
        items = corpus.read(files).items
    assert items["author"][1] == "unknown"
    assert "author" not in corpus.words.description(items)[1]


def furthest_ids(corpus: str, folder: Path) -> None:
    """The largest user and item id that there can be, in every file."""
    largest = {"ml1m": {"::": "2147483647"}, "ml25m": {",": "2147483647"}, "bookcrossing": {";": '"2147483647"'}}[
        corpus
    ]
    ((separator, new),) = largest.items()
    for path in folder.iterdir():
        lines = path.read_bytes().decode(ENCODING[corpus]).split("\n")
        users = corpus == "bookcrossing" or path.name.startswith(("users", "ratings"))
        old = {"ml1m": "12", "ml25m": lines[1].split(",")[0], "bookcrossing": '"3"'}[corpus]
        if users and not path.name.startswith("BX-Books"):
            fields = [line.split(separator) for line in lines]
            lines = [separator.join([new if f[0] == old else f[0], *f[1:]]) for f in fields]
        path.write_bytes("\n".join(lines).encode(ENCODING[corpus]))


def longest_texts(corpus: str, folder: Path) -> None:
    title = "W " + "x" * (LONGEST_TEXT - 2)
    name, field = {"ml1m": ("movies.dat", 1), "ml25m": ("movies.csv", 1), "bookcrossing": ("BX-Books.csv", 1)}[corpus]
    change_field(corpus, folder, name, field, f'"{title}"' if corpus == "bookcrossing" else title)


def strange_titles(corpus: str, folder: Path) -> None:
    """Of Markdown, YAML, HTML, quotes, tabs and the format's own escapes."""
    title = "--- | `code` ``` <b>&amp;</b> $x$ {{ y }} \t: # '*'"
    name, field = {"ml1m": ("movies.dat", 1), "ml25m": ("movies.csv", 1), "bookcrossing": ("BX-Books.csv", 1)}[corpus]
    change_field(corpus, folder, name, field, f'"{title}"' if corpus == "bookcrossing" else title)


def edge_times(corpus: str, folder: Path) -> None:
    if corpus != "bookcrossing":
        name = "ratings.dat" if corpus == "ml1m" else "ratings.csv"
        separator = SEPARATOR[corpus]
        lines = (folder / name).read_text(encoding="latin-1").splitlines()
        begin = corpus == "ml25m"
        for i, time_ in zip(range(begin, begin + 12), [0, 1, 4_102_444_799] * 4, strict=True):
            lines[i] = separator.join([*lines[i].split(separator)[:3], str(time_)])
        (folder / name).write_text("\n".join(lines), encoding="latin-1", newline="")


def one_rating_value(corpus: str, folder: Path) -> None:
    """So that all labels are the same."""
    name = {"ml1m": "ratings.dat", "ml25m": "ratings.csv", "bookcrossing": "BX-Book-Ratings.csv"}[corpus]
    separator, lowest = SEPARATOR[corpus], {"ml1m": "1", "ml25m": "0.5", "bookcrossing": '"0"'}[corpus]
    lines = (folder / name).read_text(encoding="latin-1").splitlines()
    for i in range(corpus != "ml1m", len(lines)):
        fields = lines[i].split(separator)
        lines[i] = separator.join([*fields[:2], lowest, *fields[3:]])
    (folder / name).write_text("\n".join(lines), encoding="latin-1", newline="")


def nothing_known(corpus: str, folder: Path) -> None:
    """Every filler at once; titles stay, for the tiny encoder knows no ISBNs and would find all books the same."""
    if corpus == "ml25m":
        path = folder / "movies.csv"
        lines = path.read_text(encoding="utf-8").splitlines()
        path.write_text("\n".join([lines[0], *(f"{line.rsplit(',', 1)[0]},(no genres listed)" for line in lines[1:])]))
    if corpus == "bookcrossing":
        text = (folder / "BX-Books.csv").read_bytes().decode("cp1252").split("\r\n")
        kept = [line for line in text[1:] if line.count(";") == 7]
        blank = [";".join([*line.split(";")[:2], "NULL", '"0"', '"n/a"', *line.split(";")[-3:]]) for line in kept]
        (folder / "BX-Books.csv").write_bytes("\r\n".join([text[0], *blank]).encode("cp1252"))
        users = (folder / "BX-Users.csv").read_bytes().decode("cp1252").split("\r\n")
        users = [f"{line.split(';')[0]};NULL;NULL" for line in users[1:] if line.startswith('"')]
        (folder / "BX-Users.csv").write_bytes("\r\n".join(['"User-ID";"Location";"Age"', *users]).encode("cp1252"))


EXTREMES: list[Callable[[str, Path], None]] = [
    furthest_ids,
    longest_texts,
    strange_titles,
    edge_times,
    one_rating_value,
    nothing_known,
]


def build_everything(corpus: str, raw: Path, output: Path, encoder: Path) -> FolderArguments:
    """All stages, as `release.py` calls them."""
    where, views = FolderArguments(corpus=corpus, output=str(output)), ViewArguments(history_length=[3])
    prepare(where, RawArguments(raw=str(raw)))
    embed(where, EncoderArguments(encoder=str(encoder), dimension=4))
    build_views(where, views)
    build_prompts(where, views, PromptArguments())
    write_card(where)
    return where


@pytest.mark.parametrize("corpus", IMPOSSIBLE)
@pytest.mark.parametrize("change", EXTREMES, ids=lambda change: change.__name__)
def test_the_furthest_values_that_are_read_go_through_all_stages(corpus, change, tmp_path, tiny_encoder):
    raw = shutil.copytree(RAW / corpus, tmp_path / "raw")
    change(corpus, raw)
    where = build_everything(corpus, raw, tmp_path / corpus, tiny_encoder)
    samples = sum(store.count_rows(where.folder, "samples", split) for split in store.SPLITS)
    prompts = sum(store.count_rows(where.folder, "subr_k3", split) for split in store.SPLITS)
    assert samples == prompts > 0
    for split in store.SPLITS:
        for prompt in store.read(where.folder, "subr_k3", split)["prompt"].to_pylist():
            numbered = [line for line in prompt.splitlines() if line[:1].isdigit()]
            assert len(numbered) == 3, prompt


@pytest.mark.parametrize("corpus", IMPOSSIBLE)
def test_whatever_damage_is_read_goes_through_all_stages(corpus, tmp_path, tiny_encoder):
    """Seeded damage; what the reader refuses it refuses before a table is written."""
    rng, built = random.Random(corpus), 0
    kinds = ["bytes changed", "bytes put in", "numbers spelled otherwise", "lines taken out", "bytes taken out"]
    for seed in rng.sample(range(60), 12):
        files = damaged(corpus, rng.choice(kinds), seed)
        raw, output = write(tmp_path / "raw", files), tmp_path / f"{seed}" / corpus
        said = refusal(build_everything, corpus, raw, output, tiny_encoder)
        print(seed, said)
        assert said is None or not output.exists()
        built += said is None
        if built == 2:
            break
    assert built
