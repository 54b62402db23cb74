"""Read a comma-separated file with quoted fields (RFC 4180), for the small tables that have them: titles hold commas and quotes.

A field that holds a comma, a quote or a line break stands in quotes, its own quotes doubled. A record ends with LF or CRLF. What
does not fit is refused: Python's csv module would take a quote inside a bare field, and a lone CR for the end of a record.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import polars as pl

from rella_hub.corpora.raw.archive import RawFiles
from rella_hub.corpora.raw.delimited import cast, decode, require_header, require_short_texts

# Possessive (`*+`), so that a quote that is never closed is given up in one pass.
FIELD = re.compile(r'"([^"]*+(?:""[^"]*+)*+)"|([^",\r\n]*+)')
RECORD_END = re.compile(r"\r?\n|\Z")


def read_comma_separated(
    raw: RawFiles, name: str, columns: dict[str, Any], header: list[str], encoding: str = "utf-8"
) -> pl.DataFrame:
    """A table with the given columns and a column `line`, on which the record begins (from 1).

    ValueError with file and line for another header, another number of fields, a quote out of place or a field of another type.
    """
    lines, records = [], []
    for line, record in _records(decode(raw, name, encoding), name):
        if line == 1:
            require_header(record, header, name)
        elif len(record) != len(header):
            raise ValueError(
                f"{name}, line {line}: {len(record)} fields, expected {len(header)} ({', '.join(columns)}). "
                f"Got: {','.join(record)[:80]!r}."
            )
        else:
            lines.append(line)
            records.append(record)
    if not records:
        raise ValueError(f"{name} has no rows.")
    table = pl.DataFrame(records, schema=dict.fromkeys(columns, pl.String), orient="row")
    table = table.with_columns(line=pl.Series(lines, dtype=pl.UInt32))
    require_short_texts(table, name)
    return table.with_columns(cast(table, name, column, dtype) for column, dtype in columns.items())


def _records(text: str, name: str) -> Iterator[tuple[int, list[str]]]:
    """The line on which each record begins, and its fields."""
    line, begin = 1, 0
    while begin < len(text):
        record, position = [], begin - 1
        while position < begin or text.startswith(",", position):
            field = FIELD.match(text, position + 1)
            assert field is not None, "a bare field may be empty"
            quoted, bare = field.groups()
            record.append(bare if quoted is None else quoted.replace('""', '"'))
            position = field.end()
        end = RECORD_END.match(text, position)
        if end is None:
            unclosed = bare == "" and text.startswith('"', position)
            raise ValueError(
                f"{name}, line {line}: {'a quote that is not closed' if unclosed else 'a quote or a CR out of place'}; expected fields "
                f"with commas between them, in quotes where they hold a comma or a quote. Got: {text[begin : begin + 80]!r}."
            )
        yield line, record
        line += text.count("\n", begin, end.end())
        begin = end.end()
