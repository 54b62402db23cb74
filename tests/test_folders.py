"""Every command that writes: what it did not make is unchanged afterwards, byte for byte, however the command ends."""

import contextlib
import errno
import json
import os
import shutil
from pathlib import Path

import pytest
from ctr_release import DATA, OPTIONS, RESULTS, RUN, SCORES

from rella_hub.files import ownership
from rella_hub.stages.clean import clean
from rella_hub.tables import store

CANARIES = {"notes.txt": b"mine", "photos/cat.jpg": b"\xff\xd8 a cat", ".hidden": b"also mine"}
GRID = ("--grid", '{"dropout": [0.0]}', "--seeds", 1)
FAILURES = {"ctrl-c": KeyboardInterrupt(), "error": RuntimeError("broken"), "full": OSError(errno.ENOSPC, "no space")}


def prepare(output: str, *more) -> tuple:
    return ("dataset_builders/prepare.py", "--corpus", "ml1m", "--raw", "raw", "--output", output, *more)


def train(output: str, *more) -> tuple:
    return ("training/ctr.py", "--model", "din", "--dataset", DATA, "--output_dir", output, *OPTIONS, *more)


def grid(output: str, *more) -> tuple:
    return ("training/ctr_grid.py", *train(output)[1:], *GRID, *more)


def report(output: str, *more) -> tuple:
    return ("evaluation/report.py", "--scores", SCORES, "--output", output, "--resamples", 50, *more)


def statistics(output: str, *more) -> tuple:
    return ("evaluation/report.py", "--table", "data_statistics", "--dataset", DATA, "--output", output, *more)


def card(output: str, *more) -> tuple:
    return ("model_cards/render.py", "--run", RUN, "--results", RESULTS, "--output", f"{output}/README.md", *more)


def score(output: str, *more) -> tuple:
    places = ("--dataset", DATA, "--config_name", "subr_k3", "--output", f"{output}/din.parquet")
    return ("evaluation/score.py", "--model", RUN, *places, *more)


def pretrain(output: str, *more) -> tuple:
    small = ("--diaries", 4, "--item_rounds", 1, "--hidden_size", 32, "--layers", 1, "--heads", 1, "--vocabulary", 300)
    return (
        "training/pretrain.py",
        *("--dataset", DATA, "--history_length", 3, "--output", output, "--context", 4096, *small, *more),
    )


# command, a name that it writes, and an option that makes the output another one
WRITERS = {
    "prepare": (prepare, "samples", ("--seed", 1)),
    "train": (train, "training.json", ("--seed", 1)),
    "grid": (grid, "grid.json", ("--seed", 1)),
    "report": (report, "results.json", ("--seed", 1)),
    "statistics": (statistics, "data_statistics.md", ()),
    "card": (card, "README.md", ("--hub_model_id", "me/another")),
    "score": (score, "din.parquet", ("--limit", 20)),
    "pretrain": (pretrain, "pretraining.json", ("--seed", 1)),
}
OF_A_FOLDER = ("train", "grid", "pretrain")  # their output is a folder of their own
LOCKED = ("prepare", "train", "grid", "report", "statistics", "pretrain")


@pytest.fixture(scope="module")
def made(ctr_release, raw_ml1m, command, tmp_path_factory) -> Path:
    """A folder with the data set, a run and scores, and in out/<writer> what each command writes."""
    folder = tmp_path_factory.mktemp("made")
    shutil.copytree(ctr_release.folder, folder, dirs_exist_ok=True)
    shutil.copytree(raw_ml1m, folder / "raw")
    with contextlib.chdir(folder):
        for name, (writer, _, _) in WRITERS.items():
            assert command(*writer(f"out/{name}")) == 0
    return folder


@pytest.fixture
def here(made, tmp_path, monkeypatch) -> Path:
    folder = tmp_path / "here"
    shutil.copytree(made, folder, symlinks=True)
    monkeypatch.chdir(folder)
    return folder


def bytes_of(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def put_canaries(*folders: str) -> dict[Path, bytes]:
    found = {Path(folder) / name: content for folder in folders for name, content in CANARIES.items()}
    for path, content in found.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return found


def assert_unchanged(canaries: dict[Path, bytes]) -> None:
    assert {path: path.read_bytes() for path in canaries} == canaries


def one_line(error: str) -> str:
    lines = [line for line in error.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1, error
    assert "Traceback" not in error
    return lines[0]


@pytest.mark.parametrize("overwrite", ["false", "true"])
@pytest.mark.parametrize("name", WRITERS)
def test_what_is_not_ours_stays_beside_and_inside(command, here, name, overwrite):
    writer, _, other = WRITERS[name]
    output = f"out/{name}"
    canaries = put_canaries("out", output, *(str(path) for path in Path(output).glob("*/") if path.name != "search"))
    before = bytes_of(Path(output))
    code = command(*writer(output, *other, "--overwrite", overwrite))
    assert_unchanged(canaries)
    assert code == (0 if overwrite == "true" or name in ("report", "statistics", "card") else 2)
    if code:
        assert bytes_of(Path(output)) == before
    assert not [path for path in here.rglob("*") if path.name.endswith((".tmp", ".lock"))]


@pytest.mark.parametrize("overwrite", ["false", "true"])
@pytest.mark.parametrize("name", WRITERS)
def test_a_name_that_somebody_else_took_is_refused_before_any_work(command, here, capsys, name, overwrite):
    writer, taken, _ = WRITERS[name]
    path = Path("new") / taken
    put_canaries("new")
    if name == "prepare":
        path.mkdir()
        path /= "x.txt"
    path.write_bytes(b'{"mine": 1}')
    before = bytes_of(Path("new"))
    assert command(*writer("new", "--overwrite", overwrite)) == 2
    assert "new" in one_line(capsys.readouterr().err)
    assert bytes_of(Path("new")) == before


@pytest.mark.parametrize("name", OF_A_FOLDER)
def test_a_full_folder_of_somebody_else_is_refused(command, here, capsys, name):
    put_canaries("new")
    before = bytes_of(Path("new"))
    assert command(*WRITERS[name][0]("new", "--overwrite", "true")) == 2
    assert "new exists and is no " in one_line(capsys.readouterr().err)
    assert bytes_of(Path("new")) == before


@pytest.mark.parametrize("name", ["report", "card", "statistics"])
def test_what_was_changed_is_replaced_only_when_told_to(command, here, capsys, name):
    writer, written, other = WRITERS[name]
    path = Path(f"out/{name}/{written}")
    path.write_text(path.read_text() + "\nMy own remark.\n")
    changed = path.read_bytes()
    assert command(*writer(f"out/{name}", *other)) == 2
    assert f"{path} was changed after it was written" in one_line(capsys.readouterr().err)
    assert path.read_bytes() == changed
    assert command(*writer(f"out/{name}", *other, "--overwrite", "true")) == 0
    assert b"My own remark" not in path.read_bytes()
    assert command(*writer(f"out/{name}", *other)) == 0, "what was written anew is ours again"


def test_a_changed_data_card_is_kept(command, here, capsys):
    path = Path("out/prepare/README.md")
    path.write_text(path.read_text() + "\nMy own remark.\n")
    before = bytes_of(Path("out/prepare"))
    assert command(*prepare("out/prepare")) == 2
    assert "README.md was changed" in one_line(capsys.readouterr().err)
    assert bytes_of(Path("out/prepare")) == before
    assert command(*prepare("out/prepare", "--overwrite", "true")) == 0
    assert b"My own remark" not in path.read_bytes()


@pytest.mark.parametrize("name", WRITERS)
def test_a_link_is_followed_and_stays_a_link(command, here, name):
    writer, written, other = WRITERS[name]
    Path("disk").mkdir()
    Path(f"out/{name}").rename(f"disk/{name}")
    Path(f"out/{name}").symlink_to(Path("disk", name).absolute())
    Path("middle").symlink_to("out")
    assert command(*writer(f"middle/{name}", *other, "--overwrite", "true")) == 0
    assert Path(f"out/{name}").is_symlink()
    assert Path(f"disk/{name}/{written}").exists()
    assert not [path for path in here.rglob("*") if path.name.endswith((".tmp", ".lock"))]


@pytest.mark.parametrize("name", ["report", "card", "score"])
def test_a_link_to_a_file_is_followed(command, here, capsys, name):
    writer, written, _ = WRITERS[name]
    Path("new").mkdir()
    Path("precious").write_text("mine")
    Path(f"new/{written}").symlink_to("../precious")
    assert command(*writer("new", "--overwrite", "true")) == 2
    assert Path("precious").read_text() == "mine"
    assert Path(f"new/{written}").is_symlink()


@pytest.mark.parametrize("name", WRITERS)
def test_a_link_that_leads_nowhere_is_refused(command, here, capsys, name):
    Path("new").symlink_to("unmounted/disk")
    assert command(*WRITERS[name][0]("new/out")) == 2
    assert "new is a link to unmounted/disk, which is not there" in one_line(capsys.readouterr().err)
    assert not Path("unmounted").exists()


@pytest.mark.parametrize("name", WRITERS)
def test_nothing_is_written_into_what_is_read(command, here, capsys, name):
    inside = {"prepare": "raw", "card": "x"}.get(name, DATA)
    before = bytes_of(here)
    if name == "card":
        assert command(*card("x")[:-1], RESULTS) == 2
    else:
        assert command(*WRITERS[name][0](f"{inside}/new")) == 2
        assert f"lies inside {inside}, which this command reads" in one_line(capsys.readouterr().err)
    assert bytes_of(here) == before


@pytest.mark.parametrize("name", ["prepare", *OF_A_FOLDER])
@pytest.mark.parametrize("place", [".", "..", "~", "/", "../.."])
def test_a_folder_that_holds_more_than_an_output_is_refused(command, here, capsys, monkeypatch, name, place):
    home = here / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    output = str(home) if place == "~" else place
    with contextlib.chdir(here / "out"):
        arguments = [str(here / value) if value in ("raw", DATA) else value for value in WRITERS[name][0](output)]
        assert command(*arguments) == 2
    assert "Give a folder of its own" in one_line(capsys.readouterr().err)
    assert not list(home.iterdir())


@pytest.mark.parametrize("name", ["train", "pretrain"])
def test_a_mount_point_cannot_be_replaced(command, here, capsys, monkeypatch, name):
    monkeypatch.setattr(os.path, "ismount", lambda place: Path(place).name == "disk")
    assert command(*WRITERS[name][0]("disk")) == 2
    assert "disk is a mount point, which cannot be replaced. Give a folder in it." in one_line(capsys.readouterr().err)
    assert not Path("disk").exists()


@pytest.mark.parametrize("failure", FAILURES)
@pytest.mark.parametrize("name", WRITERS)
def test_a_write_that_fails_leaves_the_old_result_and_all_else(command, here, capsys, monkeypatch, name, failure):
    writer, _, other = WRITERS[name]
    output = f"out/{name}"
    put_canaries("out", output)
    before = bytes_of(Path("out"))
    stopped = []

    def fail(*_):
        stopped.append(1)
        raise FAILURES[failure]

    with monkeypatch.context() as patched:  # at the last moment: all is written, and nothing has its name yet
        patched.setattr(Path, "rename", fail)
        patched.setattr(Path, "replace", fail)
        if failure == "error":
            with pytest.raises(RuntimeError):
                command(*writer(output, *other, "--overwrite", "true"))
        else:
            assert command(*writer(output, *other, "--overwrite", "true")) == {"ctrl-c": 130, "full": 2}[failure]
    assert stopped
    assert bytes_of(Path("out")) == before


@pytest.mark.parametrize("name", LOCKED)
def test_of_two_writers_one_is_refused(command, here, capsys, name):
    """The other one is a process of its own, and is killed outright in the end."""
    writer, _, other = WRITERS[name]
    output, beside = Path(f"out/{name}"), name in ("train", "pretrain")
    with another_process_writes(output, beside):
        before = bytes_of(output)
        assert command(*writer(str(output), *other, "--overwrite", "true")) == 2
        assert "is being written by another command (held by process" in one_line(capsys.readouterr().err)
        assert bytes_of(output) == before
    assert command(*writer(str(output), *other, "--overwrite", "true")) == 0, "the lock ends with its process"


@contextlib.contextmanager
def another_process_writes(output: Path, beside: bool):
    ready, said = os.pipe()
    child = os.fork()
    if child == 0:
        from rella_hub.files.writer import sole_writer

        with sole_writer(output, beside):
            os.write(said, b"x")
            while True:
                os.read(os.pipe()[0], 1)
    os.read(ready, 1)
    try:
        yield
    finally:
        os.kill(child, 9)
        os.waitpid(child, 0)


def test_what_a_person_adds_while_a_model_is_trained_stays(here, monkeypatch, command):
    from rella_hub.systems.ctr import train as run

    fit = run.fit

    def fit_and_add(*arguments, **options):
        found = fit(*arguments, **options)
        put_canaries("out/train", "out/train/model", "out/train/checkpoint")
        return found

    monkeypatch.setattr(run, "fit", fit_and_add)
    assert command(*train("out/train", "--seed", 1, "--overwrite", "true")) == 0
    assert json.loads(Path("out/train/training.json").read_text())["recipe"]["seed"] == 1
    for folder in ("out/train", "out/train/model", "out/train/checkpoint"):
        assert_unchanged({Path(folder) / name: content for name, content in CANARIES.items()})


@pytest.mark.parametrize("content", ['{"mine": 1}', "[]", "{", '{"format": "rella.outputs", "version": 2}', ""])
def test_a_record_of_somebody_else_proves_nothing(command, here, capsys, content):
    for name in ("train", "report", "prepare"):
        shutil.copytree(f"out/{name}", f"new/{name}")
        Path(f"new/{name}/.rella.json").write_text(content)
        before = bytes_of(Path("new"))
        assert command(*WRITERS[name][0](f"new/{name}", "--overwrite", "true")) == 2
        assert ".rella.json is not the record of what this project wrote" in one_line(capsys.readouterr().err)
        assert bytes_of(Path("new")) == before


@pytest.mark.parametrize("name", ["../precious", "/etc/passwd", "a/../../precious"])
def test_a_record_that_leads_out_of_its_folder_proves_nothing(here, name):
    Path("precious").write_text("mine")
    record = {"format": "rella.outputs", "version": 1, "folder_of": "x", "files": {name: {"by": "x", "sha256": []}}}
    Path("new").mkdir()
    Path("new/.rella.json").write_text(json.dumps(record))
    with pytest.raises(ValueError, match="is no file in it"):
        ownership.remove(Path("new"), "x", [name])
    assert Path("precious").read_text() == "mine"


def test_results_have_the_permissions_of_any_file(here):
    plain = Path("plain")
    plain.write_text("")
    expected = plain.stat().st_mode
    wrong = [path for path in Path("out").rglob("*") if path.is_file() and path.stat().st_mode != expected]
    assert not wrong


def test_clean_removes_what_was_made_and_nothing_else(here):
    canaries = put_canaries("out", "out/train", "out/prepare", "out/prepare/samples", "out/report")
    Path("out/card/README.md").write_text("my own card")
    shutil.copy("raw/users.dat", "out/BX.zip")
    left = {str(path) for path in clean(Path("out"))}
    kept = {*map(str, canaries), "out/card/README.md", "out/BX.zip"}
    found = {path.removeprefix(f"{here}/") for path in left if ".rella.json" not in path}
    assert found == kept
    assert_unchanged(canaries)
    assert not store.table_names(Path("out/prepare"))


def test_clean_waits_for_a_command_that_writes(here):
    with another_process_writes(Path("out/prepare"), beside=False):
        before = bytes_of(Path("out"))
        with pytest.raises(ValueError, match="is being written by another command"):
            clean(Path("out"))
        assert bytes_of(Path("out")) == before
