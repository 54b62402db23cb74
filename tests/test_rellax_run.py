"""ReLLaX from training to scores: what learns and what stays, resuming, loading whole, and what is said of bad input."""

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import huggingface_hub
import numpy as np
import pytest
import torch
from hub_server import HubServer
from safetensors.torch import load_file, save_file

from rella_hub import systems
from rella_hub.paper.facts import facts_of
from rella_hub.systems.rellax import pack
from rella_hub.systems.rellax.options import MODES, ScoreOptions
from rella_hub.systems.rellax.score import load
from rella_hub.tables import store
from rella_hub.tables.scores import read_scores

BASE, DATA, ADAPTER, CONFIG = "runs/smoke/base", "runs/smoke/data", "runs/smoke/rella/adapter", "subr_k5"
SMALL = ("--num_shots", 24, "--num_validation", 40, "--num_train_epochs", 2, "--per_device_train_batch_size", 8)
SMALL += ("--learning_rate", "1e-2", "--lora_r", 4)
WEIGHTS = "rellax/model.safetensors"


@dataclass(frozen=True)
class Runs:
    folder: Path
    by_mode: dict[str, Path]


def asked(mode: str, output: Path | str, *options) -> tuple:
    where = (
        "--base",
        BASE,
        "--dataset",
        DATA,
        "--config_name",
        CONFIG,
        "--ctr",
        "runs/smoke/sim_of_rellax",
        "--mode",
        mode,
    )
    return ("training/rellax.py", *where, "--output_dir", output, *SMALL, *options)


def begun(mode: str, output: Path | str, *options) -> tuple:
    """The same from an adapter, whose rank is what it is."""
    return (*(one for one in asked(mode, output) if one not in ("--lora_r", 4)), "--adapter", ADAPTER, *options)


@pytest.fixture(scope="module")
def runs(command, smoke, tmp_path_factory) -> Runs:
    """A SIM, and a run of each mode: `rella_plus` from the adapter of the smoke recipe, the others with a LoRA of their own."""
    output = tmp_path_factory.mktemp("rellax")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(smoke.folder)
        few = ("--num_shots", 200, "--num_train_epochs", 1, "--history_length", 5, "--retrieved", 5)
        ctr = ("training/ctr.py", "--model", "sim", "--dataset", DATA, "--output_dir", "runs/smoke/sim_of_rellax", *few)
        assert command(*ctr, "--model_options", '{"embedding_size": 8, "hidden_sizes": [12, 6]}') == 0
        assert command(*begun("rella_plus", output / "rella_plus")) == 0
        for mode in ("lora_r", "ctr_prompt"):
            assert command(*asked(mode, output / mode)) == 0
    return Runs(smoke.folder, {mode: output / mode for mode in MODES})


@pytest.fixture
def here(runs, monkeypatch) -> Runs:
    monkeypatch.chdir(runs.folder)
    return runs


def parts_of(run: Path) -> dict[str, torch.Tensor]:
    return load_file(run / WEIGHTS)


def rows(count: int = 12):
    return store.read_rows(Path(DATA), CONFIG, 0, count, "test", ["sample_id", "prompt", "label"])


def scores_of(run: Path, table=None) -> np.ndarray:
    system = load(str(run), None, ScoreOptions())
    system.prepare(Path(DATA), CONFIG, "test")
    return system.scores(rows() if table is None else table)


@pytest.mark.parametrize("mode", MODES)
def test_a_run_holds_the_adapter_what_was_added_and_the_ctr_model(here, mode):
    found = parts_of(here.by_mode[mode])
    prefixes = {"/".join(key.split("/")[:1]) + ":" + key.split("/", 1)[1].partition(".")[0] for key in found}
    assert ("added:gates" in prefixes) == (mode != "ctr_prompt")
    assert ("added:projector" in prefixes) == (mode != "lora_r")
    ctr = load_file("runs/smoke/sim_of_rellax/model/model.safetensors")
    assert all(torch.equal(found[f"ctr/{key}"], weight) for key, weight in ctr.items())
    assert any(key.startswith("lora/") for key in found)
    assert systems.family_of(here.by_mode[mode]) == systems.family_of(here.by_mode[mode] / "rellax") == "rellax"


def test_an_adapter_that_is_given_stays_to_the_last_bit_and_the_rest_learns(here):
    found, given = parts_of(here.by_mode["rella_plus"]), load_file(f"{ADAPTER}/adapter_model.safetensors")
    assert {key.removeprefix("lora/") for key in found if key.startswith("lora/")} == given.keys()
    assert all(torch.equal(found[f"lora/{key}"], weight) for key, weight in given.items())
    last = [
        weight for key, weight in found.items() if key.startswith("added/gates") and key.endswith("layers.3.weight")
    ]
    assert len(last) == 4  # two layers, q_proj and v_proj
    assert all(weight.abs().max() > 0 for weight in last)  # they started at zero
    training = json.loads((here.by_mode["rella_plus"] / "training.json").read_text())
    assert training["trainable_weights"] == sum(w.numel() for k, w in found.items() if k.startswith("added/"))


@pytest.mark.parametrize("mode", MODES)
def test_a_score_depends_neither_on_the_batch_nor_on_padding(here, mode):
    table = rows()
    together = scores_of(here.by_mode[mode], table)
    system = load(str(here.by_mode[mode]), None, ScoreOptions())
    system.prepare(Path(DATA), CONFIG, "test")
    alone = [system.scores(table.slice(number, 1))[0] for number in range(len(table))]
    np.testing.assert_allclose(together, alone, atol=1e-6)
    assert len(set(together.round(7))) > 4


def test_the_score_command_writes_what_an_adapter_has(here, command, tmp_path):
    file = tmp_path / "scores.parquet"
    how = ("--dataset", DATA, "--config_name", CONFIG, "--limit", 30, "--output", file)
    assert command("evaluation/score.py", "--model", here.by_mode["rella_plus"], *how) == 0
    found = read_scores(file)
    assert len(found.score) == 30
    identity = found.record["adapter_identity"]
    assert (identity["mode"], identity["ctr"]["model"], found.record["training_samples"]) == ("rella_plus", "sim", 24)
    assert str(tmp_path) not in json.dumps(found.record["adapter_identity"])
    assert facts_of(found)["style"] == "rella_plus"  # so that it stands in no row of ReLLa's own tables


def test_an_interrupted_run_ends_with_the_same_weights(here, command, tmp_path, monkeypatch, capsys):
    from transformers import Trainer

    took = Trainer.training_step
    steps = []

    def impatient(self, *given, **more):
        steps.append(1)
        if len(steps) == 5:  # in the second epoch of three steps each
            raise KeyboardInterrupt
        return took(self, *given, **more)

    with monkeypatch.context() as patched:
        patched.setattr(Trainer, "training_step", impatient)
        assert command(*begun("rella_plus", tmp_path / "run")) == 130
    assert not (tmp_path / "run/training.json").exists()
    capsys.readouterr()
    assert command(*begun("rella_plus", tmp_path / "run")) == 0
    assert "going on from" in capsys.readouterr().out
    again, whole = parts_of(tmp_path / "run"), parts_of(here.by_mode["rella_plus"])
    assert again.keys() == whole.keys()
    assert all(torch.equal(again[key], whole[key]) for key in whole)


def test_a_finished_run_is_kept_and_another_ctr_model_is_another_run(here, command, tmp_path, capsys):
    run = Path(shutil.copytree(here.by_mode["lora_r"], tmp_path / "run"))
    before = (run / WEIGHTS).stat().st_mtime_ns
    assert command(*asked("lora_r", run)) == 0
    assert (run / WEIGHTS).stat().st_mtime_ns == before
    other = Path(shutil.copytree("runs/smoke/sim_of_rellax", tmp_path / "other"))
    weights = load_file(other / "model/model.safetensors")
    save_file({key: weight + 1 for key, weight in weights.items()}, other / "model/model.safetensors")
    assert command(*asked("lora_r", run, "--ctr", other)) == 2
    assert "CTR model" in capsys.readouterr().err


@pytest.mark.parametrize("lost", ["lora/", "added/", "ctr/", "one"])
def test_a_system_that_lost_a_part_is_not_loaded(here, tmp_path, lost):
    run = Path(shutil.copytree(here.by_mode["lora_r"], tmp_path / "run"))
    weights = parts_of(run)
    kept = {key: weight for key, weight in weights.items() if not key.startswith(lost)}
    if lost == "one":
        del kept[next(key for key in kept if key.startswith("added/"))]
    save_file(kept, run / WEIGHTS)
    with pytest.raises(ValueError, match="whole"):
        scores_of(run)


@pytest.mark.parametrize("file", ["vocabulary.parquet", "base_model.json", "model.safetensors"])
def test_a_system_without_one_of_its_files_is_not_loaded(here, tmp_path, file):
    run = Path(shutil.copytree(here.by_mode["lora_r"], tmp_path / "run"))
    (run / "rellax" / file).unlink()
    with pytest.raises(ValueError, match=file):
        load(str(run), None, ScoreOptions())


def test_what_makes_no_sense_is_said_before_anything_is_loaded(here, command, tmp_path, capsys):
    output = tmp_path / "run"
    for options, said in {
        ("--mode", "both"): "--mode is 'both'; expected one of lora_r, ctr_prompt, rella_plus",
        ("--config_name", "reit_k5"): "shows each training sample by several views",
        ("--gate_start", "zero"): "--gate_start is 'zero'",
        ("--ctr", "nowhere"): "The model 'nowhere' is neither a folder here nor to be had from the Hub",
        ("--adapter", ADAPTER): "--lora_r 4 has no effect without a new LoRA",
        ("--adapter_revision", "main"): "--adapter_revision main has no effect without --adapter",
        ("--lora_target_modules", "nose"): "'nose'",
    }.items():
        assert command(*asked("rella_plus", output, *options)) == 2
        error = capsys.readouterr().err
        assert said in error
        assert error.startswith("error: ")
    assert not output.exists()


def test_a_ctr_model_without_a_last_hidden_layer_is_refused(here, command, tmp_path, capsys):
    few = ("--num_shots", 50, "--num_train_epochs", 1)
    ctr = ("training/ctr.py", "--model", "deepfm", "--dataset", DATA, "--output_dir", tmp_path / "deepfm", *few)
    assert command(*ctr, "--model_options", '{"embedding_size": 4}') == 0
    assert command(*asked("lora_r", tmp_path / "run", "--ctr", tmp_path / "deepfm")) == 2
    assert "no last hidden layer" in capsys.readouterr().err


def test_what_is_packed_is_unpacked(here, tmp_path):
    packed = pack.read(str(here.by_mode["rella_plus"]), None, tmp_path)
    assert packed.mark["lora"]["r"] == 8
    assert "base_model_name_or_path" not in packed.mark["lora"]
    assert packed.ctr.features["model"] == "sim"


MODEL_ID = "rella/demo-rellax"


@pytest.fixture
def hub(monkeypatch, tmp_path):
    with HubServer() as server:
        constants = huggingface_hub.constants
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
        monkeypatch.setattr(constants, "ENDPOINT", server.endpoint)
        template = server.endpoint + "/{repo_id}/resolve/{revision}/{filename}"
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
        monkeypatch.setenv("HF_TOKEN", "write-token")
        yield server


def test_what_was_pushed_is_whole_and_scores_the_same_by_its_id(here, command, hub, tmp_path):
    names = ("--base_model_id", "rella/base", "--dataset_id", "rella/demo", "--license", "apache-2.0")
    run = here.by_mode["rella_plus"]
    assert command("model_cards/push.py", "--run", run, "--hub_model_id", MODEL_ID, *names) == 0
    files = hub.repositories["model", MODEL_ID].files()
    assert files.keys() >= {"model.safetensors", "rellax.json", "vocabulary.parquet", "base_model.json", "README.md"}
    assert "adapter_config.json" not in files  # else others load half of it
    assert json.loads(files["base_model.json"])["name"] == "rella/base"
    assert str(tmp_path) not in files["README.md"].decode()
    scores = {}
    for name in (run, MODEL_ID):
        file = tmp_path / f"{len(scores)}.parquet"
        how = ("--base", BASE, "--dataset", DATA, "--config_name", CONFIG, "--limit", 20, "--output", file)
        assert command("evaluation/score.py", "--model", name, *how) == 0
        scores[name] = read_scores(file).score
    assert np.array_equal(*scores.values())


@pytest.mark.parametrize("mode", MODES)
def test_the_card_says_what_was_added(here, command, mode, tmp_path):
    output = tmp_path / "README.md"
    assert command("model_cards/render.py", "--run", here.by_mode[mode], "--output", output) == 0
    text = output.read_text()
    assert ("**Gates** (CFLoRA)" in text) == (mode != "ctr_prompt")
    assert ("**Soft prompts**" in text) == (mode != "lora_r")
    assert "SIM" in text
    assert "on 200 samples" in " ".join(text.split()) or "200 samples of the same train split" in " ".join(text.split())
    assert "**Not scored yet.**" in text
    assert "{{" not in text


@pytest.mark.slow
@pytest.mark.parametrize("bits", ["8bit", "4bit"])
def test_all_of_it_learns_and_is_scored_on_a_quantized_base(here, command, tmp_path, bits):
    """The released code works in 8 bits alone; a hook does not know what is below it."""
    assert command(*asked("rella_plus", tmp_path / "run", "--quantization", bits)) == 0
    found = parts_of(tmp_path / "run")
    assert {weight.dtype for key, weight in found.items() if key.startswith("added/")} == {torch.float32}
    how = ("--dataset", DATA, "--config_name", CONFIG, "--limit", 8, "--output", tmp_path / "scores.parquet")
    assert command("evaluation/score.py", "--model", tmp_path / "run", "--quantization", bits, *how) == 0
    assert len(set(read_scores(tmp_path / "scores.parquet").score)) > 4
