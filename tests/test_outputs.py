"""What a command writes takes its place whole, beside what others put there; a process that is killed leaves nothing that is lost."""

import json
import os
import signal
from pathlib import Path

import pytest

from rella_hub.files import ownership, replace
from rella_hub.files.places import real
from rella_hub.files.writer import sole_writer
from rella_hub.systems.adapter import checkpoints


def contents(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}


def write(target: Path, **files: str) -> None:
    with ownership.writing_folder(target, "run") as new:
        for name, text in files.items():
            (new / name).write_text(text)


def without_record(folder: Path) -> dict[str, str]:
    return {name: text for name, text in contents(folder).items() if name != ownership.FILE}


def killed(function) -> None:
    """Call a function in another process, which is killed outright where it stops."""
    child = os.fork()
    if child == 0:
        function()
        os._exit(1)
    os.waitpid(child, 0)


def die(*_) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_folder_is_replaced_by_names(tmp_path):
    run = tmp_path / "run"
    write(run, model="1", recipe="1")
    (run / "sub").mkdir()
    (run / "sub/mine").write_text("mine")
    (run / "link").symlink_to("sub/mine")
    write(run, model="2")
    assert without_record(run) == {"model": "2", "sub/mine": "mine", "link": "mine"}, "recipe was ours, and is gone"
    assert (run / "link").is_symlink()


def test_what_another_command_wrote_into_the_folder_stays(tmp_path):
    write(tmp_path / "run", model="1")
    with ownership.writing_file(tmp_path / "run/README.md", "card") as temporary:
        temporary.write_text("a card")
    write(tmp_path / "run", model="2")
    assert without_record(tmp_path / "run") == {"model": "2", "README.md": "a card"}
    with ownership.writing_file(tmp_path / "run/README.md", "card") as temporary:
        temporary.write_text("another card")


@pytest.mark.parametrize("taken", ["training", "training/inside"])
def test_a_name_that_is_taken_meanwhile_is_not_replaced(tmp_path, taken):
    run = tmp_path / "run"
    write(run, model="1")

    def take_the_name():
        with ownership.writing_folder(run, "run") as new:
            (new / "model").write_text("2")
            (new / "training").write_text("2")
            (run / taken).parent.mkdir(exist_ok=True)
            (run / taken).write_text("mine")

    with pytest.raises(ValueError, match=r"run/training was not written by this command"):
        take_the_name()
    assert without_record(run) == {"model": "1", taken: "mine"}
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_a_process_that_is_killed_while_it_writes_leaves_the_old_result(tmp_path):
    run = tmp_path / "run"
    write(run, model="1")

    def write_half():
        with ownership.writing_folder(run, "run") as new:
            (new / "model").write_text("half of")
            die()

    killed(write_half)
    assert without_record(run) == {"model": "1"}
    assert len(list(tmp_path.iterdir())) == 2, "something temporary is left"
    write(run, model="2")
    assert without_record(run) == {"model": "2"}
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


@pytest.mark.parametrize("renames", [1, 2])
def test_a_process_that_is_killed_while_it_replaces_loses_nothing(tmp_path, monkeypatch, renames):
    run = tmp_path / "run"
    write(run, model="1")
    (run / "mine").write_text("mine")
    rename, calls = Path.rename, []

    def rename_or_die(path, target):
        calls.append(1)
        if len(calls) > renames:
            die()
        return rename(path, target)

    def replace_it():
        monkeypatch.setattr(Path, "rename", rename_or_die)
        write(run, model="2")

    killed(replace_it)
    replace.clear_abandoned(run, lambda folder: ownership.own_names(folder, "run"))
    assert without_record(run) == {"model": str(renames), "mine": "mine"}
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_what_only_looks_like_a_leftover_is_spared(tmp_path):
    looks = tmp_path / ".run.0123abcd.tmp"
    looks.mkdir()
    (looks / "mine").write_text("mine")
    in_use = replace.temporary_beside(tmp_path / "run")
    with in_use as temporary:
        write(tmp_path / "run", model="1")
        assert temporary.is_dir()
    assert sorted(path.name for path in tmp_path.iterdir()) == [looks.name, "run"]
    assert contents(looks) == {"mine": "mine"}


def test_a_file_that_was_replaced_but_not_noted_is_still_ours(tmp_path, monkeypatch):
    target = tmp_path / "report.md"

    def write_text(text: str) -> None:
        with ownership.writing_file(target, "report") as temporary:
            temporary.write_text(text)

    write_text("1")

    def write_and_die():
        monkeypatch.setattr(Path, "replace", lambda path, to: path.rename(to) if to.name != target.name else die())
        write_text("2")

    killed(write_and_die)
    assert target.read_text() == "1"
    write_text("3")
    assert target.read_text() == "3"


def test_the_same_process_may_enter_again_and_the_lock_vanishes(tmp_path):
    with sole_writer(tmp_path / "new/data"), sole_writer(tmp_path / "new/data"):
        assert (tmp_path / "new/data").is_dir()
    assert list(tmp_path.iterdir()) == [], "nothing was written, so no folder is left"


def test_a_lock_file_of_somebody_else_is_left_alone(tmp_path):
    (tmp_path / ".rella.lock").write_text("mine")
    with pytest.raises(ValueError, match="is no lock of this project"), sole_writer(tmp_path):
        pass
    assert contents(tmp_path) == {".rella.lock": "mine"}


def test_where_nothing_can_be_written_is_said_before_any_work(tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr("rella_hub.files.writer.FileLock.acquire", refuse)
    with pytest.raises(ValueError, match=r"cannot be written to \(Read-only file system\)"), sole_writer(tmp_path):
        pass
    monkeypatch.setattr(Path, "mkdir", refuse)
    with (
        pytest.raises(ValueError, match=r"cannot be written to \(Read-only file system\)"),
        sole_writer(tmp_path / "x"),
    ):
        pass


def test_a_link_that_leads_to_itself_is_refused(tmp_path):
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    with pytest.raises(ValueError, match="is a link to b, which is not there"):
        real(tmp_path / "a/out")


def test_a_linked_folder_is_not_cleared_through_its_link(tmp_path):
    write(tmp_path / "run", model="1")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "run/model").rename(tmp_path / "elsewhere/model")
    values = json.loads((tmp_path / "run" / ownership.FILE).read_text())
    values["files"]["sub/model"] = values["files"].pop("model")
    (tmp_path / "run" / ownership.FILE).write_text(json.dumps(values))
    (tmp_path / "run/sub").symlink_to("../elsewhere")
    ownership.remove_all(tmp_path / "run")
    assert contents(tmp_path / "elsewhere") == {"model": "1"}


# The checkpoints of a tuning run.


def checkpoint(output: Path, step: int) -> Path:
    folder = output / f"checkpoint-{step}"
    ownership.open_folder(folder, checkpoints.CHECKPOINT)
    (folder / "trainer_state.json").write_text("{}")
    ownership.note(folder, checkpoints.CHECKPOINT, {"trainer_state.json": None})
    return folder


def test_old_checkpoints_are_removed_but_for_the_best_and_what_others_put_there(tmp_path):
    for step in (4, 8, 12, 100):
        checkpoint(tmp_path, step)
    (tmp_path / "checkpoint-8/notes.txt").write_text("mine")
    (tmp_path / "checkpoint-old").mkdir()
    checkpoints._remove_old(tmp_path, 1, "checkpoint-4")
    assert {name for name in without_record(tmp_path) if ownership.FILE not in name} == {
        *("checkpoint-4/trainer_state.json", "checkpoint-100/trainer_state.json", "checkpoint-8/notes.txt")
    }
    assert checkpoints.last_whole(tmp_path).name == "checkpoint-100"
    checkpoints.remove_all(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["checkpoint-8", "checkpoint-old"]


def test_a_checkpoint_of_somebody_else_is_neither_gone_on_from_nor_removed(tmp_path):
    mine = tmp_path / "checkpoint-7/trainer_state.json"
    mine.parent.mkdir()
    mine.write_text("{}")
    assert checkpoints.last_whole(tmp_path) is None
    checkpoints.remove_all(tmp_path)
    assert mine.exists()
    with pytest.raises(ValueError, match="checkpoint-7 exists and is no checkpoint of this project"):
        checkpoints.require_own(tmp_path)
