"""Adapters on the Hub: what a push sends, what it leaves out, what it refuses, and that what came from it scores the same."""

import json
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import yaml
from hub_server import HubServer
from huggingface_hub import ModelCard

from rella_hub.cards.publishing import checks, identity
from rella_hub.cards.publishing.arguments import AdapterPublishingArguments
from rella_hub.cards.publishing.push import NEEDED, OF_A_BASE
from rella_hub.corpora import load_corpus
from rella_hub.tables import store
from rella_hub.tables.scores import read_scores

REPOSITORY = Path(__file__).parents[1]
RUN, BASE, DATA, SCORES, RESULTS = (
    f"runs/smoke/{name}" for name in ("rella", "base", "data", "scores", "report/results.json")
)
ADAPTER_ID, BASE_ID, DATA_ID = "rella/smoke-rella", "rella/smoke-base", "rella/smoke"
IDS = ("--base_model_id", BASE_ID, "--dataset_id", DATA_ID)
LICENSED = (*IDS, "--license", "apache-2.0")
SCORED = ("--results", RESULTS, "--scores", f"{SCORES}/rella.parquet", f"{SCORES}/zero_shot.parquet")
UNSCORED_FILES = {
    *(".gitattributes", "README.md", "adapter_config.json", "adapter_model.safetensors", "base_model.json"),
    *("recipe.yaml", "training.json", "training.png"),
}
SCORED_FILES = {*UNSCORED_FILES, "report.png", "results.json", "scores/rella.parquet", "scores/zero_shot.parquet"}


@dataclass(frozen=True)
class World:
    """A folder with a scored run, as the current one, and a Hub."""

    folder: Path
    hub: HubServer
    command: object

    def push(self, *options) -> int:
        return self.command("model_cards/push.py", "--run", RUN, "--hub_model_id", ADAPTER_ID, *options)

    def tune(self, *options) -> int:
        recipe = REPOSITORY / "training/recipes/smoke/rella.yaml"
        return self.command("training/sft.py", "--config", recipe, "--push_to_hub", *options)

    @property
    def repository(self):
        return self.hub.repositories["model", ADAPTER_ID]

    @property
    def files(self) -> dict[str, bytes]:
        return self.repository.files()

    @property
    def card(self) -> str:
        return self.files["README.md"].decode()


@pytest.fixture(scope="module")
def scored(smoke, command, tmp_path_factory) -> Path:
    """The smoke run with scores of its adapter and its base, and a report."""
    folder = tmp_path_factory.mktemp("scored")
    shutil.copytree(smoke.folder, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("checkpoint-*"))
    with pytest.MonkeyPatch.context() as patched:
        patched.chdir(folder)
        scoring = ["--base", BASE, "--dataset", DATA, "--config_name", "reit_k5", "--limit", 60]
        for name, adapter in (("rella", ["--adapter", f"{RUN}/adapter"]), ("zero_shot", [])):
            output = ["--output", f"{SCORES}/{name}.parquet"]
            assert command("evaluation/score.py", *scoring, *adapter, *output) == 0
        files = [f"{SCORES}/{name}.parquet" for name in ("rella", "zero_shot")]
        report = ["--scores", *files, "--output", Path(RESULTS).parent, "--resamples", "50"]
        assert command("evaluation/report.py", *report) == 0
    return folder


@pytest.fixture
def world(scored, command, tmp_path, monkeypatch) -> World:
    """A copy that a test may spoil, and an empty Hub that this process may write to."""
    shutil.copytree(scored, tmp_path / "machine")
    monkeypatch.chdir(tmp_path / "machine")
    with HubServer() as hub:
        hub.use(monkeypatch)
        yield World(Path.cwd(), hub, command)


def times_of(folder: str) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in Path(folder).rglob("*")}


def give_base(hub: HubServer, card: str = "---\nlicense: llama2\n---\n") -> None:
    files = {path.name: path.read_bytes() for path in Path(BASE).iterdir()}
    hub.add_repository("model", BASE_ID, files | {"README.md": card.encode()})


def give_data(hub: HubServer) -> None:
    files = {path.relative_to(DATA).as_posix(): path.read_bytes() for path in Path(DATA).rglob("*") if path.is_file()}
    hub.add_repository("dataset", DATA_ID, files)


# What a push sends.


def test_a_dry_run_says_what_would_change_and_sends_nothing(world, monkeypatch, capsys):
    monkeypatch.delenv("HF_TOKEN")
    assert world.push(*SCORED, *LICENSED, "--collection", "ReLLa", "--dry_run") == 0
    said = capsys.readouterr().out
    assert (
        f"model {ADAPTER_ID} (not there, or private and not to be seen without a token): {len(SCORED_FILES) - 1} files to add"
        in said
    )
    assert {line[4:] for line in said.splitlines() if line.startswith("  + ")} == SCORED_FILES - {".gitattributes"}
    assert "dry run: nothing was sent." in said
    assert not world.hub.repositories
    assert not world.hub.collections
    assert {request.method for request in world.hub.requests} == {"GET"}


def test_one_commit_holds_everything_and_nothing_of_this_machine(world):
    before = times_of("runs")
    assert world.push(*SCORED, *LICENSED) == 0
    assert times_of("runs") == before, "the run folder is as it was"
    initial, *_ = reversed(world.repository.commits)
    assert len(world.repository.commits) == 2
    assert initial.title == "initial commit"
    files = world.files
    assert files.keys() == SCORED_FILES
    assert files["adapter_model.safetensors"] == Path(RUN, "adapter/adapter_model.safetensors").read_bytes()
    for name, content in files.items():
        for local in (str(world.folder), "runs/smoke", '/adapter"'):
            assert local.encode() not in content, f"{name} names {local}"
    assert json.loads(files["adapter_config.json"])["base_model_name_or_path"] == BASE_ID
    base = json.loads(Path(RUN, "adapter/base_model.json").read_text())
    assert json.loads(files["base_model.json"]) == base | {"name": BASE_ID}
    recipe = yaml.safe_load(Path(RUN, "recipe.yaml").read_text())
    assert yaml.safe_load(files["recipe.yaml"]) == recipe | {"base": BASE_ID, "dataset": DATA_ID}
    assert files["training.json"] == Path(RUN, "training.json").read_bytes()


def test_the_card_is_complete_for_the_hub(world):
    assert world.push(*SCORED, *LICENSED) == 0
    data = ModelCard(world.card).data
    assert (data.base_model, data.base_model_relation, data.datasets) == (BASE_ID, "adapter", [DATA_ID])
    assert (data.license, data.library_name, data.model_name) == ("apache-2.0", "peft", "smoke-rella")
    (own,) = [row for row in json.loads(Path(RESULTS).read_text())["rows"] if row["name"] == "rella"]
    found = {result.metric_type: result.metric_value for result in data.eval_results}
    metrics = {"roc_auc": "auc", "log_loss": "log_loss", "accuracy": "accuracy", "group_auc": "group_auc"}
    expected = {kind: own[name]["value"] for kind, name in metrics.items() if own.get(name)}
    assert {"roc_auc", "log_loss", "accuracy"} <= set(expected)
    assert found == pytest.approx(expected, abs=5e-5)
    assert world.files["recipe.yaml"].decode().rstrip() in world.card
    assert "](report.png)" in world.card
    assert "](training.png)" in world.card
    assert "is under the licence `apache-2.0`" in world.card


def test_published_scores_give_the_same_report(world, command, tmp_path):
    assert world.push(*SCORED, *LICENSED) == 0
    for name in ("rella", "zero_shot"):
        (tmp_path / f"{name}.parquet").write_bytes(world.files[f"scores/{name}.parquet"])
        ours, published = read_scores(Path(f"{SCORES}/{name}.parquet")), read_scores(tmp_path / f"{name}.parquet")
        assert np.array_equal(ours.score, published.score)
        assert published.record["dataset_folder"] is None
        assert published.record["fingerprint"] == ours.record["fingerprint"], "it is of identities, not of names"
        assert (published.record["base"], published.record["dataset"]) == (BASE_ID, DATA_ID)
        assert published.record["adapter"] == (ADAPTER_ID if name == "rella" else None)
    files = [tmp_path / f"{name}.parquet" for name in ("rella", "zero_shot")]
    report = ["--scores", *files, "--output", tmp_path, "--dataset", DATA, "--resamples", "50"]
    assert command("evaluation/report.py", *report) == 0
    again = json.loads((tmp_path / "results.json").read_text())["rows"]
    published = json.loads(world.files["results.json"])["rows"]
    numbers = ("name", "n", "auc", "log_loss", "accuracy", "auc_difference", "reference", "base")
    assert [[row[key] for key in numbers] for row in again] == [[row[key] for key in numbers] for row in published]
    assert [row["score_file"] for row in published] == ["scores/rella.parquet", "scores/zero_shot.parquet", *[None] * 3]
    assert [row["record"]["fingerprint"] for row in again[:2]] == [r["record"]["fingerprint"] for r in published[:2]]


def test_a_second_push_sends_nothing_and_a_new_card_only_itself(world, capsys):
    assert world.push(*SCORED, *LICENSED) == 0
    uploads = sum(world.hub.uploaded.values())
    assert world.push(*SCORED, *LICENSED) == 0
    assert f"{ADAPTER_ID}: nothing to change." in capsys.readouterr().out
    assert len(world.repository.commits) == 2
    assert world.push(*SCORED, *IDS, "--license", "mit") == 0
    said = capsys.readouterr().out
    assert "0 files to add, 1 to change, 0 to delete" in said
    assert "  ~ README.md" in said
    assert sum(world.hub.uploaded.values()) == uploads
    assert "license: mit" in world.card


def test_what_a_later_push_leaves_out_vanishes(world):
    assert world.push(*SCORED, *LICENSED) == 0
    world.repository.commit({"notes.txt": b"of somebody else"})
    assert world.push(*SCORED[:2], *LICENSED) == 0
    assert world.files.keys() == {name for name in SCORED_FILES if "scores/" not in name} | {"notes.txt"}


def test_private_tag_and_collection(world, capsys):
    options = ("--private", "--revision_tag", "v1.0", "--collection", "ReLLa")
    assert world.push(*SCORED, *LICENSED, *options) == 0
    assert world.repository.private
    assert world.repository.tags["v1.0"] == world.repository.commits[0].oid
    (collection,) = world.hub.collections.values()
    assert [item["id"] for item in collection["items"]] == [ADAPTER_ID]
    assert world.push(*SCORED, *LICENSED, *options) == 0, "all of it stands"
    world.repository.private = False
    assert world.push(*SCORED, *LICENSED, *options) == 2
    assert "rella/smoke-rella is public, and a private repository was asked for." in capsys.readouterr().err


def test_the_licence_is_that_of_the_base(world):
    give_base(world.hub)
    assert world.push(*SCORED, *IDS) == 0
    assert ModelCard(world.card).data.license == "llama2"


def test_a_named_licence_of_the_base_is_taken_with_its_name(world):
    give_base(world.hub, "---\nlicense: other\nlicense_name: qwen-research\nlicense_link: LICENSE\n---\n")
    assert world.push(*SCORED, *IDS) == 0
    data = ModelCard(world.card).data
    link = f"https://huggingface.co/{BASE_ID}/blob/main/LICENSE"
    assert (data.license, data.license_name, data.license_link) == ("other", "qwen-research", link)
    assert "is under the licence `qwen-research`" in world.card


def test_a_tokenizer_of_its_own_is_published(world):
    path = Path(RUN, "adapter/tokenizer_config.json")
    path.write_text(json.dumps(json.loads(path.read_text()) | {"padding_side": "left", "is_local": True}))
    assert world.push(*SCORED, *LICENSED) == 0
    assert world.files.keys() == SCORED_FILES | {"tokenizer.json", "tokenizer_config.json"}
    published = json.loads(world.files["tokenizer_config.json"])
    assert published["padding_side"] == "left"
    assert not published.keys() & {"is_local", "local_files_only"}


def test_only_what_the_adapter_is_compared_with_is_published(world):
    results = json.loads(Path(RESULTS).read_text())
    foreign = json.loads(json.dumps(results["rows"][0])) | {"config_name": "recency_k5", "name": "another"}
    foreign["record"]["adapter_identity"]["sha256"] = "0" * 64
    beside = foreign | {"config_name": "reit_k5", "base": "/home/me/other"}
    beside["record"] = foreign["record"] | {"adapter": "/home/me/runs/sasrec/adapter", "base": "/home/me/other"}
    beside["record"]["base_identity"] = {"name": "/home/me/other", "revision": "sha256:0"}
    Path(RESULTS).write_text(json.dumps(results | {"rows": [*results["rows"], foreign, beside]}))
    assert world.push(*SCORED, *LICENSED) == 0
    *_, last = json.loads(world.files["results.json"])["rows"]
    assert (last["name"], last["base"], last["record"]["adapter"]) == ("another", "other", "sasrec")
    assert len(json.loads(world.files["results.json"])["rows"]) == len(results["rows"]) + 1


@pytest.mark.slow
def test_what_was_pushed_loads_by_its_id_and_scores_the_same(world, tmp_path):
    """The code of the published card, in a process that knows the Hub and nothing of this machine."""
    give_base(world.hub)
    give_data(world.hub)
    assert world.push(*SCORED, *IDS, "--private") == 0
    (snippet,) = re.findall(r"^```python\n(.*?)^```$", world.card, re.DOTALL | re.MULTILINE)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    environment = world.hub.environment(tmp_path / "home", "read-token")
    line = [sys.executable, "-c", snippet]
    done = subprocess.run(line, cwd=elsewhere, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    printed = {int(i): float(p) for i, p in re.findall(r"^sample (\d+): P\(Yes\) = ([\d.]+)", done.stdout, re.M)}
    assert len(printed) == 5
    expected = score_rows(world, sorted(printed), tmp_path)
    assert [printed[i] for i in sorted(printed)] == pytest.approx(expected, abs=2e-6)


def score_rows(world: World, sample_ids: list[int], folder: Path) -> list[float]:
    """Those samples by the scoring command, from the run folder."""
    scoring = ["--base", BASE, "--dataset", DATA, "--config_name", "reit_k5", "--adapter", f"{RUN}/adapter"]
    assert world.command("evaluation/score.py", *scoring, "--output", folder / "all.parquet") == 0
    scores = read_scores(folder / "all.parquet")
    return scores.score[np.searchsorted(scores.sample_id, sample_ids)].tolist()


def test_an_adapter_scored_by_its_id_is_published_with_those_results(world, command):
    """The everyday way: tune and push, score what is on the Hub, push again with the results."""
    give_base(world.hub)
    give_data(world.hub)
    assert world.push(*IDS) == 0
    scoring = ["--base", BASE_ID, "--dataset", DATA_ID, "--config_name", "reit_k5", "--limit", 60]
    assert command("evaluation/score.py", *scoring, "--adapter", ADAPTER_ID, "--output", "by_id.parquet") == 0
    by_id, by_folder = read_scores(Path("by_id.parquet")), read_scores(Path(f"{SCORES}/rella.parquet"))
    assert np.array_equal(by_id.sample_id, by_folder.sample_id)
    assert np.array_equal(by_id.score, by_folder.score)
    assert command("evaluation/report.py", "--scores", "by_id.parquet", "--output", "again", "--resamples", 50) == 0
    assert world.push("--results", "again/results.json", "--scores", "by_id.parquet", *IDS) == 0
    assert world.files.keys() == UNSCORED_FILES | {"report.png", "results.json", "scores/by_id.parquet"}
    record = json.loads(world.files["results.json"])["rows"][0]["record"]
    assert (record["base"], record["adapter"], record["dataset"]) == (BASE_ID, ADAPTER_ID, DATA_ID)
    assert f'base, adapter = "{BASE_ID}", "{ADAPTER_ID}"' in world.card


# What a push refuses.


def test_folders_without_a_hub_id_are_refused(world, capsys):
    assert world.push(*SCORED, "--license", "mit") == 2
    said = capsys.readouterr().err
    assert "the base model runs/smoke/base and the data set runs/smoke/data are folders of this machine" in said
    assert "--base_model_id owner/name --dataset_id owner/name." in said
    assert world.push(*SCORED, "--license", "mit", *IDS[:2]) == 2
    said = capsys.readouterr().err
    assert "the data set runs/smoke/data is a folder" in said
    assert "--base_model_id" not in said
    assert not world.hub.requests


def test_an_unknown_licence_is_refused(world, capsys):
    assert world.push(*SCORED, *IDS) == 2
    said = capsys.readouterr().err
    assert f"{BASE_ID} is not on the Hub" in said
    assert f"the Hub states none for {BASE_ID}. Pass --license" in said
    give_base(world.hub, "---\nlicense: other\n---\n")
    assert world.push(*SCORED, *IDS) == 2
    assert "The licence 'other' says nothing without a name" in capsys.readouterr().err
    assert ("model", ADAPTER_ID) not in world.hub.repositories


def test_a_licence_that_the_base_does_not_have_is_said(world, capsys):
    give_base(world.hub)
    assert world.push(*SCORED, *LICENSED) == 0
    assert f"{BASE_ID} is under the licence llama2" in capsys.readouterr().err


def test_another_base_on_the_hub_is_refused(world, capsys):
    give_base(world.hub)
    world.hub.repositories["model", BASE_ID].commit({"model.safetensors": b"other weights"})
    assert world.push(*SCORED, *IDS) == 2
    assert re.search(rf"{BASE_ID} on the Hub has other weights \(sha256:\w+\) than the base", capsys.readouterr().err)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda: Path(RUN, "adapter/adapter_model.bin").write_bytes(b"x"), r"adapter_model\.bin is a pickle"),
        (lambda: Path(RUN, "adapter/more").mkdir() or Path(RUN, "adapter/more/x.pt").touch(), r"x\.pt is a pickle"),
        (lambda: shutil.rmtree(RUN), "There is no run folder runs/smoke/rella"),
        (lambda: Path(RUN, "adapter/adapter_config.json").unlink(), r"There is no .*adapter_config\.json"),
        (lambda: Path(RUN, "adapter/adapter_config.json").write_text("{"), r"adapter_config\.json cannot be read"),
        (lambda: Path(RESULTS).unlink(), "There are no results"),
        (lambda: Path(f"{SCORES}/rella.parquet").unlink(), "There is no score file"),
        (
            lambda: change(f"{RUN}/recipe.yaml", chat_template_path="/home/me/x.jinja"),
            "recipe.yaml would publish a path",
        ),
        (
            lambda: change(f"{RUN}/training.json", log=[{"at": f"in {Path.cwd()}"}]),
            r"training\.json would publish a path",
        ),
        (lambda: change(f"{RUN}/adapter/base_model.json", cache="~/models"), r"base_model\.json would publish a path"),
    ],
)
def test_what_may_not_be_published_is_refused(world, capsys, spoil, message):
    spoil()
    assert world.push(*SCORED, *LICENSED) == 2
    error = capsys.readouterr().err
    assert re.search(message, error), error
    assert not world.hub.repositories


def change(path: str, **values) -> None:
    """JSON is YAML."""
    Path(path).write_text(json.dumps(yaml.safe_load(Path(path).read_text()) | values))


def test_scores_of_a_corpus_that_must_not_be_passed_on_are_private(world, capsys, monkeypatch):
    restricted = replace(load_corpus("demo"), may_be_redistributed=False)
    monkeypatch.setattr("rella_hub.corpora.demo.CORPUS", restricted)
    assert world.push(*SCORED, *LICENSED) == 2
    assert "whose terms forbid to pass its data on. Push --private true, or without --scores" in capsys.readouterr().err
    assert world.push(*SCORED, *LICENSED, "--private", "true") == 0
    assert "Published with permission" not in world.card
    assert world.push(*SCORED, *LICENSED, "--permission", "its publisher, by letter") == 0
    assert "as stated by who published it: its publisher, by letter" in world.card


def test_scores_of_somebody_else_are_refused(world, capsys):
    path = Path(f"{SCORES}/rella.parquet")
    table = pq.read_table(path)
    record = json.loads(table.schema.metadata[store.PROVENANCE_KEY])
    record["adapter_identity"]["sha256"] = "0" * 64
    pq.write_table(table.replace_schema_metadata({store.PROVENANCE_KEY: json.dumps(record)}), path)
    assert world.push(*SCORED, *LICENSED) == 2
    assert "which is neither the adapter of runs/smoke/rella nor its base model alone" in capsys.readouterr().err
    Path("twice").mkdir()
    shutil.copy(path, "twice/rella.parquet")
    assert world.push(*SCORED[:3], path, "twice/rella.parquet", *LICENSED) == 2
    assert "--scores has 2 files of the name rella.parquet" in capsys.readouterr().err
    assert world.push("--scores", path, *LICENSED) == 2
    assert "Score files are published with the results that they give" in capsys.readouterr().err


def test_a_data_set_that_only_the_scores_know_is_refused(world, capsys):
    results = json.loads(Path(RESULTS).read_text())
    shutil.copytree(DATA, "other")
    for row in results["rows"]:
        row["record"]["dataset"] = "other"
    Path(RESULTS).write_text(json.dumps(results))
    assert world.push(*SCORED[:2], *LICENSED) == 2
    assert "'rella' was scored on the data set other, a folder of this machine" in capsys.readouterr().err


CARD = """---
license: mit
base_model: a/b
base_model_relation: adapter
datasets: [a/c]
library_name: peft
pipeline_tag: text-generation
tags: [x]
---
# Card
"""


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (CARD + "{{ title }}", r"not filled: '\{\{ title \}\}'"),
        (CARD + "{% if x %}", "not filled"),
        (CARD + "[More Information Needed]", "not filled"),
        (CARD.replace("license: mit\n", ""), "lacks license"),
        (CARD.replace("datasets: [a/c]\n", "datasets: []\n"), "lacks datasets"),
        (CARD.replace("tags: [x]", "tags: [x]\nmodel-index: [{name: x}]"), "results"),
    ],
)
def test_an_unfinished_card_is_refused(text, message):
    checks.check_card(CARD + "\n```bibtex\ntitle={{The} title}\n```\n", (*NEEDED, *OF_A_BASE))
    with pytest.raises(ValueError, match=message):
        checks.check_card(text, (*NEEDED, *OF_A_BASE))


@pytest.mark.parametrize(
    ("base", "in_folder", "dataset", "given", "expected"),
    [
        ("org/base", False, "org/data", {}, ("org/base", "org/data")),
        ("org/base", False, "rella/ml1m", {}, ("org/base", "rella/ml1m")),
        ("org/base", True, "org/data", {"base_model_id": "me/b"}, ("me/b", "org/data")),
        ("/b", True, "/d", {"base_model_id": "me/b", "dataset_id": "me/d"}, ("me/b", "me/d")),
    ],
)
def test_what_things_are_called_on_the_hub(base, in_folder, dataset, given, expected, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("rella/ml1m").mkdir(parents=True)  # the default folder has the name of the Hub's
    options = AdapterPublishingArguments(**given)
    found = identity.identify("me/a", dataset, "ml1m", options, base, in_folder)
    assert (found.base, found.dataset) == expected


# A push at the end of a training.


def test_tuning_publishes_its_adapter_and_results_come_later(world, monkeypatch, capsys):
    shutil.rmtree(RUN)
    give_base(world.hub)
    assert world.tune("--hub_model_id", ADAPTER_ID, *IDS, "--hub_private_repo", "true") == 0
    said = capsys.readouterr().out
    assert len(world.repository.commits) == 2, "no checkpoint was pushed"
    assert world.repository.private
    assert world.files.keys() == UNSCORED_FILES
    training = json.loads(Path(RUN, "training.json").read_text())
    assert "**Not scored yet.**" in world.card
    assert f"| {training['best_validation_auc']:.4f} |" in world.card
    assert "The scores above" not in world.card
    assert "model-index" not in world.card
    assert "What the paper prints" not in world.card
    assert f"python model_cards/push.py --run {RUN} --hub_model_id {ADAPTER_ID} --results" in said
    assert "push" not in Path(RUN, "recipe.yaml").read_text()

    assert world.tune("--hub_model_id", ADAPTER_ID, *IDS) == 0, "the run stands, and so does the repository"
    assert f"{ADAPTER_ID}: nothing to change." in capsys.readouterr().out

    assert world.push(*SCORED, *IDS) == 0  # the same weights were scored before
    assert world.files.keys() == SCORED_FILES
    assert world.tune("--hub_model_id", ADAPTER_ID, *IDS) == 0
    assert "holds this adapter with its results, kept." in capsys.readouterr().out
    assert world.files.keys() == SCORED_FILES


@pytest.mark.parametrize(
    ("token", "options", "message"),
    [
        (None, ("--hub_model_id", ADAPTER_ID, *LICENSED), "There is no Hub token"),
        ("read-token", ("--hub_model_id", ADAPTER_ID, *LICENSED), "lacks write permission"),
        ("write-token", ("--hub_model_id", "stranger/x", *LICENSED), "not to stranger"),
        ("write-token", ("--hub_model_id", "public/x", *LICENSED, "--hub_private_repo", "true"), "public/x is public"),
        ("write-token", ("--hub_model_id", ADAPTER_ID, *IDS), "The licence is not known"),
        ("write-token", ("--hub_model_id", ADAPTER_ID, "--license", "mit"), "are folders of this machine"),
        ("write-token", ("--hub_model_id", "x", *LICENSED), "expected a Hub id"),
        ("write-token", LICENSED, "pass --hub_model_id owner/name"),
        ("write-token", ("--hub_model_id", ADAPTER_ID, "--hub_token", "hf_secret"), "--hub_token is not taken"),
        ("write-token", ("--hub_model_id", ADAPTER_ID, "--hub_strategy", "checkpoint"), "--hub_strategy is"),
        ("write-token", ("--hub_model_id", ADAPTER_ID, "--hub_revision", "dev"), "--hub_revision is not taken"),
        ("write-token", ("--hub_model_id", ADAPTER_ID, *LICENSED, "--full_finetuning"), "leaves no adapter"),
    ],
)
def test_what_cannot_be_published_is_not_trained(world, monkeypatch, capsys, token, options, message):
    shutil.rmtree(RUN)
    world.hub.state.organizations.append("public")
    world.hub.add_repository("model", "public/x")
    monkeypatch.delenv("HF_TOKEN")
    if token:
        monkeypatch.setenv("HF_TOKEN", token)
    assert world.tune(*options) == 2
    error = capsys.readouterr().err
    assert message in error
    assert "hf_secret" not in error
    assert not Path(RUN).exists()
    assert ("model", ADAPTER_ID) not in world.hub.repositories
