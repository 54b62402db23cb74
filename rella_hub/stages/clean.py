"""What the commands made, removed again: by what files and records say, and nothing that they do not speak of."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from rella_hub.files import ownership
from rella_hub.files.places import real
from rella_hub.files.replace import clear_abandoned
from rella_hub.files.writer import is_abandoned, is_held
from rella_hub.tables import store


def clean(folder: Path) -> list[Path]:
    """Remove from `folder` what is ours and was not changed, and folders that are empty then; what is left. ValueError while a
    command writes there, before anything is removed."""
    place = real(folder)
    for path in place.rglob("*.lock"):
        if is_held(path):
            raise ValueError(
                f"{path.parent} is being written by another command ({path.name}). Wait until it has ended."
            )
    for path in place.rglob(".*.tmp"):
        clear_abandoned(path.with_name(path.name[1:].rsplit(".", 2)[0]))
    for at, _, _ in os.walk(place, topdown=False):
        _clean_one(Path(at))
    return sorted(path for path in place.rglob("*") if path.is_symlink() or not path.is_dir())


def _clean_one(folder: Path) -> None:
    with suppress(ValueError):  # a record that is none of ours
        ownership.remove_all(folder)
    for path in folder.glob("*.parquet"):
        if store.says_what_it_is(path):
            path.unlink()
    for path in folder.glob(".*.lock"):
        if is_abandoned(path):
            path.unlink()
    if not folder.is_symlink():
        with suppress(OSError):  # something else is in it
            folder.rmdir()
