"""Delimited text into typed columns, against Python's own `split`, and what is said of lines that do not fit."""

from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataset_builders.raw.archive import RawFiles
from dataset_builders.raw.delimited import decode, read_delimited, require

COLUMNS = {"id": pl.Int32, "name": pl.String, "score": pl.Float32}


class InMemory(RawFiles):
    def __init__(self, data: bytes):
        super().__init__(Path("nowhere"), "", "unverified")
        self.data = data

    def read(self, name: str) -> bytes:
        return self.data


def table_of(text: str, encoding: str = "latin-1") -> pl.DataFrame:
    return read_delimited(InMemory(text.encode(encoding)), "x.dat", "::", COLUMNS, encoding)


letters = st.characters(min_codepoint=32, max_codepoint=126, exclude_characters=":")
lines = st.lists(
    st.tuples(st.integers(-(2**31), 2**31 - 1), st.text(letters), st.integers(-1000, 1000)), min_size=1, max_size=20
)


@given(lines, st.sampled_from(["\n", "\r\n"]), st.booleans())
def test_reads_what_splitting_each_line_gives(rows, newline, ends_with_newline):
    text = newline.join(f"{i}::{name}::{score / 4}" for i, name, score in rows) + newline * ends_with_newline
    read = table_of(text).select("line", *COLUMNS).rows()
    assert read == [(line, i, name, score / 4) for line, (i, name, score) in enumerate(rows, 1)]


def test_letters_of_latin_1_are_read():
    assert table_of("1::Café Zénith::1\n")["name"].to_list() == ["Café Zénith"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("1::a::1\n2::b\n3::c\n", r"x\.dat, line 2: 2 fields, expected 3 \(id, name, score\).*2 such lines in all"),
        ("1::a::1\n1::a::1::1\n", "x.dat, line 2: 4 fields"),
        ("1::a::1\n\n2::a::1\n", "x.dat, line 2: 1 fields"),
        ("1::a::1\nx::a::1\n", "x.dat, line 2: id is 'x', expected a number"),
        ("1::a::1\n99999999999::a::1\n", "x.dat, line 2: id is '99999999999'"),
        ("1::a::1\n2::a::\n", "x.dat, line 2: score is ''"),
        ("", "x.dat is empty"),
    ],
)
def test_a_line_that_does_not_fit_is_named(text, said):
    with pytest.raises(ValueError, match=said):
        table_of(text)


def test_utf_8_is_not_taken_for_latin_1():
    with pytest.raises(ValueError, match=r"x\.dat, line 2: the file is UTF-8, expected ISO-8859-1.*iconv"):
        decode(InMemory("1::plain\n2::Café\n".encode()), "x.dat", "latin-1")


def test_ascii_is_both():
    assert decode(InMemory(b"1::plain\n"), "x.dat", "latin-1") == "1::plain\n"


def test_a_byte_outside_the_encoding_is_named():
    with pytest.raises(ValueError, match=r"x\.dat, line 2: byte 0xe9 is not utf-8"):
        decode(InMemory("1\n2 é\n".encode("latin-1")), "x.dat", "utf-8")


def test_require_fills_the_line_in():
    table = pl.DataFrame({"line": [1, 2, 3], "age": [5, 7, 7]})
    require(table["age"] > 0, table, "x.dat", "never")
    with pytest.raises(ValueError, match=r"x\.dat, line 2: age is 7 \(2 such lines in all\)"):
        require(table["age"] < 6, table, "x.dat", "age is {age}")
