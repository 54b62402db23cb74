"""A record may have been written by anybody: it is read as data, within bounds, and its names are checked before they name anything here.

A record travels in the metadata of a Parquet file, or is a JSON or YAML file beside a model. `parse_json` and `parse_yaml` bound how large
and how deep it is, and `require` holds the values that this project reads against what they may be. So none of them can climb out of a
folder when it becomes part of a path, break a line of a report, or be of a type that nobody expects.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from rella_hub.texts import structured

LARGEST = 16 * 1024**2  # bytes; the largest real one, the log of a long training, has 1 MB
DEEPEST = 32
LONGEST_TEXT = 1_000_000  # characters of one value; the longest real ones are texts of a few hundred
LONGEST_LINE = 4_000
LARGEST_NUMBER = 2**63
PLAIN_NAME = re.compile(r"(?!\.)[\w.+-]{1,200}")


@dataclass(frozen=True)
class Kind:
    """What a value of a record may be."""

    words: str
    holds: Callable[[object], bool]


def _is_line(value: object) -> bool:
    return isinstance(value, str) and 0 < len(value) <= LONGEST_LINE and value.isprintable()


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < LARGEST_NUMBER


NAME = Kind(
    "a plain name of letters, digits, dots, dashes and underscores",
    lambda value: isinstance(value, str) and bool(PLAIN_NAME.fullmatch(value)),
)
LINE = Kind(f"one line of text, of up to {LONGEST_LINE:,} characters", _is_line)
COUNT = Kind("a whole number from 0", _is_count)
NUMBER = Kind("a number", lambda value: isinstance(value, (int, float)) and not isinstance(value, bool))
RECORD = Kind("a group of values", lambda value: isinstance(value, dict))
COUNTS = Kind(
    "a whole number for each plain name",
    lambda value: isinstance(value, dict) and all(NAME.holds(k) and COUNT.holds(v) for k, v in value.items()),
)
COUNTED_LINES = Kind(
    "a whole number for each line of text",
    lambda value: isinstance(value, dict) and all(LINE.holds(k) and COUNT.holds(v) for k, v in value.items()),
)
LINES = Kind(
    "one line of text for each plain name",
    lambda value: isinstance(value, dict) and all(NAME.holds(k) and LINE.holds(v) for k, v in value.items()),
)


def group(kinds: Mapping[str, Kind]) -> Kind:
    """A group of values, each of its kind where it is there."""
    words = ", ".join(f"{key}: {kind.words}" for key, kind in kinds.items())
    return Kind(
        f"a group of values ({words})",
        lambda value: (
            isinstance(value, dict) and all(kinds[key].holds(value[key]) for key in kinds.keys() & value.keys())
        ),
    )


class Record(dict):
    """A checked record: what it lacks is an error of the file that it came from, not of this program."""

    def __init__(self, values: Mapping, where: str):
        super().__init__(
            {key: Record(value, where) if isinstance(value, dict) else value for key, value in values.items()}
        )
        self.where = where

    def __missing__(self, key: str):
        raise ValueError(f"{self.where} does not say its {key}. It has: {', '.join(self) or 'nothing'}. Make it again.")

    def __reduce__(self):
        return Record, (dict(self), self.where)


def optional(kind: Kind) -> Kind:
    return Kind(f"{kind.words}, or null", lambda value: value is None or kind.holds(value))


def require(record: object, kinds: Mapping[str, Kind], where: str) -> Record:
    """`record`, each of whose values is of its kind where it is there. ValueError naming the first that is not."""
    if not isinstance(record, dict):
        raise ValueError(f"{where}: it holds {shown(record)}, expected a group of values. Make it again.")
    for key, kind in kinds.items():
        if key in record and not kind.holds(record[key]):
            raise ValueError(f"{where}: its {key} is {shown(record[key])}, expected {kind.words}. Make it again.")
    return Record(record, where)


def parse_json(text: str | bytes, where: str) -> object:
    """The value of a JSON text. ValueError when it is damaged, or larger or deeper than any record that this project writes."""
    _require_size(text, where)
    try:
        value = json.loads(text)
    except RecursionError:
        raise ValueError(_too_deep(where)) from None
    except ValueError as error:
        raise ValueError(f"{where} is not JSON ({error}). Make it again.") from error
    return _bounded(value, where)


def parse_yaml(text: str, where: str) -> object:
    """The same for YAML, in which no value may stand for another one: a few lines could then be gigabytes."""
    _require_size(text, where)
    value = structured.yaml_value(structured.yaml_node(text, where), where)
    return _bounded(value, where)


def read_json(path: Path) -> object:
    """The value of a JSON file; ValueError when it cannot be read."""
    return parse_json(read_bytes(path), str(path))


def read_object(path: Path) -> Record:
    """The group of values that a JSON file holds; ValueError when it holds anything else."""
    return require(read_json(path), {}, str(path))


def read_bytes(path: Path) -> bytes:
    """The bytes of a small file, and no more of it than a record may have; ValueError when it cannot be read."""
    try:
        with path.open("rb") as stream:
            return stream.read(LARGEST + 1)
    except OSError as error:
        raise ValueError(f"{path} cannot be read ({error.strerror}).") from error


def read_text(path: Path) -> str:
    """The text of a small file; ValueError when it cannot be read, or is no text."""
    try:
        return read_bytes(path).decode("utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is no text in UTF-8 ({error}). Make it again.") from error


def shown(value: object) -> str:
    """A value in an error message: short, and without a character that a terminal would obey."""
    if isinstance(value, (dict, list)):
        return f"a group of {len(value)} values"
    if isinstance(value, int) and abs(value) >= LARGEST_NUMBER:
        return f"a number of {value.bit_length():,} bits"
    text = repr(value[:LONGEST_LINE] if isinstance(value, str) else value)
    text = "".join(letter if letter.isprintable() else "?" for letter in text)
    return text if len(text) <= 80 else f"{text[:60]}..."


def _require_size(text: str | bytes, where: str) -> None:
    if len(text) > LARGEST:
        raise ValueError(
            f"{where} has more than {LARGEST:,} bytes, more than any record of this project has. It is not read."
        )


def _too_deep(where: str) -> str:
    return f"{where} is nested more than {DEEPEST} deep, which no record of this project is. It is not read."


def _bounded(value: object, where: str) -> object:
    """`value`, after a walk through all of it, level by level."""
    level = [value]
    for _ in range(DEEPEST):
        if not level:
            return value
        deeper = []
        for one in level:
            if isinstance(one, dict):
                deeper += [*one.keys(), *one.values()]
            elif isinstance(one, list):
                deeper += one
            elif not _is_plain(one):
                raise ValueError(f"{where} holds {shown(one)}, which no record of this project does. It is not read.")
        level = deeper
    raise ValueError(_too_deep(where))


def _is_plain(value: object) -> bool:
    if isinstance(value, str):
        return len(value) <= LONGEST_TEXT
    if isinstance(value, int):
        return abs(value) < LARGEST_NUMBER
    return value is None or isinstance(value, float)
