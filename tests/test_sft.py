"""The command that tunes: what a run leaves, when it is kept, refused, gone on with or started anew, and what it says is missing."""

import inspect
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from matplotlib import image
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM

from rella_hub import cli, systems
from rella_hub.experiments.options import ExperimentArguments
from rella_hub.metrics.auc import auc
from rella_hub.networks.ctr import load_model_class
from rella_hub.stages.arguments import EncoderArguments, FolderArguments, PromptArguments, RawArguments, ViewArguments
from rella_hub.systems.adapter import requirements
from rella_hub.systems.adapter.options import Options as AdapterOptions
from rella_hub.systems.ctr.options import Options
from rella_hub.systems.encoder.options import Options as EncoderOptions
from rella_hub.systems.rellax.options import Options as RellaxOptions
from rella_hub.systems.seq2seq.options import Options as P5Options
from rella_hub.systems.training import FamilyArguments
from rella_hub.tables import store
from rella_hub.tables.scores import read_scores
from training.pretrain import PretrainArguments

REPOSITORY = Path(__file__).parents[1]
RECIPES = REPOSITORY / "training/recipes"
SFT = REPOSITORY / "training/sft.py"
WEIGHTS = "adapter/adapter_model.safetensors"
BUILDERS = (FolderArguments, RawArguments, EncoderArguments, ViewArguments, PromptArguments)


@pytest.fixture
def tune(command, smoke, monkeypatch, tmp_path) -> Callable[..., int]:
    """Run the smoke recipe in this process, where its data set and base model lie, with other options; gives the exit code."""
    monkeypatch.chdir(smoke.folder)

    def run(*options, output: Path = tmp_path / "run") -> int:
        return command("training/sft.py", "--config", RECIPES / "smoke/rella.yaml", "--output_dir", output, *options)

    return run


@pytest.fixture
def run_copy(smoke, tmp_path) -> Path:
    """The run folder of the smoke recipe, for a test to spoil."""
    return Path(shutil.copytree(smoke.run, tmp_path / "run"))


def log_of(run: Path, key: str) -> list[float]:
    log = json.loads((run / "training.json").read_text(encoding="utf-8"))["log"]
    return [entry[key] for entry in log if key in entry]


def weights_of(run: Path) -> dict[str, torch.Tensor]:
    return load_file(run / WEIGHTS)


def same_weights(one: Path, other: Path) -> bool:
    a, b = weights_of(one), weights_of(other)
    return a.keys() == b.keys() and all(torch.equal(a[key], b[key]) for key in a)


def times_of(folder: Path) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}


# What a run leaves.


def test_the_run_folder_is_complete(smoke):
    files = {path.name for path in (smoke.run / "adapter").iterdir()}
    assert files == {
        ".rella.json",
        "adapter_config.json",
        "adapter_model.safetensors",
        "base_model.json",
        "tokenizer.json",
        "tokenizer_config.json",
    }
    assert {path.name for path in smoke.run.iterdir() if path.is_file()} == {
        ".rella.json",
        "recipe.yaml",
        "inputs.json",
        "training.json",
        "training.png",
    }
    assert min(image.imread(smoke.run / "training.png").shape[:2]) > 300
    config = json.loads((smoke.run / "adapter/adapter_config.json").read_text())
    assert (config["r"], config["lora_alpha"], config["lora_dropout"], sorted(config["target_modules"])) == (
        *(8, 16, 0.05),
        ["q_proj", "v_proj"],
    )


def test_the_recipe_written_is_the_recipe_given(smoke):
    given = yaml.safe_load((RECIPES / "smoke/rella.yaml").read_text())
    written = yaml.safe_load((smoke.run / "recipe.yaml").read_text())
    assert (
        written.items()
        >= {key: given[key] for key in given.keys() - {"output_dir", "per_device_train_batch_size"}}.items()
    )
    parsed = cli.parse(
        AdapterOptions,
        description="",
        arguments=["--config", str(smoke.run / "recipe.yaml"), "--output_dir", "elsewhere"],
    )
    again = cli.parse(
        AdapterOptions,
        description="",
        arguments=["--config", str(RECIPES / "smoke/rella.yaml"), "--output_dir", "elsewhere"],
    )
    assert parsed == again


def test_trainable_weights_are_counted(smoke):
    rank, width, layers, modules = 8, 32, 2, 2
    expected = rank * (width + width) * modules * layers
    assert smoke.training["trainable_weights"] == expected
    assert sum(weight.numel() for weight in weights_of(smoke.run).values()) == expected
    assert f"160 training rows, 100 validation samples, {expected:,} trainable weights." in smoke.said


def test_training_changed_every_lora_matrix(smoke):
    for key, weight in weights_of(smoke.run).items():
        if "lora_B" in key:  # begins at zero
            assert weight.abs().max() > 1e-4, key
    steps = log_of(smoke.run, "grad_norm")
    assert len(steps) == 20
    assert min(steps) > 1e-3
    assert log_of(smoke.run, "learning_rate") == pytest.approx(np.linspace(1e-3, 0, 21)[:20], rel=1e-6)


def test_the_epoch_of_the_best_validation_is_kept(smoke):
    training = smoke.training
    validated = {entry["step"]: entry["eval_auc"] for entry in training["log"] if "eval_auc" in entry}
    assert list(validated) == [10, 20]
    assert training["best_step"] == max(validated, key=validated.get)
    assert training["best_validation_auc"] == validated[training["best_step"]]
    best = load_file(smoke.run / f"checkpoint-{training['best_step']}/adapter_model.safetensors")
    assert all(torch.equal(weight, best[key]) for key, weight in weights_of(smoke.run).items())


def test_the_validation_of_the_run_is_that_of_the_scoring_command(smoke, command, monkeypatch, tmp_path):
    """Both score the same seeded samples: the test of how the adapter was validated, saved and loaded again."""
    monkeypatch.chdir(smoke.folder)
    scoring = ["--base", "runs/smoke/base", "--adapter", smoke.run / "adapter", "--dataset", "runs/smoke/data"]
    scoring += ["--config_name", "reit_k5", "--split", "validation", "--limit", 100, "--seed", 42]
    assert command("evaluation/score.py", *scoring, "--output", tmp_path / "scores.parquet") == 0
    scores = read_scores(tmp_path / "scores.parquet")
    assert auc(scores.score, scores.label) == pytest.approx(smoke.training["best_validation_auc"], abs=1e-6)


# A folder that holds a run already.


def test_a_second_run_is_kept(tune, run_copy, capsys):
    before = times_of(run_copy)
    assert tune(output=run_copy) == 0
    assert f"{run_copy}: unchanged inputs, kept." in capsys.readouterr().out
    assert times_of(run_copy) == before


def test_options_that_change_no_weight_are_no_other_recipe(tune, run_copy, capsys):
    assert tune("--logging_steps", 5, "--save_total_limit", 1, output=run_copy) == 0
    assert "kept" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("option", "value", "got", "asked"),
    [
        ("learning_rate", "0.002", "0.001", "0.002"),
        ("lora_r", "4", "8", "4"),
        ("num_shots", "40", "80", "40"),
        ("max_grad_norm", "0.5", r"1\.0", "0.5"),
        ("gradient_accumulation_steps", "1", "2", "1"),
        ("neftune_noise_alpha", "5", "None", "5.0"),
    ],
)
def test_another_recipe_is_refused(tune, run_copy, capsys, option, value, got, asked):
    before = times_of(run_copy)
    assert tune(f"--{option}", value, output=run_copy) == 2
    message = (
        rf"error: .*run was made from other inputs: its {option} is {got}, asked for is {asked}\. Pass --overwrite"
    )
    assert_matches(message, capsys.readouterr().err)
    assert times_of(run_copy) == before


def assert_matches(pattern: str, text: str) -> None:
    with pytest.raises(ValueError, match=pattern):
        raise ValueError(text)


def test_an_unfinished_run_of_another_recipe_is_refused(tune, run_copy, capsys):
    shutil.rmtree(run_copy / "adapter")
    assert tune("--learning_rate", "0.002", output=run_copy) == 2
    assert "its learning_rate is 0.001, asked for is 0.002" in capsys.readouterr().err


@pytest.mark.parametrize("changed", ["base", "data"])
def test_the_same_recipe_on_other_inputs_is_refused(command, smoke, monkeypatch, tmp_path, capsys, changed):
    """Base model or data set built anew, under the same name."""
    shutil.copytree(smoke.folder, tmp_path / "copy")
    monkeypatch.chdir(tmp_path / "copy")
    if changed == "base":
        weights = Path("runs/smoke/base/model.safetensors")
        content = bytearray(weights.read_bytes())
        content[-1] ^= 1
        weights.write_bytes(content)
    else:
        data = ["--config", RECIPES / "smoke/data.yaml", "--seed", "1", "--overwrite", "true"]
        assert command("dataset_builders/release.py", *data) == 0
    assert command("training/sft.py", "--config", RECIPES / "smoke/rella.yaml") == 2
    what = {"base": "base model", "data": "prompts"}[changed]
    assert f"its {what} is '" in capsys.readouterr().err


def test_prompts_older_than_their_samples_are_neither_trained_on_nor_scored(
    command, smoke, monkeypatch, tmp_path, capsys
):
    shutil.copytree(smoke.folder, tmp_path / "copy")
    monkeypatch.chdir(tmp_path / "copy")
    data = ["--corpus", "demo", "--output", "runs/smoke/data", "--seed", "1", "--overwrite", "true"]
    assert command("dataset_builders/prepare.py", *data) == 0
    scoring = ["--base", "runs/smoke/base", "--dataset", "runs/smoke/data", "--config_name", "reit_k5"]
    tuning = ["--config", RECIPES / "smoke/rella.yaml", "--output_dir", "new"]
    for line in (["training/sft.py", *tuning], ["evaluation/score.py", *scoring, "--output", "new/scores.parquet"]):
        assert command(*line) == 2
        assert "runs/smoke/data/reit_k5 is outdated: " in capsys.readouterr().err
    assert not Path("new").exists()


@pytest.mark.slow
def test_overwrite_starts_anew(tune, run_copy, smoke):
    (run_copy / "leftover").write_text("of somebody else")
    assert tune("--lora_r", "4", "--overwrite", "true", output=run_copy) == 0
    assert json.loads((run_copy / "adapter/adapter_config.json").read_text())["r"] == 4
    assert yaml.safe_load((run_copy / "recipe.yaml").read_text())["lora_r"] == 4
    assert not json.loads((run_copy / "training.json").read_text())["resumed"]
    assert (run_copy / "leftover").read_text() == "of somebody else", "what the run did not write stays"
    assert tune("--overwrite", "true", output=run_copy) == 0
    assert same_weights(run_copy, smoke.run), "the same recipe gives the same weights"


def test_overwrite_spares_a_folder_that_is_no_run(tune, tmp_path, capsys):
    precious = tmp_path / "run/thesis.txt"
    precious.parent.mkdir()
    precious.write_text("years of work")
    assert tune("--overwrite", "true", "--num_train_epochs", "1") == 2
    assert "run exists and is no tuning run of this project" in capsys.readouterr().err
    assert [path.name for path in precious.parent.iterdir()] == ["thesis.txt"]
    assert precious.read_text() == "years of work"


def test_an_interrupted_overwrite_leaves_the_old_run_and_what_others_put_there(tune, run_copy, monkeypatch, capsys):
    others = {run_copy / name: b"mine" for name in ("notes.txt", "adapter/notes.txt", "checkpoint-10/notes.txt")}
    for path, content in others.items():
        path.write_bytes(content)
    kept = (*others, *(path for path in run_copy.rglob("*") if path.is_file() and "checkpoint" not in str(path)))
    before = {path: path.read_bytes() for path in kept}

    def stop(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("rella_hub.language_models.answers.AnswerTrainer.save_model", stop)
        assert tune("--lora_r", "4", "--overwrite", "true", output=run_copy) == 130
    assert {path: path.read_bytes() for path in kept} == before
    assert tune(output=run_copy) == 0
    assert "unchanged inputs, kept" in capsys.readouterr().out


# A run that was interrupted.

KILLED = """
import os, runpy, signal, sys
from transformers import TrainerState

write = TrainerState.save_to_json

def write_or_die(state, path):  # the last file of a checkpoint
    if state.global_step == 20:
        os.kill(os.getpid(), signal.SIGKILL)
    write(state, path)

TrainerState.save_to_json = write_or_die
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def test_a_killed_run_goes_on_to_the_same_adapter(tune, smoke, tmp_path, capsys):
    """Killed while it writes its second checkpoint: the first one is whole, the second is not."""
    options = ["--config", str(RECIPES / "smoke/rella.yaml"), "--output_dir", str(tmp_path / "run")]
    killed = subprocess.run([sys.executable, "-c", KILLED, str(SFT), *options], cwd=smoke.folder, capture_output=True)
    assert killed.returncode == -signal.SIGKILL
    assert (tmp_path / "run/checkpoint-20/adapter_model.safetensors").is_file()
    assert not (tmp_path / "run/adapter").exists()
    assert tune() == 0
    assert f"going on from {tmp_path / 'run/checkpoint-10'}" in capsys.readouterr().out
    assert same_weights(tmp_path / "run", smoke.run)
    assert log_of(tmp_path / "run", "loss") == log_of(smoke.run, "loss")
    assert log_of(tmp_path / "run", "eval_auc") == log_of(smoke.run, "eval_auc")
    assert json.loads((tmp_path / "run/training.json").read_text())["resumed"]


def interrupt(monkeypatch, at_step: int) -> None:
    """Ctrl-C before the micro-batches of that optimizer step, once."""
    from rella_hub.language_models.answers import AnswerTrainer

    take_step = AnswerTrainer.training_step

    def step(self, *arguments, **options):
        if self.state.global_step == at_step:
            monkeypatch.setattr(AnswerTrainer, "training_step", take_step)
            raise KeyboardInterrupt
        return take_step(self, *arguments, **options)

    monkeypatch.setattr(AnswerTrainer, "training_step", step)


@pytest.mark.slow
def test_a_run_interrupted_inside_an_epoch_goes_on_to_the_same_adapter(tune, tmp_path, monkeypatch, capsys):
    often = ["--eval_strategy", "steps", "--save_strategy", "steps", "--eval_steps", "3", "--save_steps", "3"]
    often += ["--early_stopping_patience", "99"]
    assert tune(*often, output=tmp_path / "whole") == 0
    interrupt(monkeypatch, at_step=14)
    assert tune(*often) == 130
    assert tune(*often) == 0
    assert "going on from" in capsys.readouterr().out
    assert same_weights(tmp_path / "run", tmp_path / "whole")
    assert log_of(tmp_path / "run", "loss") == log_of(tmp_path / "whole", "loss")


def test_an_interrupted_run_goes_on_counting_the_epochs_without_progress(tune, tmp_path, monkeypatch):
    """The best epoch is the first, two without progress end the run; the fourth would be better and must not be reached."""
    by_epoch = iter([0.7, 0.6, 0.65, 0.9])
    monkeypatch.setattr("rella_hub.systems.adapter.train.measure", lambda labels, scores: {"auc": next(by_epoch)})
    four_epochs = ["--num_train_epochs", "4", "--num_shots", "16"]
    interrupt(monkeypatch, at_step=5)
    assert tune(*four_epochs) == 130
    assert tune(*four_epochs) == 0
    training = json.loads((tmp_path / "run/training.json").read_text())
    assert [entry["eval_auc"] for entry in training["log"] if "eval_auc" in entry] == [0.7, 0.6, 0.65]
    assert (training["best_step"], training["best_validation_auc"]) == (2, 0.7)


def test_a_run_interrupted_while_it_saves_is_finished_by_the_next(tune, run_copy, smoke, monkeypatch, capsys):
    shutil.rmtree(run_copy / "adapter")
    for name in ("training.json", "training.png"):
        (run_copy / name).unlink()

    def stop(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("rella_hub.systems.adapter.run_folder.draw_curve", stop)
        assert tune(output=run_copy) == 130
    assert not (run_copy / "training.json").exists()
    assert tune(output=run_copy) == 0
    assert "going on from" in capsys.readouterr().out
    assert same_weights(run_copy, smoke.run)
    assert (run_copy / "training.png").is_file()
    assert log_of(run_copy, "loss") == log_of(smoke.run, "loss")


def test_a_run_that_came_to_nothing_may_be_changed(tune, capsys, tmp_path):
    """Whatever stops a run before its first checkpoint, the folder is no obstacle to the corrected recipe."""
    assert tune("--num_shots", "99999") == 2
    said = capsys.readouterr().err
    assert "num_shots is 99,999, but runs/smoke/data/reit_k5 has 22," in said
    assert "Traceback" not in said
    assert tune("--max_length", "60") == 2
    assert_matches(r"[\d,]+ of 160 prompts are longer than max_length = 60 tokens", capsys.readouterr().err)
    assert tune("--lora_target_modules", "query") == 2
    assert "query" in capsys.readouterr().err
    assert tune("--num_train_epochs", "1") == 0
    assert (tmp_path / "run" / WEIGHTS).is_file()


# What is missing, and what is wrong.


def test_the_default_recipe_says_what_is_missing(tmp_path):
    """The command as the README has it, on a machine that has nothing."""
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path / "cache")}
    done = subprocess.run([sys.executable, str(SFT)], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    for said in (
        "error: this recipe cannot run here:",
        "  - The data set 'rella/ml1m' is neither a folder here nor to be had from the Hub",
        "Build it: python dataset_builders/release.py --corpus ml1m",
        "  - The base model 'lmsys/vicuna-13b-v1.5' is neither a folder here nor to be had from the Hub",
        "hf download lmsys/vicuna-13b-v1.5",
        "The smallest recipe runs in seconds",
        f"python dataset_builders/release.py --config {RECIPES / 'smoke/data.yaml'}",
        f"python training/pretrain.py --config {RECIPES / 'smoke/base.yaml'}",
        f"python training/sft.py --config {RECIPES / 'smoke/rella.yaml'}",
    ):
        assert said in done.stderr
    assert not (tmp_path / "runs").exists()


def test_the_default_recipe_is_the_papers(command, monkeypatch, tmp_path):
    """Without --config, options given are added to those of ml1m/rella.yaml."""
    seen = {}
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("rella_hub.systems.adapter.train.train", lambda options: seen.update(vars(options)))
    assert command("training/sft.py", "--num_shots", "1024") == 0
    paper = yaml.safe_load((RECIPES / "ml1m/rella.yaml").read_text())
    assert seen["num_shots"] == 1024
    assert {key: seen[key] for key in paper if key != "num_shots"} == {
        k: v for k, v in paper.items() if k != "num_shots"
    }


def test_only_what_is_missing_is_listed(tune, capsys):
    assert tune("--dataset", "nowhere") == 2
    said = capsys.readouterr().err
    assert "The data set 'nowhere' is neither a folder here" in said
    assert "The base model" not in said
    smallest = RECIPES / "smoke/rella.yaml"
    assert f"The smallest recipe that runs here: python training/sft.py --config {smallest}" in said
    assert tune("--base", "nowhere") == 2
    said = capsys.readouterr().err
    assert "The base model 'nowhere' is neither a folder here" in said
    assert "The data set" not in said


def test_a_config_that_the_data_set_lacks(tune, capsys):
    assert tune("--config_name", "reit_k30") == 2
    said = capsys.readouterr().err
    assert "runs/smoke/data has no 'reit_k30'. It has: " in said
    assert "reit_k5" in said
    assert "--history_length" in said


def test_too_little_memory_is_said_before_loading(tune, monkeypatch, capsys):
    monkeypatch.setattr(requirements, "memory_available", lambda: 1000.0)
    assert tune() == 2
    said = capsys.readouterr().err
    assert "runs/smoke/base has 0.0 billion weights and wants about" in said
    assert "--quantization 8bit or 4bit" in said


@pytest.mark.parametrize(
    ("options", "gigabytes"),
    [
        ({"dtype": "float32"}, 4),
        ({"dtype": "bfloat16"}, 2),
        ({"quantization": "8bit"}, 1),
        ({"quantization": "4bit"}, 0.5),
        ({"dtype": "float32", "full_finetuning": True}, 16),
    ],
)
def test_memory_by_hand(options, gigabytes):
    """A billion weights, and a third more for everything else."""
    needs = requirements.Needs("data", "reit_k5", "base", **options)
    assert requirements.memory_wanted(10**9, needs) == pytest.approx(1.3 * gigabytes * 1e9)


def test_an_unknown_key_of_a_recipe_is_refused(command, tmp_path, capsys):
    recipe = yaml.safe_load((RECIPES / "smoke/rella.yaml").read_text()) | {"lora_rank": 8}
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(recipe))
    assert command("training/sft.py", "--config", tmp_path / "recipe.yaml") == 2
    assert "has the unknown key 'lora_rank'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--quantization", "3bit"], "--quantization is '3bit'; expected one of none, 8bit, 4bit"),
        (["--dtype", "float8"], "--dtype is 'float8'; expected one of auto"),
        (["--num_shots", "0"], "num_shots is 0"),
        (["--num_validation", "0"], "--num_validation is 0; expected a number at least 1"),
        (
            ["--eval_strategy", "no", "--load_best_model_at_end", "false"],
            "keeps the weights of its best validation AUC",
        ),
        (["--load_best_model_at_end", "false"], "keeps the weights of its best validation AUC"),
        (["--full_finetuning", "true", "--quantization", "8bit"], "quantized"),
    ],
)
def test_wrong_options_end_in_one_clear_line(tune, capsys, options, said):
    assert tune(*options) == 2
    error = capsys.readouterr().err
    assert said in error
    assert "Traceback" not in error


# Other ways to train.


def test_a_quantized_base_trains_and_scores(tune, command, tmp_path, quantization):
    """On the CPU, with a validation in mid-training, behind which nothing would be learned if it repacked the weights."""
    options = ["--quantization", quantization, "--num_shots", "32", "--learning_rate", "0.01"]
    assert tune(*options) == 0
    grad_norms = log_of(tmp_path / "run", "grad_norm")
    assert len(grad_norms) == 8
    assert min(grad_norms) > 1e-3
    first, last = (load_file(tmp_path / f"run/checkpoint-{step}/adapter_model.safetensors") for step in (4, 8))
    for key in first:
        assert not torch.equal(first[key], last[key]), f"{key} stood still after the first validation"
    assert all(weight.abs().max() > 1e-3 for key, weight in weights_of(tmp_path / "run").items() if "lora_B" in key)
    scoring = ["--base", "runs/smoke/base", "--dataset", "runs/smoke/data", "--config_name", "subr_k5", "--limit", 20]
    scoring += ["--quantization", quantization]
    assert command("evaluation/score.py", *scoring, "--output", tmp_path / "base.parquet") == 0
    tuned = ["--adapter", tmp_path / "run/adapter", "--output", tmp_path / "tuned.parquet"]
    assert command("evaluation/score.py", *scoring, *tuned) == 0
    base, tuned = (read_scores(tmp_path / f"{name}.parquet").score for name in ("base", "tuned"))
    assert np.abs(base - tuned).min() > 1e-5


def test_full_finetuning_gives_a_base_model(tune, command, smoke, tmp_path):
    assert tune("--full_finetuning", "true", "--num_shots", "32") == 0
    base = AutoModelForCausalLM.from_pretrained(smoke.folder / "runs/smoke/base")
    tuned = AutoModelForCausalLM.from_pretrained(tmp_path / "run/adapter")
    record = json.loads((tmp_path / "run/training.json").read_text())
    assert record["trainable_weights"] == base.num_parameters()
    moved = {name: (weight - base.state_dict()[name]).abs().max() for name, weight in tuned.state_dict().items()}
    assert min(moved.values()) > 1e-6
    assert not list((tmp_path / "run/adapter").glob("*.bin"))
    scoring = ["--base", tmp_path / "run/adapter", "--dataset", "runs/smoke/data", "--config_name", "subr_k5"]
    assert command("evaluation/score.py", *scoring, "--limit", 20, "--output", tmp_path / "s.parquet") == 0


def test_fewer_shots_are_the_first_rows_of_the_mixed_split(tune, smoke, tmp_path, monkeypatch):
    from rella_hub.language_models.answers import AnswerTrainer

    seen = []
    monkeypatch.setattr(AnswerTrainer, "train", lambda self, **_: seen.extend(self.train_dataset["input_ids"]) or 1 / 0)
    with pytest.raises(ZeroDivisionError):
        tune("--num_shots", "3")
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(smoke.folder / "runs/smoke/base")
    rows = store.read(smoke.folder / "runs/smoke/data", "reit_k5", "mixed").slice(0, 6).to_pylist()
    assert [tokenizer.decode(ids) for ids in seen] == [r["prompt"] + r["completion"] + "<|end|>" for r in rows]


@pytest.mark.slow
def test_two_processes_take_the_same_steps(smoke, tmp_path):
    """Half the accumulation on twice the processes is the same recipe: without dropout, the same losses and the same adapter."""
    launch = ["-m", "torch.distributed.run", "--nproc_per_node", "2", "--rdzv_backend", "c10d", "--rdzv_endpoint"]
    recipe = [
        "--config",
        str(RECIPES / "smoke/rella.yaml"),
        "--lora_dropout",
        "0",
        "--per_device_train_batch_size",
        "4",
    ]
    for name, accumulated, launcher in (("one", 4, []), ("two", 2, [*launch, "localhost:0"])):
        options = ["--gradient_accumulation_steps", str(accumulated), "--output_dir", str(tmp_path / name)]
        options += ["--ddp_backend", "gloo"] if launcher else []
        line = [sys.executable, *launcher, str(SFT), *recipe, *options]
        done = subprocess.run(line, cwd=smoke.folder, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    for key, tolerance in (("loss", 1e-4), ("grad_norm", 1e-3), ("eval_auc", 1e-2)):
        expected = log_of(tmp_path / "one", key)
        assert len(expected) == (2 if key == "eval_auc" else 20)
        assert log_of(tmp_path / "two", key) == pytest.approx(expected, abs=tolerance)
    ones, twos = weights_of(tmp_path / "one"), weights_of(tmp_path / "two")
    for key in ones:
        assert torch.allclose(ones[key], twos[key], atol=1e-3), key


# The recipes.


def test_there_are_recipes_of_every_kind():
    assert {path.parent.name for path in RECIPES.rglob("*.yaml")} >= {"smoke", "demo", "ml1m"}
    assert (RECIPES / "ml1m/rella.yaml").is_file()


@pytest.mark.parametrize("path", sorted(RECIPES.rglob("*.yaml")), ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_every_recipe_is_parsed_by_the_parser_of_its_command(path):
    values = yaml.safe_load(path.read_text(encoding="utf-8"))
    if path.parent.name == "experiments":
        types = (ExperimentArguments,)
    elif "ctr" in values:
        types = (RellaxOptions,)
    elif "family" in values:
        types = (systems.part(values["family"], "options").Options, FamilyArguments)
    elif "base" in values:
        types = (AdapterOptions,)
    elif "encoder" in values and "model" in values:
        types = (EncoderOptions,)
    elif "t5" in values:
        types = (P5Options,)
    elif "diaries" in values:
        types = (PretrainArguments,)
    elif "model" in values:
        types = (Options,)
    else:
        types = BUILDERS
    found = {}
    for parsed in cli.parse(*types, description="", arguments=["--config", str(path)]):
        found |= vars(parsed)
    for key, value in values.items():
        assert (json.loads(found[key]) if key == "model_options" else found[key]) == value
    if "model_options" in values and "family" not in values:
        known = inspect.signature(load_model_class(values["model"]).__init__).parameters
        assert path.stem.partition("_")[0] == values["model"]
        assert set(values["model_options"]) <= set(known)
    if "output_dir" in values:
        place = f"runs/{path.parent.relative_to(RECIPES).as_posix()}"
        chain = values["output_dir"].startswith(f"{place}/slim/")  # what belongs to one chain lies together
        assert chain or values["output_dir"] == f"{place}/{path.stem}"
    if "base" in values:
        assert "k30" in values["config_name"] or path.parent.name != "ml1m"
