"""Read a table of the paper: `keys` say which row it is, `values` what the paper prints in it, `source` where.

A key is a text, a whole number, or null where the paper does not print it; a value is always a number.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import yaml

from rella_hub.resources import resources

FOLDER = resources("evaluation/paper_tables")
PARTS = ("source", "keys", "values", "rows")
MOST = {"auc": 1.0, "accuracy": 1.0}  # no value is below 0; these have an upper bound too


@dataclass(frozen=True)
class PaperTable:
    name: str
    source: str  # paper and number of the table, to be printed beside any of its values
    keys: tuple[str, ...]
    values: tuple[str, ...]
    rows: tuple[dict, ...]  # every key and every value, in the order of the file

    def where(self, wanted: dict) -> list[dict]:
        """The rows with all of the `wanted` key values, in order; ValueError for a key that the table does not have."""
        for key in wanted:
            if key not in self.keys:
                raise ValueError(f"The table {self.name} has no key {key!r}. Expected one of {', '.join(self.keys)}.")
        return [row for row in self.rows if all(row[key] == value for key, value in wanted.items())]


def table_names() -> list[str]:
    return sorted(path.stem for path in FOLDER.glob("*.yaml"))


def read_table(name: str) -> PaperTable:
    """One table by the stem of its file; ValueError when there is none or it is not built as a table is."""
    path = FOLDER / f"{name}.yaml"
    if name not in table_names():
        raise ValueError(f"There is no table {name!r} of the paper. Expected one of {', '.join(table_names())}.")
    try:
        parts = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is not a YAML file: {error}") from error
    _check_parts(parts, path)
    keys, values = tuple(parts["keys"]), tuple(parts["values"])
    rows = tuple(_row(cells, keys, values, f"{path}, row {number}") for number, cells in enumerate(parts["rows"], 1))
    _refuse_repeated(rows, keys, path)
    return PaperTable(name, parts["source"], keys, values, rows)


def _check_parts(parts: object, path: Path) -> None:
    if not isinstance(parts, dict) or sorted(parts) != sorted(PARTS):
        got = ", ".join(map(str, parts)) if isinstance(parts, dict) else type(parts).__name__
        raise ValueError(f"{path} must have {', '.join(PARTS)} and nothing else. Got: {got or 'nothing'}.")
    if not isinstance(parts["source"], str) or not parts["source"].strip():
        raise ValueError(f"{path}: its source is {parts['source']!r}, expected the paper and its table.")
    for part in PARTS[1:]:
        if not isinstance(parts[part], list) or not parts[part]:
            raise ValueError(f"{path}: its {part} are {parts[part]!r}, expected a list that is not empty.")
    columns = [*parts["keys"], *parts["values"]]
    for column in columns:
        if not isinstance(column, str) or columns.count(column) > 1:
            raise ValueError(f"{path}: the column {column!r} is not a name of its own. Expected distinct texts.")


def _row(cells: object, keys: tuple[str, ...], values: tuple[str, ...], where: str) -> dict:
    columns = (*keys, *values)
    if not isinstance(cells, list) or len(cells) != len(columns):
        got = f"{len(cells)} cells" if isinstance(cells, list) else repr(cells)
        raise ValueError(f"{where} has {got}, expected {len(columns)}: {', '.join(columns)}.")
    row = dict(zip(columns, cells, strict=True))
    for key in keys:
        if row[key] is not None and (not isinstance(row[key], (str, int)) or isinstance(row[key], bool)):
            raise ValueError(f"{where}: {key} is {row[key]!r}, expected a text, a whole number or null.")
    for name in values:
        value, most = row[name], MOST.get(name, math.inf)
        if (
            not isinstance(value, (int, float))
            or isinstance(value, bool)
            or not 0 <= value <= most
            or math.isinf(value)
        ):
            raise ValueError(
                f"{where}: {name} is {value!r}, expected a number from 0"
                + (f" to {most:g}." if most < math.inf else ".")
            )
    return row


def _refuse_repeated(rows: tuple[dict, ...], keys: tuple[str, ...], path: Path) -> None:
    seen = set()
    for row in rows:
        key = tuple(row[name] for name in keys)
        if key in seen:
            raise ValueError(f"{path} has the row {', '.join(map(str, key))} twice.")
        seen.add(key)
