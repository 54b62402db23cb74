"""A base model that was pretrained here, on the Hub: under the corpus's terms, with a card, and loaded from there like any other."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from hub_server import HubServer
from huggingface_hub import ModelCard

from rella_hub.corpora import load_corpus
from rella_hub.language_models.load import base_identity

BASE_ID = "rella/demo-base"
FILES = {
    "README.md",
    ".gitattributes",
    "config.json",
    "generation_config.json",
    "model.safetensors",
    "pretraining.json",
}


@pytest.fixture
def hub(smoke, tmp_path, monkeypatch):
    """An empty Hub that this process may write to; the current folder is a copy of the smoke run's."""
    shutil.copytree(smoke.folder / "runs/smoke/base", tmp_path / "runs/smoke/base")
    (tmp_path / "runs/smoke/data").symlink_to(smoke.folder / "runs/smoke/data")
    monkeypatch.chdir(tmp_path)
    with HubServer() as server:
        server.use(monkeypatch)
        yield server


@pytest.fixture
def push(command):
    recipe = Path(__file__).parents[1] / "training/recipes/smoke/base.yaml"
    to_hub = ("--push_to_hub", "--hub_model_id", BASE_ID, "--dataset_id", "rella/demo")
    return lambda *options: command("training/pretrain.py", "--config", recipe, *to_hub, *options)


@pytest.fixture
def restricted(monkeypatch):
    corpus = replace(load_corpus("demo"), may_be_redistributed=False, terms="Not to be passed on.")
    monkeypatch.setattr("rella_hub.corpora.demo.CORPUS", corpus)


def test_a_finished_base_is_published_with_a_card_and_loads_by_id(hub, push):
    assert push() == 0
    repository = hub.repositories["model", BASE_ID]
    files = repository.files()
    assert not repository.private
    assert files.keys() >= FILES
    assert not [name for name in files if name.endswith((".bin", ".py"))]
    record = json.loads(files["pretraining.json"])
    assert record["dataset"] == "rella/demo"
    assert record["corpus"] == "demo"
    card = ModelCard(files["README.md"].decode())
    assert card.data.datasets == ["rella/demo"]
    assert f'from_pretrained("{BASE_ID}")' in card.text
    assert base_identity(BASE_ID)["weights"] == base_identity("runs/smoke/base")["weights"]


def test_a_base_of_a_corpus_that_must_not_be_passed_on_is_private(hub, push, restricted, capsys):
    assert push() == 0
    assert hub.repositories["model", BASE_ID].private
    assert "pushed privately" in capsys.readouterr().out


def test_a_stated_permission_makes_it_public_and_stands_on_the_card(hub, push, restricted):
    assert push("--permission", "GroupLens, by letter") == 0
    assert not hub.repositories["model", BASE_ID].private
    assert "GroupLens, by letter" in hub.repositories["model", BASE_ID].files()["README.md"].decode()


def test_a_push_that_cannot_succeed_is_refused_before_training(hub, push, monkeypatch, capsys):
    monkeypatch.setattr("rella_hub.pretraining.run.pretrain", None)  # calling it would fail
    monkeypatch.setenv("HF_TOKEN", "read-token")
    assert push() == 2
    assert capsys.readouterr().err.startswith("error: ")
    assert ("model", BASE_ID) not in hub.repositories


def test_a_push_needs_a_name(command, capsys):
    assert (
        command("training/pretrain.py", "--dataset", "x", "--history_length", 1, "--output", "y", "--push_to_hub") == 2
    )
    assert "--hub_model_id" in capsys.readouterr().err
