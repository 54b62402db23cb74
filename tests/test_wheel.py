"""The wheel: one package and nothing beside it, whose commands run where there is no checkout."""

import os
import re
import shutil
import site
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

from rella_hub import commands
from rella_hub.resources import recipe

REPOSITORY = Path(__file__).parents[1]


def rella_hub(*options: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-m", "rella_hub", *options], capture_output=True, text=True, cwd=REPOSITORY, timeout=120
    )


@pytest.fixture(scope="session")
def wheel(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    building = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(building, cwd=REPOSITORY, check=True, capture_output=True, timeout=120)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture
def installed(wheel, tmp_path, monkeypatch) -> Path:
    """An environment with the wheel and the libraries of this one, without the checkout; its `bin` comes first on PATH."""
    venv.create(tmp_path / "environment", with_pip=False)
    (packages,) = (tmp_path / "environment").rglob("site-packages")
    (packages / "libraries.pth").write_text("\n".join(site.getsitepackages()))  # their own .pth files are not read
    binary = tmp_path / "environment" / "bin"
    monkeypatch.delenv("PYTHONPATH", raising=False)
    monkeypatch.setenv("PATH", f"{binary}{os.pathsep}{os.environ['PATH']}")
    installing = [sys.executable, "-m", "pip", "--python", str(binary / "python"), "install", "--quiet", "--no-index"]
    subprocess.run([*installing, "--no-deps", "--ignore-installed", str(wheel)], check=True, timeout=120)
    return binary


def test_the_wheel_holds_one_package_with_every_file_that_people_run_and_edit(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {name.split("/")[0] for name in names if ".dist-info/" not in name} == {"rella_hub"}
    tracked = subprocess.run(["git", "ls-files"], cwd=REPOSITORY, capture_output=True, text=True)
    if tracked.returncode:
        pytest.skip("this is no git checkout, so what belongs into the wheel is not known")
    for name in tracked.stdout.split():
        folder = name.split("/")[0]
        if folder in ("rella_hub", "spaces", *commands.FOLDERS):
            assert (name if folder == "rella_hub" else f"rella_hub/resources/{name}") in names
    assert not [name for name in names if "__pycache__" in name]
    assert "rella_hub/py.typed" in names


def test_every_command_of_the_layout_folders_is_a_sub_command_with_a_name_of_its_own():
    files = [path for folder in commands.FOLDERS for path in (REPOSITORY / folder).glob("*.py")]
    assert sorted(commands.commands().values()) == sorted(files)
    assert {"release", "sft", "ctr-grid", "score", "render", "push-dataset", "push-model"} <= set(commands.commands())


def test_help_names_every_command_with_what_it_does():
    shown = rella_hub("--help")
    assert shown.returncode == 0
    for name in commands.commands():
        assert re.search(rf"^  {name}  +[A-Z]", shown.stdout, re.MULTILINE), name


def test_a_sub_command_is_the_command():
    direct = subprocess.run(
        [sys.executable, "evaluation/report.py", "--help"], capture_output=True, text=True, cwd=REPOSITORY, timeout=120
    )
    shown = rella_hub("report", "--help").stdout
    assert shown.startswith("usage: rella-hub report ")
    assert shown.split("\n\n")[1:] == direct.stdout.split("\n\n")[1:]
    assert rella_hub("ctr_grid", "--help").returncode == 0


@pytest.mark.parametrize(("name", "says"), [("scor", "Did you mean score?"), ("xyz", "There are: ")])
def test_an_unknown_command_is_one_line(name, says):
    ended = rella_hub(name)
    assert ended.returncode == 2
    assert ended.stderr.count("\n") == 1
    assert says in ended.stderr


def test_a_recipe_is_found_by_its_path_in_the_checkout_from_anywhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    name = Path("training/recipes/demo/rella.yaml")
    assert recipe(name).is_file()
    name.parent.mkdir(parents=True)
    name.write_text("here: comes first\n")
    assert recipe(name) == name
    assert recipe(Path("nowhere.yaml")) == Path("nowhere.yaml")


def test_where_there_is_no_checkout_commands_are_named_as_they_are_typed(monkeypatch):
    text = (
        "Run python training/sft.py again, or:\n  accelerate launch --num_processes 4 training/sft.py\n"
        "  /a/training/sft.py model_cards/push.py training/x.py"
    )
    assert commands.as_typed_here(text) == text
    monkeypatch.setattr(commands, "INSTALLED", True)
    assert commands.as_typed_here(text) == (
        "Run rella-hub sft again, or:\n  accelerate launch --num_processes 4 -m rella_hub sft\n"
        "  /a/training/sft.py rella-hub push-model training/x.py"
    )


@pytest.mark.slow
def test_the_whole_demo_runs_from_the_wheel_in_an_empty_folder(installed, tmp_path, monkeypatch):
    here = tmp_path / "here"
    here.mkdir()
    shown = subprocess.run([installed / "rella-hub", "--help"], capture_output=True, text=True, check=True, cwd=here)
    assert "rella-hub <command>" in shown.stdout
    ended = subprocess.run([installed / "rella-hub", "score", "--help"], capture_output=True, text=True, cwd=here)
    assert "rella-hub score --base" in ended.stdout
    assert "python evaluation" not in ended.stdout
    monkeypatch.setattr(commands, "INSTALLED", True)
    script = (REPOSITORY / "training/recipes/demo/run.sh").read_text().replace('cd "$(dirname "$0")/../../.."\n', "")
    script = commands.as_typed_here(script)
    assert ".py" not in script
    (here / "run.sh").write_text(script)
    subprocess.run([shutil.which("bash"), "run.sh"], cwd=here, check=True, timeout=3600)
    assert (here / "runs/demo/report/report.md").is_file()
    assert (here / "runs/demo/rella/adapter/README.md").is_file()
