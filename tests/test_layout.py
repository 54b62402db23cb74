"""The layout: commands are files of four folders, one package holds everything else, and its rooms import one way."""

import ast
import importlib.metadata
import importlib.util
import re
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[1]
PACKAGE = "rella_hub"
FOLDERS = ("dataset_builders", "training", "evaluation", "model_cards")
# A room imports itself and the rooms before it.
ROOMS = (
    "texts",
    "open_folder",
    "resources",
    "commands",
    "__main__",
    "cli",
    "files",
    "figures",
    "metrics",
    "tables",
    "hub",
    "corpora",
    "tasks",
    "views",
    "prompts",
    "language_models",
    "vectors",
    "stages",
    "pretraining",
    "networks",
    "paper",
    "cards",
    "systems",
    "experiments",
    "reports",
    "demo",
)
MODULES = sorted((REPOSITORY / PACKAGE).rglob("*.py"))
COMMANDS = sorted(path for folder in FOLDERS for path in (REPOSITORY / folder).glob("*.py"))
LIBRARIES = set(sys.stdlib_module_names) | set(importlib.metadata.packages_distributions())


def module_name(path: Path) -> str:
    parts = path.relative_to(REPOSITORY).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def room(module: str) -> str | None:
    """The room of a module of the package; None for the package itself."""
    return module.split(".")[1] if "." in module else None


def imported(source: str) -> set[str]:
    """The modules of this project that a source text imports, inside functions too."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, "imports are absolute"
            found |= {node.module} if node.module != PACKAGE else {f"{PACKAGE}.{alias.name}" for alias in node.names}
    return {name for name in found if name.split(".")[0] in (PACKAGE, *FOLDERS)}


def wrong_way(module: str, source: str) -> list[str]:
    """The imports of a module that do not point up the list of rooms."""
    own = room(module)
    return sorted(
        name
        for name in imported(source)
        if not name.startswith(PACKAGE)
        or (own and room(name) and room(name) != own and ROOMS.index(room(name)) > ROOMS.index(own))
    )


def test_every_room_has_its_place_in_the_order():
    assert sorted({room(module_name(path)) for path in MODULES} - {None}) == sorted(ROOMS)


@pytest.mark.parametrize("path", MODULES, ids=module_name)
def test_imports_point_one_way(path):
    wrong = wrong_way(module_name(path), path.read_text(encoding="utf-8"))
    assert not wrong, f"{module_name(path)} imports {', '.join(wrong)}; a room imports those before it: {ROOMS}"


@pytest.mark.parametrize(
    "planted",
    [
        "from rella_hub.reports.rows import Row",
        "import rella_hub.cards.write",
        "from rella_hub import systems",
        "def late():\n    from rella_hub.stages import prepare",
        "from dataset_builders import release",
    ],
)
def test_an_import_of_a_later_room_is_found(planted):
    assert wrong_way("rella_hub.tables.schema", planted)
    assert not wrong_way("rella_hub.tables.schema", "from rella_hub.files.hashes import hash_file")


@pytest.mark.parametrize("folder", FOLDERS)
def test_no_name_hides_a_library(folder):
    """The folder of a script comes first on sys.path, so what lies in it hides a library of the same name."""
    entries = (REPOSITORY / folder).iterdir()
    names = {path.stem for path in entries if path.suffix == ".py" or (path.is_dir() and path.name != "__pycache__")}
    for name in names:
        assert name not in LIBRARIES, f"{folder}/{name} hides the library {name}"
        found = importlib.util.find_spec(name)
        # A spec without an origin is a plain folder of the working directory, such as `raw/` after `make demo`.
        assert found is None or found.origin is None, f"{folder}/{name} hides the importable {name}"


@pytest.mark.parametrize("path", MODULES + COMMANDS, ids=module_name)
def test_every_module_says_what_it_is_for(path):
    assert ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))), f"{path} has no docstring"


@pytest.mark.parametrize("path", COMMANDS, ids=module_name)
def test_every_command_shows_how_it_is_used(path):
    docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
    assert f"python {path.relative_to(REPOSITORY)}" in docstring


def test_layout_folders_hold_commands_alone():
    for folder in FOLDERS:
        beneath = [path for path in (REPOSITORY / folder).rglob("*.py") if path.parent.name != folder]
        assert not beneath, f"{beneath} belong in {PACKAGE}/"


def test_homes_of_concepts():
    for name in ("utils", "common", "helpers", "base"):
        assert not [path for path in MODULES if path.stem == name], f"{name}.py is a home without a concept"
    assert not [path for path in (REPOSITORY / "tests").rglob("*.py") if path.parent != REPOSITORY / "tests"]


def test_no_test_imports_a_test():
    """What several tests build on stands in a module of its own, such as tests/builders.py."""
    imported = {
        path.name: re.findall(r"^(?:from|import) (test_\w+)", path.read_text(encoding="utf-8"), re.MULTILINE)
        for path in Path(__file__).parent.glob("*.py")
    }
    assert {name: found for name, found in imported.items() if found and set(found) != {Path(name).stem}} == {}


@pytest.mark.parametrize("path", MODULES + COMMANDS, ids=module_name)
def test_no_definition_hides_another(path):
    """Two branches that are merged may each bring a function of the same name, and the later one wins without a word."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for scope in (node for node in ast.walk(tree) if isinstance(node, ast.Module | ast.ClassDef)):
        plain = [
            node.name
            for node in scope.body
            if isinstance(node, ast.FunctionDef | ast.ClassDef) and not getattr(node, "decorator_list", None)
        ]
        assert sorted(set(plain)) == sorted(plain)
