"""Read a delimited text file into typed columns, block by block, naming file and line of whatever is wrong.

For files whose fields are never quoted: a line is a row. Nothing larger than a block is held as text, so a file of any size is read
in the memory that its typed columns take.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa

from rella_hub.corpora.raw.archive import RawFiles

LONGEST_LINE = 1 << 20  # bytes; what has no line end for so long is no table
LONGEST_TEXT = 2000  # bytes of UTF-8 in a field; the longest real title has 284
PLAIN = r"^-?[0-9]+(\.[0-9]+)?$"  # polars would also take "1e3", "inf", "nan" and ".5" for numbers, and "+5" for a whole one


def read_delimited(
    raw: RawFiles,
    name: str,
    separator: str,
    columns: dict[str, Any],
    encoding: str,
    header: list[str] | None = None,
) -> pl.DataFrame:
    """A table with the given columns and a column `line` (from 1). `header`: the names the first line must hold.

    ValueError with file and line where a line has another number of fields or a field is not of its type.
    """
    parts = []
    for first_line, texts in _lines(raw, name, encoding):
        lines = pl.DataFrame({"line": first_line + np.arange(len(texts), dtype=np.uint32), "text": pl.Series(texts)})
        lines = lines.with_columns(pl.col("text").str.strip_suffix("\r"))
        if first_line == 1 and header is not None:
            require_header(lines["text"][0].split(separator), header, name)
            lines = lines[1:]
        elif first_line == 1:
            _refuse_header(lines["text"][0], separator, columns, name)
        short = lines["text"].str.len_bytes() <= LONGEST_LINE
        require(short, lines, name, f"no end within {LONGEST_LINE:,} bytes; this is not a table of lines")
        parts.append(_typed(lines, name, separator, columns))
    table = pl.concat(parts)
    if table.is_empty():
        raise ValueError(f"{name} has no rows.")
    return table


def require_header(found: list[str], expected: list[str], name: str) -> None:
    if found != expected:
        raise ValueError(
            f"{name}, line 1: the header is {str(found)[:120]}, expected {expected}. Use the file as published."
        )


def _refuse_header(line: str, separator: str, columns: dict[str, Any], name: str) -> None:
    """ValueError for a first line of words where numbers are due."""
    fields = line.split(separator)
    numbers = [field for field, dtype in zip(fields, columns.values(), strict=False) if dtype != pl.String]
    if len(fields) == len(columns) and all(re.fullmatch("[A-Za-z_. -]+", field) for field in numbers):
        raise ValueError(
            f"{name}, line 1: a header ({line[:80]!r}), the published file has none. Remove the line, or use the file as published."
        )


def require_short_texts(table: pl.DataFrame, name: str) -> None:
    """ValueError naming the first line with a text that is longer than any real one."""
    for column in table.select(pl.col(pl.String)).columns:
        problem = f"{column} has more than {LONGEST_TEXT:,} bytes, more than any real one"
        require(table[column].str.len_bytes() <= LONGEST_TEXT, table, name, problem)


def decode(raw: RawFiles, name: str, encoding: str) -> str:
    """The text of a whole file. ValueError where its bytes are not in `encoding`, also where they only look as if they were."""
    return b"".join(_utf8_blocks(raw, name, encoding)).decode("utf-8")


def _lines(raw: RawFiles, name: str, encoding: str) -> Iterator[tuple[int, pa.LargeStringArray]]:
    """Blocks of whole lines, each with the number of its first one; the last line may lack its end."""
    number, rest = 1, b""
    for block in _utf8_blocks(raw, name, encoding):
        data = rest + block
        end = data.rfind(b"\n") + 1
        rest = data[end:]
        if len(rest) > LONGEST_LINE:
            line = number + data.count(b"\n")
            raise ValueError(
                f"{name}, line {line}: no end within {LONGEST_LINE:,} bytes; this is not a table of lines."
            )
        if end:
            texts = _split_lines(data[:end])
            yield number, texts
            number += len(texts)
    if rest:
        yield number, _split_lines(rest + b"\n")


def _split_lines(data: bytes) -> pa.LargeStringArray:
    """UTF-8 lines, each ending in a newline, without copying one of them."""
    ends = np.flatnonzero(np.frombuffer(data, dtype=np.uint8) == ord("\n"))
    with_newline = pa.LargeStringArray.from_buffers(
        len(ends), pa.py_buffer(np.r_[0, ends + 1].astype(np.int64)), pa.py_buffer(data)
    )
    return pl.Series(with_newline).str.strip_suffix("\n").to_arrow()


def _utf8_blocks(raw: RawFiles, name: str, encoding: str) -> Iterator[bytes]:
    """The file in blocks of UTF-8. ValueError naming the first line with a byte that is not in `encoding`."""
    decoder = codecs.getincrementaldecoder("utf-8-sig" if encoding == "utf-8" else encoding)()
    as_utf8, first_foreign, line, empty = codecs.getincrementaldecoder("utf-8")(), None, 1, True
    for block in raw.blocks(name):
        if empty and encoding != "utf-8" and block.startswith(codecs.BOM_UTF8):
            raise ValueError(_is_utf8(name, 1, encoding))
        empty = False
        if (null := block.find(b"\0")) >= 0:
            null_line = line + block.count(b"\n", 0, null)
            raise ValueError(f"{name}, line {null_line}: a NUL byte, expected text. Use the file as published.")
        if not block.isascii() and first_foreign is None:
            first_foreign = line + next(i for i, text in enumerate(block.split(b"\n")) if not text.isascii())
        as_utf8 = _still_valid(as_utf8, block)
        yield _decoded(decoder, block, name, line, encoding).encode()
        line += block.count(b"\n")
    if empty:
        raise ValueError(f"{name} is empty.")
    yield _decoded(decoder, b"", name, line, encoding, final=True).encode()
    if encoding != "utf-8" and first_foreign is not None and _still_valid(as_utf8, b"", final=True):
        # Every byte string is valid ISO-8859-1; multi-byte characters that are all valid UTF-8 are no accident.
        raise ValueError(_is_utf8(name, first_foreign, encoding))


def _is_utf8(name: str, line: int, encoding: str) -> str:
    published = {"latin-1": "ISO-8859-1"}.get(encoding, encoding)
    return (
        f"{name}, line {line}: the file is UTF-8, expected {published} as published. Use the official file, or convert it, without "
        f"a byte order mark: iconv -f UTF-8 -t {published}."
    )


def _still_valid(decoder: codecs.IncrementalDecoder | None, block: bytes, final: bool = False):
    try:
        if decoder is not None:
            decoder.decode(block, final)
    except UnicodeDecodeError:
        return None
    return decoder


def _decoded(decoder, block: bytes, name: str, line: int, encoding: str, final: bool = False) -> str:
    try:
        return decoder.decode(block, final)
    except UnicodeDecodeError as error:
        line += error.object[: error.start].count(b"\n")
        raise ValueError(
            f"{name}, line {line}: byte {error.object[error.start]:#04x} is not {encoding}. Use the file as published."
        ) from error


def _typed(lines: pl.DataFrame, name: str, separator: str, columns: dict[str, Any]) -> pl.DataFrame:
    _require_field_count(lines, name, separator, list(columns))
    if pl.String in columns.values():  # a number with a CR in it is none
        lone = lines["text"].str.contains("\r", literal=True)
        require(~lone, lines, name, "a CR without LF, expected lines that end with LF or CRLF. Got: {text!r}")
    fields = lines.select(
        "line",
        pl.col("text").str.split_exact(separator, len(columns) - 1).struct.rename_fields(list(columns)).alias("fields"),
    ).unnest("fields")
    require_short_texts(fields, name)
    return fields.with_columns(cast(fields, name, column, dtype) for column, dtype in columns.items())


def _require_field_count(lines: pl.DataFrame, name: str, separator: str, columns: list[str]) -> None:
    found = lines["text"].str.count_matches(separator, literal=True) + 1
    wrong = (found != len(columns)).arg_true()
    if len(wrong):
        row = wrong[0]
        remedy = " Remove the empty line." if lines["text"][row].strip() == "" else ""
        raise ValueError(
            f"{name}, line {lines['line'][row]}: {found[row]} fields, expected {len(columns)} ({', '.join(columns)}) "
            f"separated by {separator!r}. Got: {lines['text'][row][:80]!r}.{remedy}"
        )


def cast(fields: pl.DataFrame, name: str, column: str, dtype: type[pl.DataType]) -> pl.Series:
    """A column of text as `dtype`; ValueError naming the line of the first value that is no plain decimal number."""
    if dtype == pl.String:
        return fields[column]
    text = fields[column]
    typed = text.cast(dtype, strict=False)
    lax = text.str.starts_with("+") if dtype.is_integer() else ~text.str.contains(PLAIN)
    wrong = (typed.is_null() | lax).arg_true()
    if len(wrong):
        row = wrong[0]
        raise ValueError(
            f"{name}, line {fields['line'][row]}: {column} is {_short(text[row])!r}, expected a number ({dtype})."
        )
    return typed


def require(ok: pl.Series, table: pl.DataFrame, name: str, problem: str) -> None:
    """ValueError naming the first line of `table` for which `ok` is false; {column} in `problem` is filled from it."""
    wrong = (~ok).arg_true()
    if len(wrong):
        row = {column: _short(value) for column, value in table.row(wrong[0], named=True).items()}
        raise ValueError(f"{name}, line {row['line']}: {problem.format(**row)} ({len(wrong)} such lines in all).")


def _short(value: object) -> object:
    return value[:80] if isinstance(value, str) else value


def require_distinct_pairs(table: pl.DataFrame, first: str, second: str, name: str, problem: str) -> None:
    """ValueError naming the first line whose two Int32 ids stood together on an earlier line: quick where there is none."""
    pairs = np.sort((table[first].to_numpy().astype(np.int64) << 32) | table[second].to_numpy().astype(np.uint32))
    if (pairs[1:] == pairs[:-1]).any():
        require(table.select(pl.struct(first, second).is_first_distinct()).to_series(), table, name, problem)
