"""Where the files lie that people read, run and edit: commands, recipes, paper tables, templates of cards.

In a checkout they are in the layout folders beside this package; a wheel carries them inside it.
"""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).parent
_CARRIED = _PACKAGE / "resources"
INSTALLED = _CARRIED.is_dir()  # from a wheel, so that there is no checkout around


def resources(folder: str) -> Path:
    """The folder of that name in the checkout (`training/recipes`), or its copy in the installed package."""
    return (_CARRIED if INSTALLED else _PACKAGE.parent) / folder


def recipe(path: Path) -> Path:
    """`path`; where there is no such file here, that of a layout folder: `training/recipes/demo/rella.yaml` is found from anywhere."""
    carried = resources(".") / path
    return path if path.exists() or path.is_absolute() or not carried.is_file() else carried
