"""Damaged raw files, hundreds of ways: what is read is what the file says, or the file and the line are named.

Every case is judged by an oracle (tests/damage_oracle.py). The readers must refuse exactly the files that have a line which breaks a
rule, name one of those lines, and otherwise give exactly the rows of the oracle. A failure prints the seed of its case.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from damage_kinds import FEWER, KINDS, SPELLINGS, damaged, original, read, refusal, rows_of, write, zip_of
from damage_oracle import CORPORA, ENCODING, FIXTURES, ORACLE, SEEDS, SEPARATOR, USUAL_SEEDS, Files, Reading

from rella_hub.stages.arguments import FolderArguments, RawArguments
from rella_hub.stages.prepare import prepare
from rella_hub.tables import store


def require_a_named_fault(said: str, expected: Reading, path: Path) -> None:
    """The message is a short one and names a line that breaks a rule, or the file where it is the whole file."""
    assert len(said) < 500
    assert expected.faults, f"refused, and nothing is wrong: {said}"
    if named := re.match(r"([\w.-]+), line (\d+): ", said):
        assert (named[1], int(named[2])) in expected.faults, f"{said}\n{sorted(expected.faults, key=str)}"
    else:
        whole = re.match(rf"([\w.-]+) (?:is empty|has no rows)\.|{re.escape(str(path))} has no file ([\w.-]+)\.", said)
        assert whole, f"names no line: {said}"
        assert (whole[1] or whole[2], None) in expected.faults, said


def judge(corpus: str, path: Path, files: Files) -> bool:
    """Whether the files were read; AssertionError where they should (not) have been, or otherwise."""
    expected = ORACLE[corpus](files)
    tables = None
    try:
        tables = read(corpus, path)
    except ValueError as error:
        require_a_named_fault(str(error), expected, path)
    if tables is None:
        return False
    assert not expected.faults, f"read in spite of {sorted(expected.faults, key=str)}"
    assert rows_of(tables) == expected.tables
    assert list(tables.dropped.values()) == expected.dropped
    return True


@pytest.mark.parametrize("corpus", CORPORA)
def test_the_oracle_reads_the_fixture(corpus):
    files = original(corpus)
    assert judge(corpus, FIXTURES / corpus, files)
    assert all(ORACLE[corpus](files).tables.values())


@pytest.mark.parametrize("corpus", CORPORA)
@pytest.mark.parametrize("kind", KINDS)
def test_damage_is_named_or_read_as_it_stands(corpus, kind, tmp_path):
    judge_seeds(corpus, kind, range(min(USUAL_SEEDS, FEWER.get(kind, SEEDS))), tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("corpus", CORPORA)
@pytest.mark.parametrize("kind", KINDS)
def test_more_damage_is_named_or_read_as_it_stands(corpus, kind, tmp_path):
    judge_seeds(corpus, kind, range(USUAL_SEEDS, FEWER.get(kind, SEEDS)), tmp_path)


def judge_seeds(corpus: str, kind: str, seeds: range, folder: Path) -> None:
    read_all = 0
    for seed in seeds:
        files = damaged(corpus, kind, seed)
        try:
            read_all += judge(corpus, write(folder / "raw", files), files)
        except BaseException:
            print(f"damaged({corpus!r}, {kind!r}, {seed})")
            raise
    print(f"{read_all} of {len(seeds)} were still whole")


NUMBERS = {
    "ml1m": {"users.dat": [0, 2, 3], "movies.dat": [0], "ratings.dat": [0, 1, 2, 3]},
    "ml25m": {"movies.csv": [0], "ratings.csv": [0, 1, 2, 3]},
    "bookcrossing": {"BX-Users.csv": [0, 2], "BX-Book-Ratings.csv": [0, 2]},
}  # file -> its fields that are numbers


@pytest.mark.parametrize(("corpus", "name"), [(corpus, name) for corpus in CORPORA for name in NUMBERS[corpus]])
def test_every_spelling_of_a_number_in_every_field_that_is_one(corpus, name, tmp_path):
    """Python and the readers' casts disagree on many of these; a raw file holds plain digits."""
    lines = original(corpus)[name].split(b"\n")
    for field in NUMBERS[corpus][name]:
        for spelled in SPELLINGS:
            fields = lines[2].rstrip(b"\r").split(SEPARATOR[corpus])
            quote = b'"' if fields[field].startswith(b'"') else b""
            fields[field] = quote + spelled.encode(ENCODING[corpus], "ignore") + quote
            changed = [*lines[:2], SEPARATOR[corpus].join(fields), *lines[3:]]
            files = original(corpus) | {name: b"\n".join(changed)}
            print(f"{spelled!r} in field {field}")
            judge(corpus, write(tmp_path / "raw", files), files)


@pytest.mark.parametrize("corpus", CORPORA)
def test_damage_leaves_whole_tables_or_none(corpus, tmp_path):
    """The same through the command's stage, from folders and zip archives."""
    for seed in range(12):
        kind = sorted(KINDS)[(5 * seed) % len(KINDS)]
        files = damaged(corpus, kind, seed)
        path = write(tmp_path / f"raw-{seed}", files)
        where = FolderArguments(corpus=corpus, output=str(tmp_path / f"out-{seed}"))
        said = refusal(prepare, where, RawArguments(raw=str(zip_of(path, files) if seed % 2 else path)))
        print(f"damaged({corpus!r}, {kind!r}, {seed}): {said}")
        expected = ORACLE[corpus](files)
        if said is None:
            assert not expected.faults
            for name, rows in expected.tables.items():
                assert store.count_rows(where.folder, name) == len(rows)
        else:
            assert expected.faults or "No user has more than 5 ratings" in said
            assert store.table_names(where.folder) == []
            assert not where.folder.exists() or not list(where.folder.iterdir()), "nothing half made is left"
