"""Runs of CTR-BERT and PTab: trained, resumed exactly, kept or refused the second time, scored on the samples of every other system."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tiny_bert
import torch
from safetensors.torch import load_file

from rella_hub import cli
from rella_hub.hub.model_folders import require_model
from rella_hub.stages.arguments import PromptArguments, ViewArguments
from rella_hub.stages.prompt import build_prompts
from rella_hub.stages.view import build_views
from rella_hub.systems.encoder import train as training
from rella_hub.systems.encoder.inputs import SIDES, Seen, open_sides, read_samples
from rella_hub.systems.encoder.loop import predict
from rella_hub.systems.encoder.network import Classifier, Computing
from rella_hub.systems.encoder.options import Options, ScoreOptions, holds
from rella_hub.systems.encoder.pretrained import empty_towers
from rella_hub.systems.encoder.score import load
from rella_hub.systems.encoder.tokens import Budget
from rella_hub.systems.encoder.train import train
from rella_hub.tables import store
from rella_hub.tables.scores import read_scores

MODELS = ("ctr_bert", "ptab")


@pytest.fixture(scope="module")
def bert(tmp_path_factory) -> Path:
    return tiny_bert.save(tmp_path_factory.mktemp("bert"))


@pytest.fixture
def options(prepared, bert, tmp_path):
    def make(model: str, **changed):
        return tiny_bert.options(model, bert, prepared.folder, tmp_path / model, **changed)

    return make


def record_of(options) -> dict:
    return json.loads((Path(options.output_dir) / "training.json").read_text())


def weights(options) -> bytes:
    return (Path(options.output_dir) / "encoder/model.safetensors").read_bytes()


def test_rows(folder: Path):
    return store.read(folder, "samples", "test", ["sample_id", "label"])


test_rows.__test__ = False


@pytest.mark.parametrize(
    ("model", "changed"),
    [
        ("ctr_bert", {}),
        ("ctr_bert", {"history_in_text": True, "history_length": 2}),
        ("ptab", {"ids_in_text": False, "num_shots": 20, "num_validation": 5, "activation_checkpointing": True}),
    ],
    ids=["CTR-BERT", "CTR-BERT with history", "PTab"],
)
def test_a_run_says_what_it_was_and_scores_as_it_predicted(options, prepared, model, changed):
    made = options(model, **changed)
    train(made)
    record = record_of(made)
    assert record["training_samples"] == changed.get("num_shots", 55)
    assert record["best_validation"] == max(record["log"], key=lambda epoch: epoch["auc"])
    assert len(record["log"]) == 2
    assert ("masking" in record) == (model == "ptab")
    if model == "ptab":
        assert record["masking"]["head_is_new"] is True
        assert record["validation_samples"] == 5
        assert len(record["masking"]["log"]) == 2
    run = Path(made.output_dir)
    assert sorted(path.name for path in run.iterdir()) == [
        *(".rella.json", "encoder", "recipe.yaml", "training.json", "training.png")
    ]
    assert not [path for path in run.rglob("*") if path.suffix in (".bin", ".pt", ".pkl")]
    assert holds(run)
    assert holds(run / "encoder")
    system = load(str(run), None, ScoreOptions())
    assert system.training_samples == record["training_samples"]
    assert system.identity["model_identity"]["sha256"] == record["sha256"]["model.safetensors"]
    assert system.name == model
    rows = test_rows(prepared.folder)
    system.prepare(prepared.folder, "subr_k3", "test")
    in_chunks = np.concatenate([system.scores(rows.slice(begin, 3)) for begin in range(0, len(rows), 3)])
    assert in_chunks.dtype == np.float64
    assert np.allclose(in_chunks, predicted(made, prepared.folder, rows), atol=1e-6)


def predicted(made, folder: Path, rows) -> np.ndarray:
    """The scores of all rows at once, from the stored weights, without what scoring keeps."""
    towers, words = empty_towers(Path(made.output_dir) / "encoder", SIDES[made.model])
    model = Classifier(towers, words.pad_token_id)
    model.load_state_dict(load_file(Path(made.output_dir) / "encoder/model.safetensors"))
    seen = Seen(made.model, "ml1m", made.ids_in_text, made.history_length if made.history_in_text else 0)
    label = store.read(folder, "interactions")["label"].to_numpy()
    samples = read_samples(
        open_sides(folder, seen), rows["sample_id"].to_numpy(), Budget(words, made.max_length, "none"), label
    )
    return predict(model, samples, Computing(torch.device("cpu")))


def test_scoring_encodes_each_item_once_over_the_whole_run(options, prepared, monkeypatch):
    made = options("ctr_bert", num_train_epochs=1)
    train(made)
    system = load(made.output_dir, None, ScoreOptions())
    system.prepare(prepared.folder, "subr_k3", "test")
    encoded = []
    encode = Classifier.encode
    monkeypatch.setattr(
        Classifier,
        "encode",
        lambda self, side, tokens, *rest: encoded.append((side, len(tokens))) or encode(self, side, tokens, *rest),
    )
    rows = test_rows(prepared.folder)
    once = system.scores(rows)
    again = np.concatenate([system.scores(rows.slice(begin, 1)) for begin in range(len(rows))])
    samples = store.read(prepared.folder, "samples", "test")
    assert dict(encoded) == {side: len(set(samples[f"{side}_id"].to_pylist())) for side in ("user", "item")}
    assert len(encoded) == 2, "nothing is encoded again"
    assert np.allclose(once, again, atol=1e-7)


def stopped(options, after: int, monkeypatch) -> None:
    """Train, and press Ctrl-C while epoch `after` + 1 is validated."""
    calls = []

    def impatient(*given):
        calls.append(1)
        if len(calls) > after:
            raise KeyboardInterrupt
        return kept(*given)

    kept = training.validate
    with monkeypatch.context() as patched:
        patched.setattr(training, "validate", impatient)
        with pytest.raises(KeyboardInterrupt):
            train(options)


@pytest.mark.parametrize("model", MODELS)
def test_an_interrupted_run_ends_with_the_same_weights_and_log(options, tmp_path, monkeypatch, capsys, model):
    made = options(model, num_train_epochs=3, num_shots=30)
    whole = replace(made, output_dir=str(tmp_path / "whole"))
    train(whole)
    for _ in range(2):  # twice: what resumes leaves a checkpoint to resume from
        stopped(made, 1, monkeypatch)
    capsys.readouterr()
    train(made)
    said = capsys.readouterr().out
    assert "after epoch 2" in said
    assert "epoch 2:" not in said, "no epoch is trained twice"
    assert weights(made) == weights(whole)
    assert record_of(made)["log"] == record_of(whole)["log"]
    assert sorted(path.name for path in Path(made.output_dir).iterdir()) == [
        *(".rella.json", "encoder", "recipe.yaml", "training.json", "training.png")
    ]


def test_masking_resumes_exactly(options, tmp_path, monkeypatch):
    made = options("ptab", num_train_epochs=1, mlm_epochs=3, num_shots=30)
    whole = replace(made, output_dir=str(tmp_path / "whole"))
    train(whole)
    from rella_hub.systems.encoder import masked

    steps, calls = masked.step, []

    def impatient(*given):
        calls.append(1)
        if len(calls) > 3:  # two steps an epoch: in the second one
            raise KeyboardInterrupt
        steps(*given)

    with monkeypatch.context() as patched:
        patched.setattr(masked, "step", impatient)
        with pytest.raises(KeyboardInterrupt):
            train(made)
    assert (Path(made.output_dir) / "masked_checkpoint").is_dir()
    train(made)
    assert weights(made) == weights(whole)
    assert record_of(made)["masking"]["log"] == record_of(whole)["masking"]["log"]


def test_masking_reads_the_texts_of_the_training_samples_alone(options, prepared, monkeypatch):
    made = options("ptab", num_shots=20, num_train_epochs=1, mlm_epochs=1)
    read = []

    def adapt(running, texts, *rest):
        read.append(texts)

    monkeypatch.setattr(training, "adapt", adapt)
    train(made)
    (texts,) = read
    words = tiny_bert.tokenizer()
    ids = store.read_rows(prepared.folder, "samples", 0, 20, "train", ["sample_id"])["sample_id"].to_numpy()
    (side,) = open_sides(prepared.folder, Seen("ptab", "ml1m", True, 0))
    wanted = sorted(words(part)["input_ids"] for chunk in side.texts(ids) for part in chunk.to_pylist())
    found = sorted(texts.ids[a:b].tolist() for a, b in zip(texts.starts[:-1], texts.starts[1:], strict=True))
    assert found == wanted
    others = {
        row
        for split in ("validation", "test")
        for row in store.read(prepared.folder, "samples", split)["sample_id"].to_pylist()
    }
    assert not others & set(ids.tolist())


def test_masking_starts_the_classifier_and_changes_it(options, tmp_path):
    made = options("ptab", num_train_epochs=1, num_shots=20)
    less = replace(made, mlm_epochs=1, output_dir=str(tmp_path / "less"))
    for one in (made, less):
        train(one)
    assert weights(made) != weights(less)
    log = record_of(made)["masking"]["log"]
    assert log[1]["loss"] < log[0]["loss"]


def test_the_end_is_kept_and_another_recipe_refused(options, capsys, tmp_path):
    made = options("ctr_bert", num_train_epochs=1)
    train(made)
    before = weights(made)
    train(replace(made, overwrite=True))
    assert "unchanged inputs, kept" in capsys.readouterr().out
    other = replace(made, seed=4)
    with pytest.raises(ValueError, match=r"its recipe.seed is 3, asked for is 4. Pass --overwrite true"):
        train(other)
    train(replace(other, overwrite=True))
    assert weights(made) != before
    moved = shutil.copytree(made.encoder, tmp_path / "elsewhere" / Path(made.encoder).name)
    train(replace(other, encoder=str(moved)))
    assert "unchanged inputs, kept" in capsys.readouterr().out, "a place pins nothing"


def test_texts_over_the_budget_stop_a_run_unless_they_may_be_cut(options, capsys):
    made = options("ptab", max_length=20, num_train_epochs=1, mlm_epochs=1)
    with pytest.raises(ValueError, match=r"55 of 55 row texts are longer than --max_length 20 tokens"):
        train(made)
    assert not Path(made.output_dir).exists()
    train(replace(made, truncation="right"))
    assert record_of(made)["texts"]["train"]["row"]["cut"] == 55
    assert "55 of them cut" in capsys.readouterr().out
    with pytest.raises(ValueError, match=r"--max_length is 300, but .* has positions for 256 tokens"):
        train(options("ptab", max_length=300, output_dir=made.output_dir + "2"))


def test_equal_scores_are_warned_of(options, monkeypatch, capsys):
    from rella_hub.systems.encoder import loop

    monkeypatch.setattr(loop, "predict", lambda model, samples, how: np.full(len(samples), 0.4))
    train(options("ctr_bert", num_train_epochs=1))
    assert "validation samples get the same score (0.400000)" in capsys.readouterr().err


@pytest.fixture(scope="module")
def run(bert, raw_ml1m, tmp_path_factory) -> Path:
    """A finished run, and beside it the data set that it was trained on."""
    from rella_hub.stages.arguments import FolderArguments, RawArguments
    from rella_hub.stages.prepare import prepare

    folder = tmp_path_factory.mktemp("run")
    where = FolderArguments(corpus="ml1m", output=str(folder / "ml1m"))
    prepare(where, RawArguments(raw=str(raw_ml1m)))
    train(tiny_bert.options("ctr_bert", bert, where.folder, folder / "ctr_bert", num_train_epochs=1))
    return folder / "ctr_bert"


@pytest.mark.parametrize("name", ["model.safetensors", "config.json", "text.json", "tokenizer.json"])
def test_a_model_that_lacks_a_file_is_refused(run, tmp_path, name):
    broken = shutil.copytree(run / "encoder", tmp_path / "encoder")
    (broken / name).unlink()
    with pytest.raises(ValueError, match=f"has no {name}"):
        load(str(broken), None, ScoreOptions())


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"model": "tabbert"}, "has model 'tabbert'; expected ctr_bert or ptab"),
        ({"history_length": 10**9}, "reads more than 100,000 behaviors"),
        ({"hidden_size": 10**12}, "larger than its"),
        ({"text_version": 99}, "has text_version 99; expected 1"),
        ({"ids_in_text": "yes"}, "has ids_in_text 'yes'"),
        ({"max_length": "long"}, "max_length"),
    ],
)
def test_a_model_that_says_nonsense_of_itself_is_refused(run, tmp_path, changed, said):
    broken = shutil.copytree(run / "encoder", tmp_path / "encoder")
    text = json.loads((broken / "text.json").read_text())
    (broken / "text.json").write_text(json.dumps(text | changed))
    with pytest.raises(ValueError, match=said):
        load(str(broken), None, ScoreOptions())


def test_weights_that_do_not_fit_are_never_half_loaded(run, tmp_path):
    broken = shutil.copytree(run / "encoder", tmp_path / "encoder")
    text = json.loads((broken / "text.json").read_text())
    (broken / "text.json").write_text(json.dumps(text | {"hidden_size": 64}))
    system = load(str(broken), None, ScoreOptions())
    folder = run.parent / "ml1m"
    system.prepare(folder, "subr_k3", "test")
    with pytest.raises(ValueError, match=r"does not load .* Get it again, or train it again"):
        system.scores(test_rows(folder))


def test_what_pins_the_scores_is_in_the_identity(run, tmp_path):
    identities = [load(str(run), None, ScoreOptions()).identity["model_identity"]]
    assert str(run.parent) not in json.dumps(identities)
    for name, change in (("text.json", {"max_length": 150}), ("config.json", {"hidden_act": "relu"})):
        other = shutil.copytree(run / "encoder", tmp_path / name)
        values = json.loads((other / name).read_text())
        (other / name).write_text(json.dumps(values | change))
        changed = load(str(other), None, ScoreOptions()).identity["model_identity"]
        identities.append({**changed, "name": "ctr_bert"})
    assert all(one != other for i, one in enumerate(identities) for other in identities[:i])


def test_the_command_trains_from_a_recipe_and_says_what_is_wrong_in_a_line(command, prepared, bert, tmp_path, capsys):
    recipe = tmp_path / "ptab.yaml"
    recipe.write_text(
        "model: ptab\nmax_length: 200\nmlm_epochs: 1\nnum_train_epochs: 1\nbatch_size: 16\nnum_shots: 20\n"
    )
    places = ("--encoder", bert, "--dataset", prepared.folder, "--output_dir", tmp_path / "run")
    assert command("training/encoder.py", "--config", recipe, *places) == 0
    assert "masking, epoch 1: loss" in capsys.readouterr().out
    assert (
        command(
            "training/encoder.py", "--config", recipe, *places[:4], "--num_shots", 9999, "--output_dir", tmp_path / "x"
        )
        == 2
    )
    assert "9,999 samples of train are asked for" in capsys.readouterr().err.splitlines()[-1]
    assert command("training/encoder.py", "--config", recipe, *places[2:], "--encoder", tmp_path / "no") == 2
    assert capsys.readouterr().err.count("error: ") == 1


@pytest.mark.parametrize("name", ["ctr_bert", "ptab", "small_ctr_bert", "small_ptab"])
def test_every_recipe_is_read_by_the_real_parser(name):
    recipe = Path(__file__).parents[1] / f"training/recipes/ml1m/{name}.yaml"
    (made,) = cli.parse(Options, description="", arguments=["--config", str(recipe)])
    assert made.model == name.removeprefix("small_")
    assert made.output_dir == f"runs/ml1m/{name}"
    assert (made.num_shots is None) == (not name.startswith("small_"))


def test_a_trained_model_is_no_encoder_and_no_base(run):
    for place in (run, run / "encoder"):
        with pytest.raises(ValueError, match=r"Score it with --model"):
            require_model(place)


def test_the_command_scores_it_like_every_other_system(command, prepared, options, tmp_path, capsys):
    build_views(prepared, ViewArguments(view=["recency"], history_length=[3]))
    build_prompts(prepared, ViewArguments(view=["recency"], history_length=[3]), PromptArguments())
    made = options("ctr_bert", num_train_epochs=1)
    train(made)
    scores = tmp_path / "scores.parquet"
    where = ("--dataset", prepared.folder, "--config_name", "recency_k3", "--output", scores)
    assert command("evaluation/score.py", "--model", made.output_dir, *where) == 0
    found = read_scores(scores)
    rows = test_rows(prepared.folder).sort_by("sample_id")
    assert found.sample_id.tolist() == rows["sample_id"].to_pylist()
    assert np.allclose(found.score, predicted(made, prepared.folder, rows), atol=1e-6)
    assert found.record["model_identity"]["model"] == "ctr_bert"
    assert command("evaluation/report.py", "--scores", scores, "--output", tmp_path / "report", "--resamples", 50) == 0
    assert "| ctr_bert" in (tmp_path / "report/report.md").read_text()
    assert command("evaluation/score.py", "--model", made.output_dir, *where, "--max_length", 77) == 2
    assert "--max_length 77" in capsys.readouterr().err
