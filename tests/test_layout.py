"""The layout: commands are files, libraries are folders, no name hides a library, and imports point one way."""

import ast
import importlib.metadata
import importlib.util
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[1]
FOLDERS = ("dataset_builders", "training", "evaluation", "model_cards")
MODULES = sorted(path for folder in FOLDERS for path in (REPOSITORY / folder).rglob("*.py"))
LIBRARIES = set(sys.stdlib_module_names) | set(importlib.metadata.packages_distributions())


def module_name(path: Path) -> str:
    parts = path.relative_to(REPOSITORY).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def is_command(name: str) -> bool:
    """A .py file directly inside a layout folder."""
    folder, _, stem = name.partition(".")
    return folder in FOLDERS and bool(stem) and (REPOSITORY / folder / f"{stem}.py").is_file()


def level(name: str) -> int:
    """Who may import whom: a module imports modules of a lower level, or of its own package."""
    if is_command(name):
        return 4
    if name.startswith("model_cards"):
        return 3
    if name.startswith("evaluation") and not name.startswith("rella_hub.metrics"):
        return 2
    return 0 if name.startswith("dataset_builders") else 1


def package(name: str) -> str:
    return ".".join(name.split(".")[: 2 if name.startswith("rella_hub.metrics") else 1])


def imports_of(path: Path) -> set[str]:
    """The modules of this project that a file imports, inside functions too."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}: imports are absolute"
            found.add(node.module)
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return {name for name in found if name.split(".")[0] in FOLDERS and _is_module(name)}


def _is_module(name: str) -> bool:
    path = REPOSITORY.joinpath(*name.split("."))
    return path.is_dir() or path.with_suffix(".py").is_file()


def test_the_layout_folders_are_there():
    assert len(MODULES) > 20
    assert all((REPOSITORY / folder / "__init__.py").is_file() for folder in FOLDERS)


@pytest.mark.parametrize("folder", FOLDERS)
def test_no_name_hides_a_library(folder):
    """The folder of a script comes first on sys.path, so what lies in it hides a library of the same name."""
    entries = (REPOSITORY / folder).iterdir()
    names = {path.stem for path in entries if path.suffix == ".py" or (path.is_dir() and path.name != "__pycache__")}
    for name in names - {"__init__"}:
        assert name not in LIBRARIES, f"{folder}/{name} hides the library {name}"
        found = importlib.util.find_spec(name)
        # A spec without an origin is a plain folder of the working directory, such as `raw/` after `make demo`.
        assert found is None or found.origin is None, f"{folder}/{name} hides the importable {name}"


@pytest.mark.parametrize("path", MODULES, ids=module_name)
def test_imports_point_one_way(path):
    importer = module_name(path)
    for name in imports_of(path):
        assert not is_command(name), f"{importer} imports the command {name}"
        allowed = level(name) < level(importer) or (
            package(name) == package(importer) and level(name) == level(importer)
        )
        assert allowed, (
            f"{importer} imports {name}: dataset_builders <- training, evaluation <- model_cards <- commands"
        )


@pytest.mark.parametrize("path", MODULES, ids=module_name)
def test_every_module_says_what_it_is_for(path):
    assert ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))), f"{path} has no docstring"


@pytest.mark.parametrize("path", [p for p in MODULES if is_command(module_name(p))], ids=module_name)
def test_every_command_shows_how_it_is_used(path):
    docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
    assert f"python {path.relative_to(REPOSITORY)}" in docstring


def test_tests_and_homes_of_concepts():
    for name in ("utils", "common", "helpers", "base"):
        assert not [path for path in MODULES if path.stem == name], f"{name}.py is a home without a concept"
    assert not [path for path in (REPOSITORY / "tests").rglob("*.py") if path.parent != REPOSITORY / "tests"]
