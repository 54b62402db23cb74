"""LLaRA end to end on the demo corpus: what a run leaves, what it refuses, and that its answers are those of the model read plainly."""

import contextlib
import json
import shutil
from pathlib import Path

import huggingface_hub
import numpy as np
import pytest
import tiny_titles
import torch
import yaml
from hub_server import HubServer
from peft import PeftModel
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, AutoTokenizer

from rella_hub import systems
from rella_hub.language_models.item_prompts import MARK as PLACE
from rella_hub.language_models.projector import add_items
from rella_hub.systems.hybrid.items import load_items
from rella_hub.systems.hybrid.options import Options
from rella_hub.systems.hybrid.questions import Hybrid
from rella_hub.systems.hybrid.trainer import ranked
from rella_hub.tables import store
from rella_hub.tables.choices import NONE, read_choices

DATA, CONFIG, RUN = "rella/demo", "next_item_k10", "runs/llara"
RECOMMENDER, MODEL_ID = "runs/gru4rec", "rella/demo-llara"
TRAIN = ("training/train.py", "--family", "hybrid", "--dataset", DATA, "--base", "base")
SMALL = (
    *("--num_shots", 24, "--num_validation", 10, "--num_train_epochs", 2, "--per_device_train_batch_size", 4),
    *("--gradient_accumulation_steps", 2, "--learning_rate", 5e-3, "--logging_steps", 3),
)
WEIGHTS, ITEMS = "llara/adapter_model.safetensors", "llara/items.safetensors"


@pytest.fixture(scope="module")
def machine(command, tmp_path_factory):
    """A data set, a base, a recommender and a hybrid system of both, in one folder."""
    folder = tmp_path_factory.mktemp("hybrid")
    with contextlib.chdir(folder):
        release = ("dataset_builders/release.py", "--corpus", "demo", "--task", "next_item")
        assert command(*release) == 0
        tiny_titles.base_folder(Path("base"))
        sequential = ("training/train.py", "--family", "sequential", "--model", "gru4rec", "--dataset", DATA)
        quick = ("--embedding_size", 6, "--num_train_epochs", 1, "--num_shots", 200)
        assert command(*sequential, *quick, "--output_dir", RECOMMENDER) == 0
        assert command(*TRAIN, *SMALL, "--recommender", RECOMMENDER, "--output_dir", RUN) == 0
    return folder


@pytest.fixture
def here(machine, monkeypatch):
    monkeypatch.chdir(machine)


@pytest.fixture
def spoilt(here, tmp_path) -> Path:
    """A copy of the run, for a test to spoil."""
    return Path(shutil.copytree(RUN, tmp_path / "llara"))


def choose(command, output, *options) -> int:
    ask = ("evaluation/choose.py", "--dataset", DATA, "--config_name", CONFIG, "--limit", 6, "--output", output)
    return command(*ask, *options)


def test_a_run_leaves_lora_projector_and_item_vectors(here):
    files = {path.name for path in Path(RUN, "llara").iterdir()}
    assert files == {".rella.json", "adapter_model.safetensors", "base_model.json", "items.safetensors", "llara.json"}
    training = json.loads(Path(RUN, "training.json").read_text())
    weights = load_file(Path(RUN, WEIGHTS))
    projector = {name for name in weights if ".projector." in name}
    assert sorted(name.rpartition("projector.")[2] for name in projector) == [
        "0.bias",
        "0.weight",
        "2.bias",
        "2.weight",
    ]
    lora = weights.keys() - projector
    assert len(lora) == 2 * 7 * 2, "the seven linear layers of two blocks, and no other: not those of the projector"
    assert training["trainable_weights"] == sum(weight.numel() for weight in weights.values())
    assert (training["steps"], training["training_samples"]) == (6, 24)
    assert 0 < training["hybrid_steps"] < 6
    rates = [entry["learning_rate"] for entry in training["log"] if "learning_rate" in entry]
    assert rates[-1] == pytest.approx(5e-5), "the cosine ends at a hundredth"
    table, own = load_items(Path(RUN, "llara")), store.read(Path(DATA), "items")
    assert set(table.items.item_id) == set(own["item_id"].to_pylist())
    assert yaml.safe_load(Path(RUN, "recipe.yaml").read_text())["recommender"] == RECOMMENDER
    assert 'base"' not in Path(RUN, "llara/llara.json").read_text(), "it names no place of this machine"


def test_a_finished_run_is_kept_and_another_recipe_is_refused(here, command, capsys):
    again = (*TRAIN, *SMALL, "--recommender", RECOMMENDER, "--output_dir", RUN)
    assert command(*again) == 0
    assert "unchanged inputs, kept." in capsys.readouterr().out
    assert command(*again, "--curriculum", "direct") == 2
    assert "its recipe.curriculum is 'paper', asked for is 'direct'" in capsys.readouterr().err


def test_hybrid_prompts_are_those_of_the_data_set_with_a_place_behind_each_title(here):
    rows = store.read_rows(Path(DATA), CONFIG, 0, 5, "test")
    hybrid = Hybrid.of(Path(DATA), load_items(Path(RUN, "llara")))
    texts, places = hybrid.put(rows)
    assert [text.replace(PLACE, "") for text in texts] == rows["prompt"].to_pylist()
    for text, of_text, shown, listed in zip(
        texts, places, rows["history_item_ids"].to_pylist(), rows["candidate_item_ids"].to_pylist(), strict=True
    ):
        assert text.count(PLACE) == len(of_text)
        assert hybrid.table.items.item_id[of_text].tolist() == [*shown, *listed]


def plain_likelihoods(rows) -> np.ndarray:
    """The oracle: PEFT alone on vectors put together by hand, each candidate in a pass of its own."""
    table = load_items(Path(RUN, "llara"))
    vectors, tokenizer = torch.from_numpy(table.vectors), AutoTokenizer.from_pretrained("base")
    weights = load_file(Path(RUN, WEIGHTS))
    w1, b1, w2, b2 = (
        next(weight for name, weight in weights.items() if name.endswith(f"projector.{part}"))
        for part in ("0.weight", "0.bias", "2.weight", "2.bias")
    )
    base = AutoModelForCausalLM.from_pretrained("base")
    words = base.get_input_embeddings()
    add_items(base, vectors)
    mark = json.loads(Path(RUN, "llara/llara.json").read_text())
    folder = Path("as_peft_saves_it")
    folder.mkdir(exist_ok=True)
    (folder / "adapter_config.json").write_text(json.dumps(mark["lora"]))
    shutil.copy(Path(RUN, WEIGHTS), folder)
    tuned = PeftModel.from_pretrained(base, folder).eval()
    texts, places = Hybrid.of(Path(DATA), table).put(rows)
    found = []
    for text, of_text, titles in zip(texts, places, rows["candidates"].to_pylist(), strict=True):
        parts = text.split(PLACE)
        vector = torch.nn.functional.gelu(vectors[of_text] @ w1.T + b1) @ w2.T + b2
        embedded = []
        for number, part in enumerate(parts):
            embedded.append(words(torch.tensor(tokenizer(part)["input_ids"])))
            embedded += [vector[number : number + 1]] if number < len(of_text) else []
        prompt = torch.cat(embedded)
        for title in titles:
            answer = torch.tensor(tokenizer(f"{title}\n")["input_ids"])
            with torch.no_grad():
                logits = tuned(inputs_embeds=torch.cat([prompt, words(answer)])[None]).logits[0].double()
            log_p = logits[len(prompt) - 1 : -1].log_softmax(dim=1)
            found.append(float(log_p.gather(1, answer[:, None]).sum()))
    return np.array(found).reshape(len(texts), -1)


def test_choices_are_those_of_the_model_read_plainly(here, command, tmp_path, capsys):
    assert choose(command, tmp_path / "sum", "--model", RUN, "--answer", "likelihood") == 0
    assert choose(command, tmp_path / "mean", "--model", f"{RUN}/llara", "--answer", "likelihood_per_token") == 0
    whole, each = read_choices(tmp_path / "sum"), read_choices(tmp_path / "mean")
    assert (whole.record["system"], each.record["system"]) == ("llara_likelihood", "llara_likelihood_per_token")
    rows = store.read(Path(DATA), CONFIG, "test")
    rows = rows.take([rows["sample_id"].to_pylist().index(one) for one in whole.sample_id[:2]])
    expected = plain_likelihoods(rows)
    np.testing.assert_allclose(whole.scores[:2], expected, atol=2e-3)
    tokenizer = AutoTokenizer.from_pretrained("base")
    lengths = [[len(tokenizer(f"{title}\n")["input_ids"]) for title in row] for row in rows["candidates"].to_pylist()]
    np.testing.assert_allclose(each.scores[:2], expected / np.array(lengths), atol=2e-3)
    assert (whole.chosen[:2] == whole.item_ids[:2][[0, 1], expected.argmax(axis=1)]).all()


@pytest.mark.slow
def test_written_answers_do_not_depend_on_the_batch(here, command, tmp_path, capsys):
    for name, tokens in (("one", 1), ("all", 100_000)):
        assert choose(command, tmp_path / name, "--model", RUN, "--tokens_per_batch", tokens) == 0
    said = capsys.readouterr().out
    assert "A perfect answerer has ValidRatio and HitRatio@1 0." in said
    assert "by the rule substring: some titles are alike, or part of others." in said
    one, all_at_once = (read_choices(tmp_path / name) for name in ("one", "all"))
    assert (one.chosen == all_at_once.chosen).all()
    assert set(one.chosen) >= {NONE} or (one.chosen != NONE).all()
    assert one.record["fingerprint"] == all_at_once.record["fingerprint"], "how many at once pins nothing"


def test_a_plain_base_answers_the_same_questions(here, command, tmp_path):
    assert choose(command, tmp_path / "base", "--base", "base", "--answer", "likelihood") == 0
    found = read_choices(tmp_path / "base")
    assert found.record["system"] == "zero_shot_likelihood"
    model, tokenizer = AutoModelForCausalLM.from_pretrained("base").eval(), AutoTokenizer.from_pretrained("base")
    rows = store.read(Path(DATA), CONFIG, "test")
    row = rows.slice(rows["sample_id"].to_pylist().index(found.sample_id[0]), 1).to_pylist()[0]
    prompt, answer = (tokenizer(text)["input_ids"] for text in (row["prompt"], row["candidates"][3] + "\n"))
    with torch.no_grad():
        log_p = model(torch.tensor([prompt + answer])).logits[0, len(prompt) - 1 : -1].double().log_softmax(dim=1)
    expected = float(log_p.gather(1, torch.tensor(answer)[:, None]).sum())
    assert found.scores[0, 3] == pytest.approx(expected, abs=2e-3)


@pytest.mark.slow
def test_titles_alone_need_no_recommender(here, command, tmp_path, capsys):
    run, text_only = tmp_path / "text", ("--curriculum", "text_only")
    assert command(*TRAIN, *SMALL, *text_only, "--num_train_epochs", 1, "--output_dir", run) == 0
    assert "0 of 3 optimizer steps read item vectors" in capsys.readouterr().out
    assert not (run / ITEMS).exists()
    assert not [name for name in load_file(run / WEIGHTS) if "projector" in name]
    assert choose(command, tmp_path / "choices", "--model", run) == 0
    assert systems.family_of(run) == systems.family_of(run / "llara") == "hybrid"
    assert command(*TRAIN, *SMALL, *text_only, "--recommender", RECOMMENDER, "--output_dir", run) == 2
    assert "--recommender runs/gru4rec has no effect without a curriculum with item vectors" in capsys.readouterr().err
    assert command(*TRAIN, *SMALL, "--output_dir", run) == 2
    assert "there is no --recommender to take them from" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("file", "said"),
    [
        (WEIGHTS, "has no adapter_model.safetensors: a hybrid system is loaded whole or not at all"),
        (ITEMS, "has no items.safetensors: a hybrid system is loaded whole or not at all"),
        ("llara/base_model.json", "has no base_model.json, which says its base"),
    ],
)
def test_a_part_that_is_missing(spoilt, command, capsys, tmp_path, file, said):
    (spoilt / file).unlink()
    assert choose(command, tmp_path / "choices", "--model", spoilt) == 2
    assert said in capsys.readouterr().err


def test_vectors_or_weights_of_another_run(spoilt, command, capsys, tmp_path):
    path = spoilt / ITEMS
    table = load_file(path)
    save_file(table | {"vector": table["vector"] + 1}, path, metadata={"recommender": "{}"})
    assert choose(command, tmp_path / "choices", "--model", spoilt) == 2
    assert "is not the file that llara.json tells of: it is damaged, or of another run" in capsys.readouterr().err


def test_a_base_of_another_width(here, command, capsys, tmp_path):
    tiny_titles.base_folder(tmp_path / "wide", width=32)
    other = ("--model", RUN, "--base", tmp_path / "wide")
    assert choose(command, tmp_path / "choices", *other) == 2
    assert "was trained on base" in capsys.readouterr().err
    assert choose(command, tmp_path / "choices", *other, "--any_base", "true") == 2
    assert "a base of width 32 need (32, 6)" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("change", "said"),
    [({"corpus": "ml100k"}, "trained on ml100k"), ({"sha256": "0" * 64}, "numbers its items otherwise")],
)
def test_a_recommender_of_other_items(here, command, capsys, tmp_path, change, said):
    other = Path(shutil.copytree(RECOMMENDER, tmp_path / "other"))
    path = other / "model/items.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    assert command(*TRAIN, *SMALL, "--recommender", other, "--output_dir", tmp_path / "run") == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_an_interrupted_run_resumes_to_the_same_weights(here, command, capsys, tmp_path, monkeypatch):
    from rella_hub.systems.hybrid import trainer

    run = (*TRAIN, *SMALL, "--recommender", RECOMMENDER, "--output_dir", tmp_path / "run")
    evaluate, calls = trainer.HybridTrainer.evaluate, []

    def stop(self, *args, **kwargs):
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return evaluate(self, *args, **kwargs)

    monkeypatch.setattr(trainer.HybridTrainer, "evaluate", stop)
    assert command(*run) == 130
    monkeypatch.setattr(trainer.HybridTrainer, "evaluate", evaluate)
    capsys.readouterr()
    assert command(*run) == 0
    assert "going on from" in capsys.readouterr().out
    ours, whole = load_file(tmp_path / "run" / WEIGHTS), load_file(Path(RUN, WEIGHTS))
    assert all(torch.equal(ours[name], whole[name]) for name in whole.keys() | ours.keys())


def test_the_card_says_what_it_is(here, command):
    assert command("model_cards/render.py", "--run", RUN, "--overwrite", "true") == 0
    card = Path(RUN, "llara/README.md").read_text()
    for words in (
        "the vector that the recommender `gru4rec` has",
        "optimizer steps read item vectors",
        "arxiv.org/abs/2312.02445",
    ):
        assert words in card
    assert "{{" not in card


@pytest.fixture
def hub(monkeypatch):
    with HubServer() as server:
        constants = huggingface_hub.constants
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
        monkeypatch.setattr(constants, "ENDPOINT", server.endpoint)
        template = server.endpoint + "/{repo_id}/resolve/{revision}/{filename}"
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        monkeypatch.setenv("HF_TOKEN", "write-token")
        yield server


def test_a_repository_is_loaded_whole(here, command, hub, tmp_path):
    """One repository has all that is needed beside the base, and answers as the run folder does."""
    push = ("model_cards/push.py", "--run", RUN, "--hub_model_id", MODEL_ID, "--license", "apache-2.0")
    assert command(*push, "--base_model_id", "rella/tiny-base", "--dataset_id", DATA) == 0
    files = hub.repositories["model", MODEL_ID].files()
    own = {"adapter_model.safetensors", "items.safetensors", "llara.json", "base_model.json"}
    assert own < files.keys()
    assert "adapter_config.json" not in files, "PEFT alone would load half of it"
    assert json.loads(files["base_model.json"])["name"] == "rella/tiny-base"
    for name, model in (("here", RUN), ("pulled", MODEL_ID)):
        assert choose(command, tmp_path / name, "--model", model, "--base", "base", "--answer", "likelihood") == 0
    ours, pulled = read_choices(tmp_path / "here"), read_choices(tmp_path / "pulled")
    assert (ours.scores == pulled.scores).all()
    assert pulled.record["system"] == "demo-llara_likelihood"


def test_validation_counts_a_tie_as_wrong():
    scores, target = np.array([[1.0, 3.0, 2.0], [2.0, 2.0, 0.0]]), np.array([1, 0])
    assert ranked(scores, target) == {"hit_ratio": 0.5, "ndcg": pytest.approx((1 + 1 / np.log2(3)) / 2)}


def test_options_that_make_no_sense():
    given = {"dataset": DATA, "output_dir": "runs/x", "recommender": "r"}
    for wrong, said in (
        ({"curriculum": "slow"}, "--curriculum is 'slow'; expected one of paper, released_before"),
        ({"metric_for_best_model": "auc"}, "expected one of hit_ratio, ndcg"),
        ({"lowest_rate": 2.0}, "--lowest_rate is 2.0; expected a number from 0 to 1"),
        ({"num_train_epochs": 0}, "--num_train_epochs is 0"),
    ):
        with pytest.raises(ValueError, match=said):
            Options(**given | wrong)
