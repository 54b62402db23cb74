"""The whole way of a user over the Hub: push, forget, pull by id, train, push, forget, compare by id. Same numbers as at home.

Every step is a command in a process of its own, in a folder and with a cache that are new wherever something is to be forgotten.
"""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hub_server import HubServer
from huggingface_hub import HfApi

from rella_hub.tables.scores import read_scores

REPOSITORY = Path(__file__).parents[1]
RECIPES = REPOSITORY / "training/recipes/smoke"
BASE, DATA, ADAPTER = "rella/demo-smoke-base", "rella/demo", "rella/demo-rella-smoke"
CONFIG, LIMIT = "subr_k5", "200"


class User:
    """Somebody with a token who has nothing yet."""

    def __init__(self, hub: HubServer, folder: Path):
        self.folder = folder
        folder.mkdir()
        self.environment = hub.environment(folder / "home") | {
            "OMP_NUM_THREADS": "1",
            "CUDA_VISIBLE_DEVICES": "",
        }

    def run(self, command: str, *arguments: object, offline: bool = False) -> str:
        line = [sys.executable, str(REPOSITORY / command), *map(str, arguments)]
        environment = self.environment | ({"HF_HUB_OFFLINE": "1"} if offline else {})
        done = subprocess.run(line, cwd=self.folder, env=environment, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr
        assert "write-token" not in done.stdout + done.stderr
        return done.stdout


@pytest.fixture(scope="module")
def hub():
    with HubServer() as hub:
        yield hub


@pytest.mark.slow
def test_push_forget_train_push_forget_compare(hub, smoke, command, tmp_path):
    # At home: the smoke fixture has built, trained; here it scores.
    maker = User(hub, tmp_path / "maker")
    home = smoke.folder / "runs/smoke"
    local = {}
    for name, adapter in (("zero_shot", []), ("rella", ["--adapter", home / "rella/adapter"])):
        output = tmp_path / f"{name}.parquet"
        arguments = ["--base", home / "base", *adapter, "--dataset", home / "data", "--config_name", CONFIG]
        assert command("evaluation/score.py", *arguments, "--limit", LIMIT, "--output", output) == 0
        local[name] = read_scores(output)

    # Push the data set; the base model is there as any base model of the Hub is.
    address = maker.run(
        "dataset_builders/push.py", "--corpus", "demo", "--output", home / "data", "--name", "demo"
    ).splitlines()[-1]
    assert address.startswith(f"{hub.endpoint}/datasets/{DATA}/commit/")
    api = HfApi(endpoint=hub.endpoint, token="write-token")
    with pytest.MonkeyPatch.context() as patch:
        hub.use(patch, token=None)
        api.create_repo(BASE)
        api.upload_folder(repo_id=BASE, folder_path=home / "base")

    # Somebody who has nothing trains by id, and pushes the adapter.
    trainer = User(hub, tmp_path / "trainer")
    recipe = ["--config", RECIPES / "rella.yaml", "--base", BASE, "--dataset", DATA, "--output_dir", "runs/mine"]
    trainer.run("training/sft.py", *recipe, "--push_to_hub", "--hub_model_id", ADAPTER, "--license", "apache-2.0")
    files = hub.repositories["model", ADAPTER].files("main")
    assert {"README.md", "adapter_config.json", "adapter_model.safetensors", "recipe.yaml"} <= set(files)
    assert json.loads(files["adapter_config.json"])["base_model_name_or_path"] == BASE
    assert not any(str(tmp_path).encode() in content for content in files.values()), "no path of this machine"

    # Somebody else who has nothing compares it with zero-shot, by id; then once more without the network.
    reader = User(hub, tmp_path / "reader")
    compare = ["--base", BASE, "--adapters", ADAPTER, "--dataset", DATA, "--config_name", CONFIG]
    compare += ["--limit", LIMIT, "--systems", "rella", "--resamples", "50"]
    table = reader.run("evaluation/compare.py", *compare, "--output", "online")
    reader.run("evaluation/compare.py", *compare, "--output", "offline", offline=True)
    assert "| rella" in table
    for output in ("online", "offline"):
        for name, at_home in local.items():
            pulled = read_scores(reader.folder / output / "scores" / f"{name}.parquet")
            assert np.array_equal(pulled.sample_id, at_home.sample_id)
            assert np.array_equal(pulled.score, at_home.score), "the same to the last digit"
