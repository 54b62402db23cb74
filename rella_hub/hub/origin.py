"""What a base model was converted from: the record that training/convert_base.py leaves in its folder."""

from __future__ import annotations

from pathlib import Path

from rella_hub.tables.checked import LINE, optional, read_json, require

RECORD = "origin.json"  # in the folder that is written: what the weights were converted from
ORIGIN_KINDS = {"name": LINE, "format": LINE, "revision": optional(LINE), "dtype": LINE}


def origin_of(folder: Path) -> dict | None:
    """What a base model's folder was converted from; None where it was not."""
    path = folder / RECORD
    return require(read_json(path), ORIGIN_KINDS, str(path)) if path.is_file() else None
