"""The JSON files beside a model's weights, read without trusting them: others wrote them, and a download may have cut them off."""

from __future__ import annotations

import json
from pathlib import Path

LARGEST = 64 * 2**20  # bytes; the index of the largest model has a few
DEEPEST = 40  # objects and lists inside each other


def read_json(path: Path) -> object:
    """What the file holds. ValueError, which names the file, when it is no JSON, too large, or nested too deeply."""
    if path.stat().st_size > LARGEST:
        raise ValueError(
            f"{path} has {path.stat().st_size:,} bytes; a JSON file beside a model has at most {LARGEST:,}."
        )
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        shallow = _depth_is_at_most(values, DEEPEST)
    except RecursionError:
        shallow = False
    except ValueError as error:  # no UTF-8, no JSON, or a number of thousands of digits
        raise ValueError(f"{path} is not a whole JSON file ({first_line(error)}). Get it again.") from error
    if not shallow:
        raise ValueError(
            f"{path} nests more than {DEEPEST} lists and objects. It is damaged, or not a file of a model."
        )
    return values


def read_object(path: Path) -> dict:
    """As `read_json`, of a file that must hold an object."""
    values = read_json(path)
    if not isinstance(values, dict):
        raise ValueError(f"{path} holds {shown(values)}; expected an object, {{...}}. Get it again.")
    return values


def shown(value: object) -> str:
    """A value out of a foreign file, short and on one line, for an error message."""
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


def first_line(error: Exception) -> str:
    """What a library said of a foreign file, on one line, with the kind of error where the text alone says little."""
    lines = str(error).strip().splitlines() or [""]
    said = "".join(c if c.isprintable() else "?" for c in lines[0].strip()[:300])
    return said if isinstance(error, (ValueError, OSError)) and said else f"{type(error).__name__}: {said}".rstrip(": ")


def _depth_is_at_most(value: object, depth: int) -> bool:
    if not isinstance(value, (dict, list)):
        return True
    inside = value.values() if isinstance(value, dict) else value
    return depth > 0 and all(_depth_is_at_most(item, depth - 1) for item in inside)
