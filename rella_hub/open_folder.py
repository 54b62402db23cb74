"""An open folder: each of its files is one alternative, and adding a file is registering it. A sub-folder is no alternative."""

from __future__ import annotations

import importlib.util
import pkgutil
from pathlib import Path
from types import ModuleType
from typing import Any


def members(package: ModuleType) -> list[str]:
    """The names of the files of an open folder, sorted."""
    return sorted(module.name for module in pkgutil.iter_modules(package.__path__) if not module.ispkg)


def load_member(package: ModuleType, kind: str, name: str) -> ModuleType:
    """The module of one alternative; ValueError that lists the others when there is none of that name."""
    _require(package, kind, name)
    return importlib.import_module(f"{package.__name__}.{name}")


def find(package: ModuleType, kind: str, name: str) -> Path:
    """The file of one alternative, which is not imported; ValueError as above."""
    _require(package, kind, name)
    spec = importlib.util.find_spec(f"{package.__name__}.{name}")
    return Path(str(spec and spec.origin))  # a member has a file


def _require(package: ModuleType, kind: str, name: str) -> None:
    if name not in members(package):
        folder = package.__name__.replace(".", "/")
        raise ValueError(f"There is no {kind} {name!r}. There are: {', '.join(members(package))} ({folder}/).")


def load_class(package: ModuleType, kind: str, name: str) -> type[Any]:
    """The class of an alternative that is called as its file, but for capital letters, and defined there."""
    module = load_member(package, kind, name)
    return next(
        value
        for key, value in vars(module).items()
        if key.lower() == name and isinstance(value, type) and value.__module__ == module.__name__
    )
