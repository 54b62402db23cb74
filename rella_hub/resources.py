"""Where the files lie that people read and edit: recipes, paper tables, templates of cards.

In a checkout they are in the layout folders beside this package; a wheel carries them inside it.
"""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).parent


def resources(folder: str) -> Path:
    """The folder of that name in the checkout (`training/recipes`), or its copy in the installed package."""
    carried = _PACKAGE / "resources" / folder
    return carried if carried.is_dir() else _PACKAGE.parent / folder
