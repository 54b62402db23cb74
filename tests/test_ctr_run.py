"""training/ctr.py from the command line: trained, saved, scored like every other system, kept or refused the second time."""

import json
import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from builders import write_vectors

from rella_hub.networks.ctr import model_names
from rella_hub.stages.arguments import PromptArguments, ViewArguments
from rella_hub.stages.prompt import build_prompts
from rella_hub.stages.view import build_views
from rella_hub.systems.ctr.load import read_trained
from rella_hub.systems.ctr.options import ScoreOptions
from rella_hub.systems.ctr.score import load
from rella_hub.tables import store
from rella_hub.tables.scores import read_scores

SMALL = {"caser": '{"embedding_size": 8, "heights": [1, 2]}'}  # convolutions no higher than the history


@pytest.fixture
def data(prepared) -> Path:
    write_vectors(prepared)
    views = ViewArguments(view=["recency", "subr"], history_length=[3])
    build_views(prepared, views)
    build_prompts(prepared, views, PromptArguments())
    return prepared.folder


@pytest.fixture
def train(command, data, tmp_path):
    def run(model: str, *options) -> int:
        arguments = [
            "--model",
            model,
            "--dataset",
            data,
            "--output_dir",
            tmp_path / "runs" / model,
            "--history_length",
            3,
        ]
        arguments += [
            "--batch_size",
            16,
            "--num_train_epochs",
            2,
            "--model_options",
            SMALL.get(model, '{"embedding_size": 8}'),
        ]
        arguments += ["--retrieved", 3] if model == "sim" else []
        return command("training/ctr.py", *arguments, *options)

    return run


@pytest.mark.parametrize("model", model_names())
def test_every_model_is_trained_saved_and_scored(train, command, data, tmp_path, model):
    assert train(model) == 0
    run = tmp_path / "runs" / model
    record = json.loads((run / "training.json").read_text())
    assert record["training_samples"] == 55
    assert record["best_validation"] == max(record["log"], key=lambda epoch: epoch["auc"])
    assert (run / "training.png").stat().st_size > 5_000
    assert sorted(path.suffix for path in (run / "model").iterdir()) == [
        *(".json", ".json", ".parquet", ".safetensors")
    ]
    scores = tmp_path / f"{model}.parquet"
    options = ("--model", run, "--dataset", data, "--config_name", "subr_k3", "--output", scores)
    assert command("evaluation/score.py", *options) == 0
    found = read_scores(scores)
    test = store.read(data, "samples", "test").to_pydict()
    assert dict(zip(test["sample_id"], test["label"], strict=True)) == dict(
        zip(found.sample_id.tolist(), found.label.tolist(), strict=True)
    )
    system = load(str(run), None, ScoreOptions())
    system.prepare(data, "subr_k3", "test")
    again = system.scores(pa.table({"sample_id": found.sample_id}))
    assert np.allclose(again, found.score, atol=1e-6)
    assert command("evaluation/report.py", "--scores", scores, "--output", tmp_path / "report", "--resamples", 50) == 0
    assert f"| {model}" in (tmp_path / "report/report.md").read_text()


def test_what_was_trained_is_kept_and_another_recipe_refused(train, capsys, tmp_path):
    assert train("deepfm") == 0
    weights = (tmp_path / "runs/deepfm/model/model.safetensors").read_bytes()
    assert train("deepfm") == 0
    assert "unchanged inputs, kept" in capsys.readouterr().out
    assert train("deepfm", "--seed", 1) == 2
    assert "was made from other inputs: its recipe.seed is 0, asked for is 1" in capsys.readouterr().err
    assert train("deepfm", "--seed", 1, "--overwrite", "true") == 0
    assert (tmp_path / "runs/deepfm/model/model.safetensors").read_bytes() != weights
    assert train("deepfm", "--seed", 0, "--overwrite", "true") == 0
    assert (tmp_path / "runs/deepfm/model/model.safetensors").read_bytes() == weights, "the seed decides all"


def test_scores_are_pinned_by_weights_vocabulary_and_options(train, tmp_path):
    assert train("deepfm") == 0
    model = tmp_path / "runs/deepfm/model"
    identities = [read_trained(str(model)).identity]
    (model / "vocabulary.parquet").write_bytes(b"codes of other values")
    identities.append(read_trained(str(model)).identity)
    config = json.loads((model / "config.json").read_text())
    (model / "config.json").write_text(json.dumps(config | {"dropout": 0.9}))
    identities.append(read_trained(str(model)).identity)
    weights = (model / "model.safetensors").read_bytes()
    (model / "model.safetensors").write_bytes(weights[:-1] + bytes([weights[-1] ^ 1]))
    identities.append(read_trained(str(model)).identity)
    assert all(one != other for i, one in enumerate(identities) for other in identities[:i])


def test_few_shots_are_the_first_samples(train, tmp_path):
    assert train("din", "--num_shots", 20) == 0
    assert json.loads((tmp_path / "runs/din/training.json").read_text())["training_samples"] == 20


@pytest.mark.parametrize("search", ["subr", "category"])
def test_sim_searches_either_way(train, tmp_path, search):
    assert train("sim", "--search", search) == 0
    assert json.loads((tmp_path / "runs/sim/model/features.json").read_text())["search"] == search


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--model_options", '{"width": 3}'], "DeepFM takes "),
        (["--model_options", "{"], "expected JSON"),
        (["--model_options", '{"embedding_size": 0}'], "embedding_size is 0"),
        (["--history_length", "0"], "--history_length is 0; at least 1"),
        (["--learning_rate", "0"], "--learning_rate is 0"),
        (["--metric_for_best_model", "test_auc"], "expected one of auc, log_loss"),
        (["--search", "bm25"], "no search 'bm25'"),
        (["--search", "category"], "--search category has no effect without a model that retrieves, such as sim"),
        (["--retrieved", "3"], "--retrieved 3 has no effect without a model that retrieves"),
        (["--hub_model_id", "a/b"], "--hub_model_id a/b has no effect without --push_to_hub"),
        (["--license", "mit"], "--license mit has no effect without --push_to_hub"),
        (["--dataset_revision", "v1"], "is a folder here, which has no revision 'v1'"),
        (["--weight_decay", "nan"], "--weight_decay is nan"),
        (["--learning_rate", "inf"], "--learning_rate is inf"),
        (["--seed", "-1"], "--seed is -1"),
        (["--num_shots", "99999"], "99,999 samples of train are asked for"),
        (["--dataset", "nowhere"], "The data set 'nowhere' is neither a folder here"),
    ],
)
def test_bad_options_end_in_one_clear_line_and_no_run(train, capsys, tmp_path, options, said):
    assert train("deepfm", *options) == 2
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert error.startswith("error: ")
    assert said in error
    assert not (tmp_path / "runs/deepfm").exists()


def test_a_model_that_lacks_a_file_is_refused(train, command, data, tmp_path, capsys):
    assert train("deepfm") == 0
    options = ("--dataset", data, "--config_name", "subr_k3", "--output", tmp_path / "x.parquet")
    for name in ("features.json", "config.json", "vocabulary.parquet", "model.safetensors"):
        broken = shutil.copytree(tmp_path / "runs/deepfm", tmp_path / name)
        (broken / "model" / name).unlink()
        assert command("evaluation/score.py", "--model", broken, *options) == 2
        assert f"has no {name}" in capsys.readouterr().err
    assert command("evaluation/score.py", "--model", tmp_path / "runs/deepfm", "--base", "x", *options) == 2
    assert "--base x is an option of the family adapter, and" in capsys.readouterr().err
    assert command("evaluation/score.py", *options) == 2
    assert "there is no system to score" in capsys.readouterr().err
