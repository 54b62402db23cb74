"""Options of a family as its command reads them: from a recipe, and from values that an experiment gives."""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rella_hub import cli
from rella_hub.cli.options import option, option_names


@dataclass(frozen=True)
class _Family:
    """A recipe may name its family."""

    family: str = option("Family.", "")


def parsed(of_family: type, values: Mapping, recipe_file: Path | None) -> Any:
    """The options of a family as its command reads them."""
    known = option_names(of_family)
    unknown = [key for key in values if key not in known]
    if unknown:
        raise ValueError(f"there is no option {unknown[0]!r}{nearest(unknown[0], known)}")
    arguments = [word for key, value in values.items() if value is not None for word in _words(key, value)]
    ignored = _Family if recipe_file is not None and "family" in cli.read_yaml(recipe_file) else None
    config = ["--config", str(recipe_file)] if recipe_file else []
    types = (of_family, ignored) if ignored else (of_family,)
    return cli.parse(*types, description="An experiment.", arguments=[*config, *arguments])[0]


def _words(key: str, value: Any) -> list[str]:
    """An option on a command line."""
    if isinstance(value, list):
        return [f"--{key}", *map(str, value)]
    text = json.dumps(value) if isinstance(value, Mapping | bool) else str(value)
    return [f"--{key}={text}"]


def nearest(name: str, known: set[str]) -> str:
    """The end of a message about a name that is not known."""
    near = difflib.get_close_matches(str(name), sorted(known), n=1)
    return f"; did you mean {near[0]!r}?" if near else "."
