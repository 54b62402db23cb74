"""Read a delimited text file into typed columns, whole tables at a time, naming file and line of whatever is wrong."""

from __future__ import annotations

import polars as pl

from dataset_builders.raw.archive import RawFiles


def decode(raw: RawFiles, name: str, encoding: str) -> str:
    """The text of a file. ValueError where its bytes are not in `encoding`, also where they only look as if they were."""
    data = raw.read(name)
    if not data:
        raise ValueError(f"{name} is empty.")
    if encoding == "latin-1" and not data.isascii() and _is_utf8(data):
        # Every byte string is valid ISO-8859-1; multi-byte characters that are all valid UTF-8 are no accident.
        line = next(i for i, text in enumerate(data.split(b"\n"), 1) if not text.isascii())
        raise ValueError(
            f"{name}, line {line}: the file is UTF-8, expected ISO-8859-1 as published. Use the official file, or convert it: "
            f"iconv -f UTF-8 -t ISO-8859-1."
        )
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise ValueError(
            f"{name}, line {line}: byte {data[error.start]:#04x} is not {encoding}. Use the file as published."
        ) from error


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def read_delimited(
    raw: RawFiles, name: str, separator: str, columns: dict[str, pl.DataType], encoding: str
) -> pl.DataFrame:
    """A table with the given columns and a column `line` (from 1).

    ValueError with file and line where a line has another number of fields or a field is not of its type.
    """
    lines = pl.DataFrame({"text": decode(raw, name, encoding).split("\n")}).with_row_index("line", offset=1)
    lines = lines.with_columns(pl.col("text").str.strip_suffix("\r"))
    if lines["text"][-1] == "":
        lines = lines[:-1]
    _require_field_count(lines, name, separator, list(columns))
    fields = lines.select(
        "line",
        pl.col("text").str.split_exact(separator, len(columns) - 1).struct.rename_fields(list(columns)).alias("fields"),
    ).unnest("fields")
    for column, dtype in columns.items():
        fields = fields.with_columns(_cast(fields, name, column, dtype))
    return fields


def _require_field_count(lines: pl.DataFrame, name: str, separator: str, columns: list[str]) -> None:
    found = lines["text"].str.count_matches(separator, literal=True) + 1
    wrong = (found != len(columns)).arg_true()
    if len(wrong):
        row = wrong[0]
        raise ValueError(
            f"{name}, line {row + 1}: {found[row]} fields, expected {len(columns)} ({', '.join(columns)}) "
            f"separated by {separator!r}. Got: {lines['text'][row][:80]!r}. {len(wrong)} such lines in all."
        )


def _cast(fields: pl.DataFrame, name: str, column: str, dtype: pl.DataType) -> pl.Series:
    if dtype == pl.String:
        return fields[column]
    cast = fields[column].cast(dtype, strict=False)
    wrong = cast.is_null().arg_true()
    if len(wrong):
        row = wrong[0]
        raise ValueError(
            f"{name}, line {fields['line'][row]}: {column} is {fields[column][row]!r}, expected a number ({dtype})."
        )
    return cast


def require(ok: pl.Series, table: pl.DataFrame, name: str, problem: str) -> None:
    """ValueError naming the first line of `table` for which `ok` is false; {column} in `problem` is filled from it."""
    wrong = (~ok).arg_true()
    if len(wrong):
        row = table.row(wrong[0], named=True)
        raise ValueError(f"{name}, line {row['line']}: {problem.format(**row)} ({len(wrong)} such lines in all).")
