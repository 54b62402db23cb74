r"""Read a table of quoted fields that pandas has read and written again, and undo what that did to it.

This is how the BookCrossing dump stands on Kaggle today: commas, UTF-8, quotes only where they are needed. pandas knew nothing of the
dump's escapes (``\"``), so of a field that holds a quote the first one was taken for the end of the field and is gone, and the one
that ends the field is a part of it: ``"A \"B\" C"`` became ``A \B\" C"``. Where the field ends in a quote, it swallowed the next
one, and the record's other fields stand a column too far left: ``"A\"";"B"`` became ``A\";B"``. Both can be told and undone. It
read windows-1252 as ISO-8859-1, whole numbers as 18.0 where some are missing, and a NULL is an empty field.
"""

from __future__ import annotations

import re

import polars as pl

from rella_hub.corpora.raw.archive import RawFiles
from rella_hub.corpora.raw.comma import read_comma_separated
from rella_hub.corpora.raw.quoted import ESCAPED, UNDEFINED

SWALLOWED = re.compile(r'([^"]*\\");(.*)"', re.DOTALL)  # two fields in one
LOST_QUOTE = r'(?s)^([^\\"]*\\)(.*)"$'
WHOLE = r"^[0-9]+(?:\.0)?$"
AS_LATIN_1 = [chr(code) for code in range(0x80, 0xA0) if chr(code) not in UNDEFINED]
AS_WINDOWS_1252 = [character.encode("latin-1").decode("cp1252") for character in AS_LATIN_1]


def read_reexported(raw: RawFiles, name: str, columns: dict[str, str | None]) -> pl.DataFrame:
    """What `read_quoted` gives of the file that this one was made from, but for records that are not in it.

    ValueError with file and line where it is not comma-separated, or has other columns.
    """
    table = read_comma_separated(raw, name, dict.fromkeys(columns, pl.String), list(columns))
    table = _put_right(table, list(columns))
    kept = {theirs: ours for theirs, ours in columns.items() if ours is not None}
    table = table.select("line", *kept).rename(kept)
    return table.with_columns(_restored(table[column]) for column in kept.values())


def _put_right(table: pl.DataFrame, columns: list[str]) -> pl.DataFrame:
    """The records in which one field has swallowed the next, so that the last column is empty, with each in its own column."""
    candidates = table.with_row_index("row").filter(
        pl.col(columns[-1]) == "", pl.any_horizontal(pl.col(columns).str.contains('\\";', literal=True))
    )
    if candidates.is_empty():
        return table
    rows = {row["row"]: [row[column] for column in columns] for row in candidates.iter_rows(named=True)}
    for fields in rows.values():
        for at, text in enumerate(fields):
            if two := SWALLOWED.fullmatch(text):
                fields[at:] = [two[1], two[2], *fields[at + 1 : -1]]
                break
    return table.with_columns(
        table[column].scatter(list(rows), [fields[at] for fields in rows.values()]) for at, column in enumerate(columns)
    )


def _restored(column: pl.Series) -> pl.Series:
    """The texts as they stand between the quotes of the dump, their escapes undone; null where there is none."""
    if column.str.contains("[\x80-\x9f]").any():
        column = column.str.replace_many(AS_LATIN_1, AS_WINDOWS_1252)
    if (column.str.contains(WHOLE) | (column == "")).all():
        column = column.str.strip_suffix(".0")
    column = column.str.replace(LOST_QUOTE, '${1}"${2}').str.replace_all(ESCAPED, "${1}")
    return column.set(column == "", None)
