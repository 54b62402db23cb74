"""Delimited text into typed columns, against Python's own `split`, and what is said of lines that do not fit."""

import polars as pl
import pytest
from builders import InMemory
from hypothesis import given
from hypothesis import strategies as st

from rella_hub.corpora.raw import archive, delimited
from rella_hub.corpora.raw.delimited import decode, read_delimited, require

COLUMNS = {"id": pl.Int32, "name": pl.String, "score": pl.Float32}


def table_of(text: str, encoding: str = "latin-1", header: list[str] | None = None) -> pl.DataFrame:
    return read_delimited(InMemory(text.encode(encoding)), "x.dat", "::", COLUMNS, encoding, header)


letters = st.characters(min_codepoint=32, max_codepoint=126, exclude_characters=":")
lines = st.lists(
    st.tuples(st.integers(-(2**31), 2**31 - 1), st.text(letters), st.integers(-1000, 1000)), min_size=1, max_size=20
)


@given(lines, st.sampled_from(["\n", "\r\n"]), st.booleans(), st.booleans(), st.sampled_from([1, 7, 100, 10**6]))
def test_reads_what_splitting_each_line_gives(rows, newline, ends_with_newline, with_header, block):
    header = ["Id", "Name", "Score"] if with_header else None
    wanted = [f"{i}::{name}::{score / 4}" for i, name, score in rows]
    text = newline.join(["::".join(header), *wanted] if header else wanted) + newline * ends_with_newline
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(archive, "BLOCK", block)
        read = table_of(text, header=header).select("line", *COLUMNS).rows()
    assert read == [(line, i, name, score / 4) for line, (i, name, score) in enumerate(rows, 1 + with_header)]


@given(lines, st.integers(0, 19), st.sampled_from([1, 7, 100]))
def test_the_line_is_right_in_whatever_block_it_stands(rows, wrong, block):
    text = [f"{i}::{name}::{score}" for i, name, score in rows]
    wrong %= len(text)
    text[wrong] = "x" + text[wrong]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(archive, "BLOCK", block)
        with pytest.raises(ValueError, match=rf"x\.dat, line {wrong + 1}: id is 'x"):
            table_of("\n".join(text))


@given(
    st.lists(st.text(st.characters(min_codepoint=1, max_codepoint=255)), max_size=8), st.sampled_from([1, 2, 3, 100])
)
def test_decoding_in_blocks_is_decoding_at_once(texts, block):
    text = "\n".join(["x", *texts])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(archive, "BLOCK", block)
        assert decode(InMemory(text.encode()), "x.dat", "utf-8") == text


def test_another_header_is_named():
    with pytest.raises(ValueError, match=r"x\.dat, line 1: the header is \['id', 'title'\], expected \['Id'"):
        table_of("id::title\n", header=["Id", "Name", "Score"])
    with pytest.raises(ValueError, match=r"x\.dat has no rows"):
        table_of("Id::Name::Score\n", header=["Id", "Name", "Score"])


def test_what_has_no_lines_is_refused_early(monkeypatch):
    monkeypatch.setattr(archive, "BLOCK", 1000)
    monkeypatch.setattr(delimited, "LONGEST_LINE", 2000)
    with pytest.raises(ValueError, match=r"x\.dat, line 2: no end within 2,000 bytes"):
        table_of("1::a::1\n" + "0" * 9000)


def test_letters_of_latin_1_are_read():
    assert table_of("1::Café Zénith::1\n")["name"].to_list() == ["Café Zénith"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "1::a::1\n2::b\n3::c\n",
            r"x\.dat, line 2: 2 fields, expected 3 \(id, name, score\) separated by '::'. Got: '2::b'",
        ),
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
