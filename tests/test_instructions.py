"""TALLRec's first stage: the same LoRA is tuned on instructions first; what is left out is counted, what is wrong is said."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

RECIPE = Path(__file__).parents[1] / "training/recipes/smoke/rella.yaml"
RECORDS = [
    {"instruction": f"Name a movie of the sea, number {number}.", "input": "", "output": "Oceanic Pirate"}
    for number in range(16)
]


@pytest.fixture
def tune(command, smoke, monkeypatch, tmp_path):
    monkeypatch.chdir(smoke.folder)

    def run(*options, output: Path = tmp_path / "run") -> int:
        small = ("--num_shots", 16, "--num_validation", 20, "--num_train_epochs", 1, "--instruction_epochs", 1)
        return command("training/sft.py", "--config", RECIPE, "--output_dir", output, *small, *options)

    return run


@pytest.fixture
def records(tmp_path) -> Path:
    path = tmp_path / "instructions.json"
    path.write_text(json.dumps([*RECORDS, {"instruction": "word " * 3000, "input": "", "output": "long"}]))
    return path


def weights(run: Path) -> dict[str, torch.Tensor]:
    return load_file(run / "adapter/adapter_model.safetensors")


def test_the_same_lora_goes_on_from_the_instructions(tune, records, tmp_path, capsys):
    assert tune("--instructions", records) == 0
    assert "first stage: 16 instructions" in (said := capsys.readouterr().out)
    assert "1 left out because they are longer" in said
    other = tmp_path / "other"
    assert tune("--instructions", _less(records), output=other) == 0
    first, second = weights(tmp_path / "run"), weights(other)
    assert first.keys() == second.keys()
    assert any(not torch.equal(first[key], second[key]) for key in first)  # what the first stage taught is still there
    assert "instructions:" in (tmp_path / "run/recipe.yaml").read_text()
    before = (tmp_path / "run/training.json").stat().st_mtime_ns
    assert tune("--instructions", records) == 0  # finished: kept
    assert (tmp_path / "run/training.json").stat().st_mtime_ns == before
    assert tune("--instructions", _less(records)) == 2
    assert "instructions" in capsys.readouterr().err


def _less(records: Path) -> Path:
    path = records.with_name("less.json")
    path.write_text(json.dumps(RECORDS[:4]))
    return path


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.json", "[1, ", "cannot be read"),
        ("a.json", '[{"question": "?", "output": "!"}]', "expected instruction and output"),
        ("a.txt", "words", "are no files of one kind"),
        ("nowhere.json", None, "were found neither in a file here nor on the Hub"),
    ],
)
def test_bad_instructions_are_said_in_a_line(tune, tmp_path, capsys, name, content, said):
    path = tmp_path / name
    if content is not None:
        path.write_text(content)
    assert tune("--instructions", path) == 2
    error = capsys.readouterr().err
    assert said in error
    assert not (tmp_path / "run/adapter").exists()


def test_options_of_the_first_stage_need_it(tune, capsys):
    assert tune() == 2
    assert "--instruction_epochs 1.0 has no effect without --instructions" in capsys.readouterr().err
