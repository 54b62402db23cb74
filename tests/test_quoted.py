"""Quoted text into columns, against a reader that goes character by character, and what is said of records that do not fit."""

import io
from pathlib import Path

import polars as pl
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from rella_hub.corpora.raw import quoted
from rella_hub.corpora.raw.archive import RawFiles
from rella_hub.corpora.raw.quoted import read_quoted

COLUMNS = {"Id": "id", "Name": "name", "Age": "age"}
HEADER = '"Id";"Name";"Age"\n'


class InMemory(RawFiles):
    def __init__(self, data: bytes):
        super().__init__(Path("nowhere"), "", "unverified")
        self.data = data

    def _open(self, name: str) -> io.BytesIO:
        return io.BytesIO(self.data)


def table_of(records: str | bytes, columns: dict = COLUMNS) -> pl.DataFrame:
    """The table of records under the header of three columns."""
    data = records if isinstance(records, bytes) else records.encode("cp1252")
    return read_quoted(InMemory(HEADER.encode() + data), "x.csv", columns)


def rows_of(records: str | bytes) -> list[tuple]:
    return table_of(records).select(*COLUMNS.values()).rows()


def written(fields: tuple) -> str:
    """A record as the format has it, without a line break."""
    escaped = (None if f is None else f.replace("\\", "\\\\").replace('"', '\\"') for f in fields)
    return ";".join("NULL" if f is None else f'"{f}"' for f in escaped)


def read_slowly(text: str) -> list[tuple[int, list[str | None]]]:
    """Each record's line and fields by its escapes, one character after the other."""
    records, fields, field, line, first, at = [], [], "", 1, 1, 0
    while at < len(text):
        if text.startswith("NULL", at):
            field, at = None, at + 4
        else:
            assert text[at] == '"'
            field, at = "", at + 1
            while text[at] != '"':
                at += text[at] == "\\" and text[at + 1] in '\\"'
                field += text[at]
                line += text[at] == "\n"
                at += 1
            at += 1
        fields.append(field)
        if text[at : at + 1] == ";":
            at += 1
            continue
        records.append((first, fields))
        fields = []
        at += 2 if text.startswith("\r\n", at) else 1
        line += 1
        first = line
    return records


awkward = st.sampled_from([*'";\\\r\nN', '";"', '\\"', '"\n"', ";NULL", "NULL"])
letters = st.characters(codec="cp1252", exclude_characters="\0")
fields = st.none() | st.lists(awkward | letters, max_size=8).map("".join)
tables = st.lists(st.tuples(fields, fields, fields), max_size=8)


@given(tables, st.sampled_from(["\n", "\r\n"]), st.booleans())
@example([("a\\", "b;", 'c"')], "\r\n", False)
def test_any_table_is_read_back(rows, newline, ends_with_newline):
    # No file of UTF-8 has this letter alone. Without it, "Ã©" would be taken for one, as it should.
    rows = [("é", None, ""), *rows]
    text = newline.join(map(written, rows)) + newline * ends_with_newline
    read = table_of(text)
    assert read.select(*COLUMNS.values()).rows() == rows
    slowly = read_slowly(HEADER + text)[1:]
    assert read.rows() == [(line, *record) for line, record in slowly]


@given(tables, st.integers(1, 3))
def test_parts_are_put_together(rows, at_a_time):
    before = quoted.RECORDS_AT_A_TIME
    quoted.RECORDS_AT_A_TIME = at_a_time
    try:
        assert rows_of("\n".join(map(written, [("é", "", None), *rows])))[1:] == rows
    finally:
        quoted.RECORDS_AT_A_TIME = before


@given(st.lists(st.tuples(*[st.text("ab ,", min_size=1)] * 3, st.sampled_from(range(8))), min_size=1, max_size=6))
def test_fields_that_end_in_a_backslash_of_their_own(rows):
    """Nothing is escaped, as where the writer forgot to: the reading by escapes does not fit, that by separators does."""
    rows = [tuple(f + "\\" * (mask >> i & 1) for i, f in enumerate(row)) for *row, mask in rows]
    assert rows_of("".join('"' + '";"'.join(row) + '"\r\n' for row in rows)) == rows


@pytest.mark.parametrize(
    ("record", "fields"),
    [
        ('"1";"a \\"b\\" c";"2"', ("1", 'a "b" c', "2")),
        ('"1";"a;b;NULL";NULL', ("1", "a;b;NULL", None)),
        ('"1";"a\nb\r\n\r\nc";NULL', ("1", "a\nb\r\n\r\nc", None)),
        ('"1";"a\\";"2"', ("1", "a\\", "2")),
        ('"1";"a\\";NULL', ("1", "a\\", None)),
        ('"1";"a \\"b\\" \\";"2"', ("1", 'a "b" \\', "2")),
        ('"1";"a\nb\\";"2"', ("1", "a\nb\\", "2")),
        ('"1";"a "b" c";"2"', ("1", 'a "b" c', "2")),
        ('"1";"a";"b\\"', ("1", "a", "b\\")),
        ('"1";"a\\\\";"2"', ("1", "a\\", "2")),
        ('"1";"a\\";b";"2"', ("1", 'a";b', "2")),
        ('"1";"c:\\new";"2"', ("1", "c:\\new", "2")),
        ('"";"";""', ("", "", "")),
        ('NULL;NULL;"NULL"', (None, None, "NULL")),
    ],
)
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_a_record_between_others(record, fields, newline):
    around = ("0", "z", None)
    text = newline.join([written(around), record, written(around), ""])
    assert rows_of(text) == [around, fields, around]
    assert rows_of(record) == [fields]  # without a line break at the end
    assert table_of(text)["line"].to_list() == [2, 3, 4 + record.count("\n")]


def test_columns_without_a_name_are_read_over():
    assert table_of('"1";"a;\\"b";NULL\n', COLUMNS | {"Name": None}).rows() == [(2, "1", None)]


def test_no_record_gives_a_table_of_text():
    assert table_of("").schema == {"line": pl.UInt32, "id": pl.String, "name": pl.String, "age": pl.String}


def test_every_byte_is_the_character_that_browsers_show():
    data = bytes(sorted({*range(1, 256)} - {ord('"'), ord("\\")}))
    (read,) = table_of(b'"' + data + b'";NULL;NULL\n')["id"]
    undefined = {0x81, 0x8D, 0x8F, 0x90, 0x9D}
    assert [ord(c) for c in read if ord(c) in undefined] == sorted(undefined)
    assert "".join(c for c in read if ord(c) not in undefined) == data.decode("cp1252", "ignore")


GOOD = '"1";"a";"2"\n'
EXPECTED = (
    r"expected 3 fields \(Id, Name, Age\) separated by ';', each in double quotes or NULL, and a line break\. Got: "
)


@pytest.mark.parametrize(
    ("records", "line", "got"),
    [
        ('"1";"a"\n' + GOOD, 2, '\'"1";"a"'),
        (GOOD + '"1";"a";"2";"3"\n' + GOOD, 3, ""),
        (GOOD + "\n" + GOOD, 3, r"'\\n"),
        (GOOD + GOOD + "\n", 4, r"'\\n'"),
        (GOOD + ' "1";"a";"2"\n', 3, "' "),
        (GOOD + '"1";"a"; "2"\n', 3, ""),
        (GOOD + '"1";"a";"2"  \n', 3, ""),
        (GOOD + '1;"a";"2"\n', 3, "'1"),
        (GOOD + '"1";"a";Null\n', 3, ""),
        (GOOD + '"1";"a";NULLs\n', 3, ""),
        (GOOD + '"1";"a";"2\n' + GOOD, 3, ""),
        (GOOD + '"1";"a\n' + GOOD, 3, ""),
        (GOOD + '"1";"a\n"2";"b"\n', 3, ""),  # two halves do not make one record
        (GOOD + '"1";"a";"2', 3, ""),
        (GOOD + '"1";"a', 3, ""),
        ('"1";"a\n\nb";"2"\r\n' + '"1"\n', 5, '\'"1"'),
        (GOOD + '"1";"' + "a" * 100, 3, '\'"1";"' + "a" * 75 + r"'\."),
    ],
)
def test_a_record_that_does_not_fit_is_named(records, line, got):
    with pytest.raises(ValueError, match=rf"^x\.csv, line {line}: {EXPECTED}{got}"):
        table_of(records)


@given(tables, st.data())
def test_nothing_is_skipped(rows, data):
    """A letter put in anywhere is in a field, or the file is refused."""
    text = "".join(written(row) + "\n" for row in rows).replace("µ", "")
    at = data.draw(st.integers(0, len(text)))
    try:
        read = rows_of(text[:at] + "µ" + text[at:])
    except ValueError:
        return
    assert "".join(field or "" for row in read for field in row).count("µ") == 1


@pytest.mark.parametrize(
    "content", ["a" * 10**6, '\\"' * 10**6, "\\\\" * 10**6, '";' * 10**6, "\n" * 10**6], ids=lambda c: repr(c[:2])
)
@pytest.mark.parametrize("end", ["", '"', '";', '";NULL', '";"'])
def test_a_long_field_that_is_never_closed_is_given_up_at_once(content, end):
    """Megabytes in a second or so; going back over them would take days."""
    with pytest.raises(ValueError, match=r"line 2: expected 3 fields"):
        table_of('"1' + content + end)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", r"^x\.csv is empty\.$"),
        (b'"Id";"Age";"Name"\n', r"x\.csv, line 1: expected the header \"Id\";\"Name\";\"Age\", got: '\"Id\";\"Age\""),
        (b"Id,Name,Age\n1,a,2\n", r"x\.csv, line 1: expected the header .*got: 'Id,Name"),
        (b'"1";"a";"2"\n', r"x\.csv, line 1: expected the header"),
        (HEADER.encode() + b'"1";"a\n\0";NULL\n', r"x\.csv, line 3: a NUL byte"),
        (HEADER.encode() + '"1";"a";NULL\n"1";"Café – 5 €";NULL\n'.encode(), r"line 3: the file is UTF-8.*iconv"),
        (("\ufeff" + HEADER).encode(), r"x\.csv, line 1: the file is UTF-8"),
        (HEADER.encode("utf-16"), "line 1: the file is text in UTF-16"),
    ],
)
def test_a_file_of_another_kind_is_refused(data, said):
    with pytest.raises(ValueError, match=said):
        read_quoted(InMemory(data), "x.csv", COLUMNS)


def test_text_that_was_encoded_twice_is_not_utf_8():
    """One letter in plain windows-1252 tells."""
    assert rows_of('"1";"FranÃ§ois";"é"\n') == [("1", "FranÃ§ois", "é")]


def test_a_stray_pair_of_bytes_is_not_utf_8():
    """The bytes are U+053D in UTF-8, which no file converted from windows-1252 can hold."""
    assert rows_of('"1";"Ô½a";"2"\n') == [("1", "Ô½a", "2")]
