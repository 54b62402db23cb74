"""Read a table of a paper: `keys` say which row it is, `values` what the paper prints in it, `source` where.

A key is a text, a whole number, or null where the paper does not print it; a value is always a number. Further parts, which a
table may do without, say how `evaluation/report.py --table <name>` fills it:

    title         its heading; else its name
    shown         the keys that are printed; else all but the corpus
    measured_on   scores (the default), choices or data: what ours is measured on
    ours          for a key, by its value, what must be true of a measurement of ours that belongs in such a row: `fact: value`, with the
                  facts of rella_hub/paper/facts.py. A key that is not among them is a fact itself. A null of the paper fits anything.
    note          what the reader must know
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import yaml

from rella_hub.metrics import choice_metrics, metrics
from rella_hub.resources import resources

FOLDER = resources("evaluation/paper_tables")
PARTS = ("source", "keys", "values", "rows")
FURTHER_PARTS = {"title": str, "shown": list, "measured_on": str, "ours": dict, "note": str}
MEASURED_ON = ("scores", "data", "choices")
FACTS = (  # what may be asked of a measurement of ours
    *("corpus", "base", "model", "tuned", "shots", "trained_on", "view", "history_length", "similarity", "dimension"),
    *("family", "curriculum", "recommender"),
)


@dataclass(frozen=True)
class PaperTable:
    name: str
    source: str  # paper and number of the table, to be printed beside any of its values
    keys: tuple[str, ...]
    values: tuple[str, ...]
    rows: tuple[dict, ...]  # every key and every value, in the order of the file
    title: str
    shown: tuple[str, ...]
    measured_on: str
    ours: dict[str, dict[str, dict]]  # key → its value → fact → what it must be
    note: str | None

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
    _check_filling(parts, path)
    return PaperTable(
        *(name, parts["source"], keys, values, rows),
        title=parts.get("title", name.replace("_", " ")),
        shown=tuple(parts.get("shown", [key for key in keys if key != "corpus"])),
        measured_on=parts.get("measured_on", MEASURED_ON[0]),
        ours=parts.get("ours", {}),
        note=parts.get("note"),
    )


def _check_parts(parts: object, path: Path) -> None:
    if not isinstance(parts, dict) or not set(PARTS) <= set(parts) <= {*PARTS, *FURTHER_PARTS}:
        got = ", ".join(map(str, parts)) if isinstance(parts, dict) else type(parts).__name__
        raise ValueError(
            f"{path} must have {', '.join(PARTS)}, may have {', '.join(FURTHER_PARTS)}, and nothing else. Got: {got or 'nothing'}."
        )
    if not isinstance(parts["source"], str) or not parts["source"].strip():
        raise ValueError(f"{path}: its source is {parts['source']!r}, expected the paper and its table.")
    for part in PARTS[1:]:
        if not isinstance(parts[part], list) or not parts[part]:
            raise ValueError(f"{path}: its {part} are {parts[part]!r}, expected a list that is not empty.")
    columns = [*parts["keys"], *parts["values"]]
    for column in columns:
        if not isinstance(column, str) or columns.count(column) > 1:
            raise ValueError(f"{path}: the column {column!r} is not a name of its own. Expected distinct texts.")


def _check_filling(parts: dict, path: Path) -> None:
    for part, kind in FURTHER_PARTS.items():
        if part in parts and not isinstance(parts[part], kind):
            raise ValueError(f"{path}: its {part} is {parts[part]!r}, expected a {kind.__name__}.")
    unknown = [key for key in (*parts.get("shown", ()), *parts.get("ours", ())) if key not in parts["keys"]]
    if unknown:
        raise ValueError(f"{path}: {unknown[0]!r} is none of its keys. Expected one of {', '.join(parts['keys'])}.")
    if parts.get("measured_on", MEASURED_ON[0]) not in MEASURED_ON:
        raise ValueError(
            f"{path}: it is measured on {parts['measured_on']!r}, expected one of {', '.join(MEASURED_ON)}."
        )
    for key, by_value in parts.get("ours", {}).items():
        if not isinstance(by_value, dict) or not all(isinstance(wanted, dict) for wanted in by_value.values()):
            raise ValueError(f"{path}: ours has {by_value!r} for {key}, expected facts for each of its values.")
        facts = {fact for wanted in by_value.values() for fact in wanted} - set(FACTS)
        if facts:
            raise ValueError(f"{path}: ours has the fact {min(facts)!r}. Expected one of {', '.join(FACTS)}.")


def _row(cells: object, keys: tuple[str, ...], values: tuple[str, ...], where: str) -> dict:
    columns = (*keys, *values)
    most_of = {metric.name: metric.bounds[1] for metric in [*metrics(), *choice_metrics()]}
    if not isinstance(cells, list) or len(cells) != len(columns):
        got = f"{len(cells)} cells" if isinstance(cells, list) else repr(cells)
        raise ValueError(f"{where} has {got}, expected {len(columns)}: {', '.join(columns)}.")
    row = dict(zip(columns, cells, strict=True))
    for key in keys:
        if row[key] is not None and (not isinstance(row[key], (str, int)) or isinstance(row[key], bool)):
            raise ValueError(f"{where}: {key} is {row[key]!r}, expected a text, a whole number or null.")
    for name in values:
        value, most = row[name], most_of.get(name, math.inf)
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
