"""The run folder: what every training leaves, whatever was trained.

    <run>/recipe.yaml     the options that pin the result
    <run>/training.json   what it was made from, how it went, and the hashes of what was trained
    <run>/training.png    its curve
    <run>/<result>/       what was trained; a family of systems says what it is called (adapter/, model/)
    <run>/.rella.json     which files this project wrote, and which kind of run it is (rella_hub/files/ownership.py)
"""

from __future__ import annotations

from pathlib import Path

from rella_hub.files import ownership

RECIPE, RECORD, CURVE = "recipe.yaml", "training.json", "training.png"


def is_of(folder: Path, kind: str, result: str, mark: str) -> bool:
    """Whether `folder` is a run of this kind, its result, or a pulled repository of one. mark: a file that only such results have."""
    marked = any((place / mark).is_file() for place in (folder / result, folder))
    return marked or ownership.read(folder).folder_of == kind
