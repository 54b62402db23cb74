"""CTR models on the Hub: what a push sends, what it refuses, and that what came from it scores the same to the last digit."""

import json
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import yaml
from ctr_release import DATA, RESULTS, RUN, SCORES, WITH_LANGUAGE_MODEL, scoring, training
from hub_server import HubServer
from huggingface_hub import ModelCard

from rella_hub.corpora import load_corpus
from rella_hub.systems.ctr.facts import VOCABULARY
from rella_hub.tables.scores import read_scores

REPOSITORY = Path(__file__).parents[1]
MODEL_ID = "rella/ml1m-din"
SCORED = ("--results", RESULTS, "--scores", SCORES)
PERMISSION = ("--permission", "GroupLens, by letter")
MODEL_FILES = ("config.json", "features.json", "model.safetensors", "vocabulary.parquet")
UNSCORED_FILES = {*MODEL_FILES, ".gitattributes", "README.md", "recipe.yaml", "training.json", "training.png"}
SCORED_FILES = {*UNSCORED_FILES, "report.png", "results.json", "scores/din.parquet"}


@dataclass(frozen=True)
class World:
    """A folder with scored CTR models, as the current one, and a Hub."""

    folder: Path
    hub: HubServer
    command: object

    def push(self, *options) -> int:
        return self.command("model_cards/push.py", "--run", RUN, "--hub_model_id", MODEL_ID, *options)

    def train(self, output: str, *options) -> int:
        return self.command(*training("din", output), "--push_to_hub", *options)

    @property
    def repository(self):
        return self.hub.repositories["model", MODEL_ID]

    @property
    def files(self) -> dict[str, bytes]:
        return self.repository.files()

    @property
    def card(self) -> str:
        return self.files["README.md"].decode()


@pytest.fixture
def world(ctr_release, command, tmp_path, monkeypatch):
    """A copy that a test may spoil, and an empty Hub that this process may write to."""
    shutil.copytree(ctr_release.folder, tmp_path / "machine")
    monkeypatch.chdir(tmp_path / "machine")
    with HubServer() as hub:
        hub.use(monkeypatch)
        yield World(Path.cwd(), hub, command)


def link(path: str) -> None:
    """Put what lies there elsewhere, and a link in its place."""
    elsewhere = Path(path).rename(Path("..", Path(path).name))
    Path(path).symlink_to(elsewhere.resolve())


def change(path: str, **values) -> None:
    Path(path).write_text(json.dumps(yaml.safe_load(Path(path).read_text()) | values))


def test_one_commit_holds_the_model_at_its_root_and_a_second_push_sends_nothing(world, capsys):
    before = {path: path.stat().st_mtime_ns for path in Path("runs").rglob("*")}
    assert world.push(*SCORED) == 0
    assert {path: path.stat().st_mtime_ns for path in Path("runs").rglob("*")} == before
    assert len(world.repository.commits) == 2
    files = world.files
    assert files.keys() == SCORED_FILES
    for name in MODEL_FILES:
        assert files[name] == Path(RUN, "model", name).read_bytes()
    for name in ("recipe.yaml", "training.json"):
        assert files[name] == Path(RUN, name).read_bytes(), "it names nothing of this machine, so it is as it was"
    for name, content in files.items():
        for local in (str(world.folder), "runs/ml1m"):
            assert local.encode() not in content, f"{name} names {local}"
    data = ModelCard(world.card).data
    assert (data.license_name, data.datasets, data.model_name) == ("ml1m-terms", [DATA], "ml1m-din")
    assert "](report.png)" in world.card
    assert "](training.png)" in world.card
    capsys.readouterr()

    uploads = sum(world.hub.uploaded.values())
    assert world.push(*SCORED) == 0
    assert f"{MODEL_ID}: nothing to change." in capsys.readouterr().out
    assert len(world.repository.commits) == 2
    assert sum(world.hub.uploaded.values()) == uploads


def test_a_dry_run_sends_nothing(world, monkeypatch, capsys):
    monkeypatch.delenv("HF_TOKEN")
    assert world.push(*SCORED, "--collection", "ReLLa", "--dry_run") == 0
    said = capsys.readouterr().out
    assert {line[4:] for line in said.splitlines() if line.startswith("  + ")} == SCORED_FILES - {".gitattributes"}
    assert "dry run: nothing was sent." in said
    assert not world.hub.repositories
    assert {request.method for request in world.hub.requests} == {"GET"}


@pytest.mark.slow
def test_what_was_pushed_scores_the_same_to_the_last_digit_by_its_id(world, tmp_path):
    """The scoring command and the code of the card, in processes that know the Hub and nothing of this machine."""
    files = {path.relative_to(DATA).as_posix(): path.read_bytes() for path in Path(DATA).rglob("*") if path.is_file()}
    world.hub.add_repository("dataset", DATA, files)
    local = read_scores(Path(SCORES))
    assert world.push(*SCORED) == 0
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    environment = world.hub.environment(tmp_path / "home", "read-token")
    environment |= {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    (snippet,) = re.findall(r"^```python\n(.*?)^```$", world.card, re.DOTALL | re.MULTILINE)
    command, *arguments = scoring(MODEL_ID, "din.parquet")
    printed = []
    for line in ([str(REPOSITORY / command), *arguments], ["-c", snippet]):
        done = subprocess.run(
            [sys.executable, *line], cwd=elsewhere, env=environment, capture_output=True, text=True, timeout=300
        )
        assert done.returncode == 0, done.stderr
        printed.append(done.stdout)
    pulled = read_scores(elsewhere / "din.parquet")
    assert np.array_equal(pulled.sample_id, local.sample_id)
    assert np.array_equal(pulled.score, local.score)
    assert (pulled.record["system"], pulled.record["model_identity"]["name"]) == ("ml1m-din", MODEL_ID)
    assert len(re.findall(r"^sample \d+: P\(Yes\)", printed[1], re.MULTILINE)) == 5
    cached = {path.name for path in (tmp_path / "home").rglob("models--*/snapshots/*/*")}
    assert set(MODEL_FILES) <= cached
    assert not [name for name in cached if name.endswith((".bin", ".pt", ".py"))]


def test_published_records_name_the_hub_and_keep_their_numbers(world, tmp_path):
    assert world.push("--results", WITH_LANGUAGE_MODEL, "--scores", SCORES) == 0
    (tmp_path / "din.parquet").write_bytes(world.files["scores/din.parquet"])
    ours, published = read_scores(Path(SCORES)), read_scores(tmp_path / "din.parquet")
    assert np.array_equal(ours.score, published.score)
    record = published.record
    assert (record["model"], record["model_identity"]["name"], record["dataset"]) == (MODEL_ID, MODEL_ID, DATA)
    assert (record["base"], record["adapter"], record["dataset_folder"]) == (None, None, None)
    assert record["fingerprint"] == ours.record["fingerprint"], "it is of identities, not of names"
    rows = {row["name"]: row for row in json.loads(world.files["results.json"])["rows"]}
    before = {row["name"]: row for row in json.loads(Path(WITH_LANGUAGE_MODEL).read_text())["rows"]}
    assert rows.keys() == before.keys() == {"din", "sim", "zero_shot", "history_mean", "item_mean", "both_means"}
    assert all(rows[name]["auc"] == before[name]["auc"] for name in rows)
    assert (rows["din"]["score_file"], rows["sim"]["record"]["model"]) == ("scores/din.parquet", "sim")
    assert rows["zero_shot"]["base"] == "org/base"


def test_a_model_scored_by_its_id_is_published_with_those_results(world, command):
    assert world.push() == 0
    assert "**Not scored yet.**" in world.card
    assert command(*scoring(MODEL_ID, "by_id.parquet")) == 0
    assert command("evaluation/report.py", "--scores", "by_id.parquet", "--output", "again", "--resamples", 50) == 0
    assert world.push("--results", "again/results.json", "--scores", "by_id.parquet") == 0
    assert world.files.keys() == UNSCORED_FILES | {"report.png", "results.json", "scores/by_id.parquet"}


def test_tag_collection_and_what_a_later_push_leaves_out(world):
    assert world.push(*SCORED, "--revision_tag", "v1.0", "--collection", "ReLLa") == 0
    assert world.repository.tags["v1.0"] == world.repository.commits[0].oid
    (collection,) = world.hub.collections.values()
    assert [item["id"] for item in collection["items"]] == [MODEL_ID]
    world.repository.commit({"notes.txt": b"of somebody else"})
    assert world.push(*SCORED[:2]) == 0
    assert world.files.keys() == (SCORED_FILES - {"scores/din.parquet"}) | {"notes.txt"}


# Whose terms forbid to pass the values of the vocabulary on.


def test_values_that_must_not_be_passed_on_are_private(world, capsys):
    assert world.push(*SCORED) == 0
    assert (
        "A model of MovieLens-1M is pushed privately, because its vocabulary.parquet lists" in capsys.readouterr().out
    )
    assert world.repository.private
    assert "may stand on the Hub in a private\n  repository only" in world.card
    world.repository.private = False
    assert world.push(*SCORED) == 2
    assert f"{MODEL_ID} is public, and vocabulary.parquet lists values of MovieLens-1M" in capsys.readouterr().err


def test_with_the_publishers_permission_they_are_public(world):
    assert world.push(*SCORED, *PERMISSION) == 0
    assert not world.repository.private
    assert (
        "* Published with permission to redistribute, as stated by who published it: GroupLens, by letter" in world.card
    )
    assert "private\n  repository only" not in world.card


def test_a_free_corpus_is_public(world, monkeypatch):
    free = replace(load_corpus("ml1m"), may_be_redistributed=True, licence="apache-2.0")
    monkeypatch.setattr("rella_hub.corpora.ml1m.CORPUS", free)
    assert world.push(*SCORED) == 0
    assert not world.repository.private
    assert ModelCard(world.card).data.license == "apache-2.0"
    assert world.push(*SCORED, "--private", "true") == 2, "it is public already"


# What a push refuses.


def test_a_folder_without_a_hub_id_is_named_by_the_one_given(world, capsys):
    Path(DATA).rename("data")
    recipe = Path(RUN, "recipe.yaml")
    recipe.write_text(recipe.read_text().replace(DATA, "data"))
    assert world.push() == 2
    said = capsys.readouterr().err
    assert "the data set data is a folder of this machine" in said
    assert "--base_model_id" not in said
    assert not world.hub.requests
    assert world.push("--dataset_id", "me/data") == 0
    assert yaml.safe_load(world.files["recipe.yaml"])["dataset"] == "me/data"
    assert world.files["training.json"] == Path(RUN, "training.json").read_bytes(), "it names no data set"
    assert 'resolve("me/data", ' in world.card


@pytest.mark.parametrize(
    ("spoil", "options", "message"),
    [
        (lambda: Path(RUN, "model/pytorch_model.bin").touch(), (), r"pytorch_model\.bin is a pickle"),
        (lambda: Path(RUN, "model/vocabulary.parquet").unlink(), (), r"no readable vocabulary\.parquet"),
        (lambda: Path(RUN, "model/config.json").unlink(), (), r"There is no .*config\.json"),
        (lambda: Path(RUN, "model/model.safetensors").write_bytes(b"x" * 40), (), "not a whole safetensors file"),
        (lambda: change(f"{RUN}/training.json", at=f"in {Path.cwd()}"), (), r"training\.json would publish a path"),
        (lambda: change(f"{RUN}/model/features.json", at="/home/me"), (), r"features\.json would publish a path"),
        (
            lambda: change(f"{RUN}/model/features.json", seen="more"),
            (),
            r"features\.json of .* was changed since it was trained",
        ),
        (lambda: link(f"{RUN}/training.png"), (), r"training\.png is a link that leads out of runs/ml1m/din"),
        (lambda: link(f"{RUN}/model"), (), r"is a link that leads out of runs/ml1m/din"),
        (lambda: link(f"{Path(RESULTS).parent}/report.png"), SCORED, r"report\.png is a link that leads out of"),
        (lambda: None, ("--scores", SCORES), "published with the results that they give"),
        (lambda: None, (*SCORED[:3], "runs/ml1m/scores/sim.parquet"), "which is not the model of runs/ml1m/din"),
        (lambda: None, (*SCORED[:3], "runs/ml1m/scores/zero_shot.parquet"), "which is not the model of runs/ml1m/din"),
        (lambda: None, ("--base_model_id", "me/base"), "has no base model. Leave out --base_model_id"),
        (lambda: None, ("--license", "other"), "The licence 'other' says nothing without a name"),
    ],
)
def test_what_may_not_be_published_is_refused(world, capsys, spoil, options, message):
    spoil()
    assert world.push(*options) == 2
    error = capsys.readouterr().err
    assert re.search(message, error), error
    assert not world.hub.repositories


def test_a_damaged_repository_is_refused(world, command, capsys):
    assert world.push() == 0
    files = {name: content for name, content in world.files.items() if name in MODEL_FILES and name != VOCABULARY}
    world.hub.add_repository("model", "rella/half", files)
    world.hub.add_repository("model", "rella/pickled", {**files, VOCABULARY: b"x", "pytorch_model.bin": b"x"})
    assert command(*scoring("rella/half", "x.parquet")) == 2
    assert "has no vocabulary.parquet" in capsys.readouterr().err
    assert command(*scoring("rella/pickled", "x.parquet")) == 2
    assert "no readable vocabulary.parquet" in capsys.readouterr().err
    assert not world.hub.count("GET", "pytorch_model.bin"), "a pickle does not even come down"


# A push at the end of a training.


def test_training_publishes_its_model_and_results_come_later(world, capsys):
    shutil.rmtree(RUN)
    assert world.train(RUN, "--hub_model_id", MODEL_ID) == 0
    said = capsys.readouterr().out
    assert world.files.keys() == UNSCORED_FILES
    assert "**Not scored yet.**" in world.card
    assert "model-index" not in world.card
    assert f"python model_cards/push.py --run {RUN} --hub_model_id {MODEL_ID} --results" in said
    recipe = yaml.safe_load(Path(RUN, "recipe.yaml").read_text())
    assert not {key for key in recipe if key.startswith(("push", "hub", "license", "permission"))}

    assert world.push(*SCORED) == 0, "the same seed gives the weights that were scored"
    assert world.train(RUN, "--hub_model_id", MODEL_ID) == 0
    assert "holds this model with its results, kept." in capsys.readouterr().out
    assert world.files.keys() == SCORED_FILES


@pytest.mark.parametrize(
    ("token", "options", "message"),
    [
        (None, ("--hub_model_id", MODEL_ID), "There is no Hub token"),
        ("read-token", ("--hub_model_id", MODEL_ID), "lacks write permission"),
        ("unknown-token", ("--hub_model_id", MODEL_ID), "the Hub does not know the token"),
        ("write-token", ("--hub_model_id", "stranger/x"), "not to stranger"),
        ("write-token", ("--hub_model_id", "public/x", "--hub_private_repo", "true"), "public/x is public"),
        ("write-token", ("--hub_model_id", "public/x"), "vocabulary.parquet lists values of MovieLens-1M"),
        ("write-token", ("--hub_model_id", "x"), "expected a Hub id"),
        ("write-token", (), "pass --hub_model_id owner/name"),
        ("write-token", ("--hub_model_id", MODEL_ID, "--license", "other"), "says nothing without a name"),
        ("write-token", ("--hub_model_id", MODEL_ID, "--dataset", "rella/nowhere"), "neither a folder here"),
    ],
)
def test_what_cannot_be_published_is_not_trained(world, monkeypatch, capsys, token, options, message):
    world.hub.state.organizations.append("public")
    world.hub.add_repository("model", "public/x")
    monkeypatch.delenv("HF_TOKEN")
    if token:
        monkeypatch.setenv("HF_TOKEN", token)
    assert world.train("runs/new", *options) == 2
    assert message in capsys.readouterr().err
    assert not Path("runs/new").exists()
    assert ("model", MODEL_ID) not in world.hub.repositories
