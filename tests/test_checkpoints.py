"""What an interrupted run goes on from: a whole checkpoint of the very same run, of tensors alone; everything else is one line."""

import json
import os
import pickle
import shutil
import zipfile
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from rella_hub.systems.adapter.resume import checkpoint_to_go_on_from

REPOSITORY = Path(__file__).parents[1]
SMOKE = REPOSITORY / "training/recipes/smoke/rella.yaml"


class Code:
    """What somebody else may have put into a pickle."""

    def __init__(self, path: Path):
        self.path = path

    def __reduce__(self):
        return (os.mkdir, (str(self.path),))


@pytest.fixture
def run_copy(smoke, tmp_path) -> Path:
    """The smoke run before its result was saved: checkpoint-10 and checkpoint-20."""
    run = Path(shutil.copytree(smoke.run, tmp_path / "run"))
    shutil.rmtree(run / "adapter")
    return run


@pytest.fixture
def go_on(command, smoke, monkeypatch, run_copy, capsys):
    """Run the command again; its exit code and what it said."""
    monkeypatch.chdir(smoke.folder)

    def run(*options: str, output: Path = run_copy) -> tuple[int, str]:
        code = command("training/sft.py", "--config", SMOKE, "--output_dir", output, *options)
        said = capsys.readouterr()
        return code, said.err + said.out

    return run


def found(run: Path, asked: str | None = None) -> Path | None:
    made_from = json.loads((run / "checkpoint-20/trainer_state.json").read_text())["stateful_callbacks"]["MadeFrom"]
    return checkpoint_to_go_on_from(run, made_from["args"]["made_from"], asked, defaults={})


def test_the_newest_whole_checkpoint_is_gone_on_from(run_copy):
    assert found(run_copy) == run_copy / "checkpoint-20"
    assert found(run_copy, asked="true") == run_copy / "checkpoint-20"
    assert found(run_copy, asked=str(run_copy / "checkpoint-10")) == run_copy / "checkpoint-10"
    for name in ("checkpoint-10", "checkpoint-20"):
        (run_copy / name / "trainer_state.json").unlink()
    assert checkpoint_to_go_on_from(run_copy, {}, None, defaults={}) is None


@pytest.mark.parametrize("asked", ["true", "elsewhere/checkpoint-10"])
def test_a_checkpoint_that_was_asked_for_must_be_there(tmp_path, run_copy, asked):
    folder = run_copy if asked != "true" else tmp_path / "empty"
    with pytest.raises(ValueError, match=rf"--resume_from_checkpoint is {asked}, but .* has no whole checkpoint"):
        checkpoint_to_go_on_from(folder, {}, asked, defaults={})


FILES = ["optimizer.pt", "scheduler.pt", "rng_state.pth"]


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("kind", ["pickle", "saved by torch", "inside a zip"])
def test_code_in_a_checkpoint_is_never_run(run_copy, tmp_path, capsys, name, kind):
    path, code = run_copy / "checkpoint-20" / name, {"state": Code(tmp_path / "executed")}
    if kind == "pickle":
        path.write_bytes(pickle.dumps(code))
    elif kind == "saved by torch":
        torch.save(code, path)
    else:
        with zipfile.ZipFile(path, "w") as file:
            file.writestr("archive/data.pkl", pickle.dumps(code))
            file.writestr("archive/version", "3")
    if kind != "saved by torch":
        assert found(run_copy) == run_copy / "checkpoint-10"
        assert f"checkpoint-20 is passed over: its {name} is damaged" in capsys.readouterr().out
    else:
        with pytest.raises(ValueError, match=rf"{name} holds .*mkdir, which is no tensor: it is not read"):
            found(run_copy)
    assert not (tmp_path / "executed").exists()


def test_a_checkpoint_of_deepspeed_is_not_read(run_copy):
    (run_copy / "checkpoint-20/global_step20").mkdir()
    with pytest.raises(ValueError, match="is of DeepSpeed, which reads its own pickles"):
        found(run_copy)


def test_a_pickle_ends_the_command_in_one_line(go_on, run_copy, tmp_path):
    torch.save({"state": Code(tmp_path / "executed")}, run_copy / "checkpoint-20/optimizer.pt")
    code, said = go_on()
    assert code == 2
    assert "optimizer.pt holds" in said
    assert "Traceback" not in said
    assert not (tmp_path / "executed").exists()


@pytest.mark.parametrize("name", [*FILES, "adapter_model.safetensors"])
@pytest.mark.parametrize("damage", ["gone", "empty", "half", "of something else"])
def test_a_damaged_file_passes_to_the_checkpoint_before(run_copy, capsys, name, damage):
    path = run_copy / "checkpoint-20" / name
    content = path.read_bytes()
    path.unlink()
    if damage == "of something else":
        torch.save([1, 2, 3], path)
    elif damage != "gone":
        path.write_bytes(content[: len(content) // 2] if damage == "half" else b"")
    if (name, damage) == ("rng_state.pth", "gone"):  # as of a run that had other processes
        assert found(run_copy) == run_copy / "checkpoint-20"
    else:
        assert found(run_copy) == run_copy / "checkpoint-10"
        assert "checkpoint-20 is passed over: its " in capsys.readouterr().out


def test_a_damaged_last_checkpoint_costs_an_epoch_and_no_more(go_on, run_copy, smoke):
    (run_copy / "checkpoint-20/scheduler.pt").write_bytes(b"half")
    code, said = go_on()
    assert code == 0, said
    assert f"going on from {run_copy}/checkpoint-10" in said
    ours, whole = (load_file(run / "adapter/adapter_model.safetensors") for run in (run_copy, smoke.run))
    assert all(torch.equal(ours[key], whole[key]) for key in whole)


def test_pickled_weights_are_no_weights(run_copy):
    for number in (10, 20):
        weights = run_copy / f"checkpoint-{number}/adapter_model.safetensors"
        torch.save(load_file(weights), weights.with_suffix(".bin"))
        weights.unlink()
    with pytest.raises(ValueError, match="has no checkpoint that can be read"):
        found(run_copy)


@pytest.mark.parametrize("text", ['{"foo": 1}', '{"global_step": 20, "foo": 1}'])
def test_a_state_of_another_program_is_passed_over(run_copy, text):
    state = run_copy / "checkpoint-20/trainer_state.json"
    kept = json.loads(state.read_text())["stateful_callbacks"]["MadeFrom"]["args"]["made_from"]
    state.write_text(text)
    assert checkpoint_to_go_on_from(run_copy, kept, None, defaults={}) == run_copy / "checkpoint-10"


@pytest.mark.parametrize("key", ["learning_rate", "base model", "prompts", "lora_r"])
def test_a_checkpoint_of_another_run_is_refused(go_on, run_copy, key):
    """Copied into the folder of this one: other options, another base, other data."""
    for number in (10, 20):
        state = run_copy / f"checkpoint-{number}/trainer_state.json"
        content = json.loads(state.read_text())
        content["stateful_callbacks"]["MadeFrom"]["args"]["made_from"][key] = "other"
        state.write_text(json.dumps(content))
    code, said = go_on()
    assert code == 2
    assert f"checkpoint-20 is of another run: its {key} is 'other'" in said


def test_a_checkpoint_without_a_record_is_taken_at_its_folders_word(run_copy):
    """Those of earlier versions."""
    for number in (10, 20):
        state = run_copy / f"checkpoint-{number}/trainer_state.json"
        content = json.loads(state.read_text())
        del content["stateful_callbacks"]["MadeFrom"]
        state.write_text(json.dumps(content))
    assert checkpoint_to_go_on_from(run_copy, {"lora_r": 8}, None, defaults={}) == run_copy / "checkpoint-20"


def test_a_run_folder_that_was_moved_keeps_its_best_weights(go_on, run_copy, smoke):
    """The state names the best checkpoint by its path; where it lay in the original, it lies no more."""
    state = json.loads((run_copy / "checkpoint-20/trainer_state.json").read_text())
    state["best_model_checkpoint"] = str(run_copy.parent / "elsewhere" / Path(state["best_model_checkpoint"]).name)
    (run_copy / "checkpoint-20/trainer_state.json").write_text(json.dumps(state))
    code, said = go_on()
    assert code == 0, said
    ours, whole = (load_file(run / "adapter/adapter_model.safetensors") for run in (run_copy, smoke.run))
    assert all(torch.equal(ours[key], whole[key]) for key in whole)


def test_best_weights_that_are_gone_are_said(run_copy):
    state = json.loads((run_copy / "checkpoint-20/trainer_state.json").read_text())
    shutil.rmtree(run_copy / Path(state["best_model_checkpoint"]).name)
    assert (run_copy / "checkpoint-20").exists(), "the best epoch of the smoke run is its first"
    with pytest.raises(ValueError, match="as the best so far, which is gone"):
        found(run_copy)
