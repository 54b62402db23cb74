r"""Read a file of quoted fields, semicolons between them, into columns of text: the format of the BookCrossing dump.

A record is as many fields as the header names, each in double quotes or a bare NULL, and ends with LF or CRLF. A field may
hold semicolons and line breaks. It is read by its escapes first: ``\"`` is a quote and ``\\`` a backslash. Where that does
not give the number of fields, as after a field that ends in a backslash of its own, the record is split at ``";"``.
Every character of the file belongs to a record that one of the two readings fits, or the file is refused.

The encoding is windows-1252 as browsers read it: the five bytes that Python's cp1252 leaves undefined are control characters.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice

import polars as pl

from rella_hub.corpora.raw.archive import RawFiles
from rella_hub.corpora.raw.delimited import require_short_texts

RECORDS_AT_A_TIME = 100_000  # that Python holds as strings of its own before they become a part of the table
UNDEFINED = "\x81\x8d\x8f\x90\x9d"
WINDOWS_1252 = frozenset(bytes(range(256)).decode("cp1252", "ignore") + UNDEFINED)

ESCAPED = r'\\(["\\])'  # a quote or a backslash, after a backslash
# What stands between the quotes. Possessive (`*+`), so that a record that does not fit is given up in one pass.
BY_ESCAPES = r'[^"\\]*+(?:\\.[^"\\]*+)*+'
# A quote that ends a field; or a line that begins with a quote, which is the next record.
END = re.compile(r'"(?=;"|;NULL|\r?\n|\Z)|\n(?=")')
LINE_END = re.compile(r"\r?\n|\Z")


def read_quoted(raw: RawFiles, name: str, columns: dict[str, str | None]) -> pl.DataFrame:
    """`line` (the record's first one, from 1) and a String column for each column of the file that is given a name.

    `columns`: the names in the file's header, in order, to ours; None: not kept. A bare NULL is null.
    ValueError with file and line where a record does not have these columns.
    """
    text = _decode(raw, name)
    records = _records(text, name, columns)
    names = ["line", *(ours for ours in columns.values() if ours is not None)]
    schema = {column: pl.UInt32 if column == "line" else pl.String for column in names}
    parts = [pl.DataFrame(schema=schema)]
    while some := list(islice(records, RECORDS_AT_A_TIME)):
        parts.append(pl.DataFrame(dict(zip(names, zip(*some, strict=True), strict=True)), schema=schema))
    table = pl.concat(parts).with_columns(pl.col(pl.String).str.replace_all(ESCAPED, "${1}"))
    require_short_texts(table, name)
    return table


def _decode(raw: RawFiles, name: str) -> str:
    data = raw.read(name)
    if not data:
        raise ValueError(f"{name} is empty.")
    if (null := data.find(b"\0")) >= 0:
        raise ValueError(
            f"{name}, line {data.count(10, 0, null) + 1}: a NUL byte, expected text. Use the file as published."
        )
    if not data.isascii():
        _refuse_utf8(data, name)
    text = data.decode("cp1252", "surrogateescape")
    for character in UNDEFINED:
        text = text.replace(chr(0xDC00 + ord(character)), character)
    return text


def _refuse_utf8(data: bytes, name: str) -> None:
    """ValueError where the whole file is UTF-8 of characters that windows-1252 has, which is what a converted file is.

    A part of a file proves nothing: the published books hold names that somebody encoded twice. Nor do other characters: in
    a file of numbers one stray pair of bytes happens to be UTF-8, of a letter that no converted file could hold.
    """
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        return
    if WINDOWS_1252.issuperset(text.removeprefix("\ufeff")):
        line = next(i for i, part in enumerate(data.split(b"\n"), 1) if not part.isascii())
        raise ValueError(
            f"{name}, line {line}: the file is UTF-8, expected windows-1252 as published. Use the official file, or convert "
            f"it: iconv -f UTF-8 -t WINDOWS-1252."
        )


def _records(text: str, name: str, columns: dict[str, str | None]) -> Iterator[tuple]:
    """The line and the kept fields of every record after the header, still escaped."""
    header = ";".join(f'"{column}"' for column in columns)
    first = text[: text.find("\n") + 1] or text
    if first.rstrip("\r\n") != header:
        raise ValueError(f"{name}, line 1: expected the header {header}, got: {first[:80]!r}.")
    by_escapes, kept = _pattern(columns), [ours is not None for ours in columns.values()]
    line, position = 2, len(first)
    while position < len(text):
        record = by_escapes.match(text, position)
        fields, end = (record.groups(), record.end()) if record else _split_at_separators(text, position, kept)
        if end is None:
            raise ValueError(
                f"{name}, line {line}: expected {len(columns)} fields ({', '.join(columns)}) separated by ';', each in double "
                f"quotes or NULL, and a line break. Got: {text[position : position + 80]!r}."
            )
        yield line, *fields
        line += text.count("\n", position, end)
        position = end


def _split_at_separators(text: str, position: int, kept: list[bool]) -> tuple[tuple, int | None]:
    """The kept fields of the record that begins at `position`, and where it ends; None there where it does not fit.

    A loop and no pattern: Python before 3.11.5 matches a possessive choice wrongly, and any other would remember every step.
    """
    fields = []
    for number in range(len(kept)):
        if number and not text.startswith(";", position):
            return (), None
        position += bool(number)
        if text.startswith("NULL", position):
            fields.append(None)
            position += len("NULL")
            continue
        end = END.search(text, position + 1) if text.startswith('"', position) else None
        if end is None or end[0] != '"':
            return (), None
        fields.append(text[position + 1 : end.start()])
        position = end.end()
    end = LINE_END.match(text, position)
    return tuple(field for field, is_kept in zip(fields, kept, strict=True) if is_kept), end and end.end()


def _pattern(columns: dict[str, str | None]) -> re.Pattern[str]:
    fields = [
        rf'(?:"{BY_ESCAPES}"|NULL)' if ours is None else rf'(?:"({BY_ESCAPES})"|NULL)' for ours in columns.values()
    ]
    return re.compile(";".join(fields) + r"(?:\r?\n|\Z)", re.DOTALL)
