"""Comma-separated text with quoted fields, against Python's csv writer, and what is said of records that do not fit."""

import csv
import io

import polars as pl
import pytest
from builders import InMemory
from hypothesis import given
from hypothesis import strategies as st

from rella_hub.corpora.raw.comma import read_comma_separated

COLUMNS = {"item_id": pl.Int32, "title": pl.String, "genres": pl.String}
HEADER = ["movieId", "title", "genres"]
START = "movieId,title,genres\r\n"

letters = st.text(
    st.one_of(st.sampled_from('",\r\n ;é'), st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
)
records = st.lists(st.tuples(st.integers(-(2**31), 2**31 - 1), letters, letters), min_size=1, max_size=12)


def table_of(text: str | bytes) -> pl.DataFrame:
    return read_comma_separated(InMemory(text if isinstance(text, bytes) else text.encode()), "x.csv", COLUMNS, HEADER)


@given(
    records,
    st.sampled_from(["\n", "\r\n"]),
    st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC]),
    st.booleans(),
)
def test_reads_what_the_csv_module_writes(rows, line_end, quoting, ends_with_line_end):
    """But for one thing: told to end records with LF alone, the csv module leaves a CR bare, which then looks like CRLF."""
    if line_end == "\n" and quoting == csv.QUOTE_MINIMAL:
        rows = [(number, title.replace("\r", ""), genres.replace("\r", "")) for number, title, genres in rows]
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator=line_end, quoting=quoting)
    writer.writerow(HEADER)
    lines = []
    for row in rows:
        lines.append(out.getvalue().count("\n") + 1)
        writer.writerow(row)
    text = out.getvalue() if ends_with_line_end else out.getvalue().removesuffix(line_end)
    table = table_of(text)
    assert table.select(*COLUMNS).rows() == rows
    assert table["line"].to_list() == lines
    assert table.schema == COLUMNS | {"line": pl.UInt32}


@given(st.text(st.sampled_from('a,"\n\r1'), max_size=25))
def test_whatever_is_read_the_csv_module_reads_alike(text):
    """Stricter than the csv module, and never another reading."""
    try:
        read = table_of(START + "1,a,b\r\n" + text).select(*COLUMNS).rows()[1:]
    except ValueError:
        return
    expected = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    assert read == [(int(number), title, genres) for number, title, genres in expected]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (START + '1,"A, The",b\r\n2,"B\r\n3,c,d\r\n', r"x\.csv, line 3: a quote that is not closed.*Got: '2,\"B"),
        (START + '1,"A" x,b\r\n', r"x\.csv, line 2: a quote or a CR out of place; expected fields"),
        (START + '1,"A\nB",b\n2,A "x",b\n', r"x\.csv, line 4: a quote or a CR out of place"),
        (START + "1,A,b\r2,B,c\r\n", r"x\.csv, line 2: a quote or a CR out of place"),
        (START + "1,A\r\n", r"x\.csv, line 2: 2 fields, expected 3 \(item_id, title, genres\)\. Got: '1,A'"),
        (START + "1,A,b,\r\n", r"x\.csv, line 2: 4 fields, expected 3"),
        (START + "1,A,b\r\n\r\n2,B,c\r\n", r"x\.csv, line 3: 1 fields, expected 3"),
        ("movieId,name,genres\r\n1,A,b\r\n", r"x\.csv, line 1: the header is \['movieId', 'name'"),
        ("\ufeff\ufeff" + START + "1,A,b\r\n", r"x\.csv, line 1: the header is \['\\ufeffmovieId'"),
        ("1,A,b\r\n2,B,c\r\n", r"x\.csv, line 1: the header is \['1'"),
        (START + '1,"A\nB",b\nx,C,d\n', r"x\.csv, line 4: item_id is 'x', expected a number"),
        (START + " 1,A,b\n", r"x\.csv, line 2: item_id is ' 1', expected a number"),
        (START + "+1,A,b\n", r"x\.csv, line 2: item_id is '\+1', expected a number"),
        (START + "99999999999,A,b\n", r"x\.csv, line 2: item_id is '99999999999', expected a number"),
        ("", r"x\.csv is empty"),
        (START, r"x\.csv has no rows"),
        (START.encode() + "1,Élan,b\r\n".encode("latin-1"), r"x\.csv, line 2: byte 0xc9 is not utf-8"),
        (START + "1,A\0,b\r\n", r"x\.csv, line 2: a NUL byte"),
    ],
)
def test_a_record_that_does_not_fit_is_named(text, said):
    with pytest.raises(ValueError, match=said):
        table_of(text)


def test_a_quote_that_is_never_closed_is_given_up_at_once():
    """In time that grows with the file, not with its square."""
    with pytest.raises(ValueError, match=r"x\.csv, line 2: a quote that is not closed"):
        table_of(START + '1,"' + '""a,' * 500_000)
