"""The run folder: what every training leaves, whatever was trained.

<run>/recipe.yaml     the options that pin the result
<run>/training.json   what it was made from, how it went, and the hashes of what was trained
<run>/training.png    its curve
<run>/<result>/       what was trained; a family of systems says what it is called (adapter/, model/)
<run>/.rella.json     which files this project wrote, and which kind of run it is (rella_hub/files/ownership.py)
"""

from __future__ import annotations

import re
from pathlib import Path

from rella_hub.files import ownership

RECIPE, RECORD, CURVE = "recipe.yaml", "training.json", "training.png"
HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")


def public_name(name: str) -> str:
    """What a record calls a model or data set: a Hub id as it is, a folder by its own name, the result in a run folder by the run's.

    A folder that is called like a data set of this project, such as rella/ml1m, keeps that name.
    """
    path = Path(name)
    if HUB_ID.fullmatch(name) and (not path.is_dir() or path.parts[0] == "rella"):
        return name
    path = path.resolve() if path.name in ("", "..") else path
    return path.parent.name if (path.parent / RECORD).is_file() else path.name


def is_of(folder: Path, kind: str, result: str, mark: str) -> bool:
    """Whether `folder` is a run of this kind, its result, or a pulled repository of one. mark: a file that only such results have."""
    marked = any((place / mark).is_file() for place in (folder / result, folder))
    return marked or ownership.read(folder).folder_of == kind
