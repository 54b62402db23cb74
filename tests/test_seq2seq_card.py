"""The card of a P5 is written from its run, and its score file from the command: what it reads, what was cut, N beside the paper's row."""

import contextlib
import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tiny_t5

from rella_hub.cards.results import Comparison
from rella_hub.corpora import corpus_ids, load_corpus
from rella_hub.stages.arguments import FolderArguments, PromptArguments, RawArguments, ViewArguments
from rella_hub.stages.prepare import prepare
from rella_hub.stages.prompt import build_prompts
from rella_hub.stages.view import build_views
from rella_hub.systems import families, family_of
from rella_hub.systems.seq2seq import card
from rella_hub.systems.seq2seq.facts import CONFIG, WEIGHTS, facts
from rella_hub.systems.seq2seq.train import train
from rella_hub.tables.scores import read_scores

DATA, RUN = "rella/ml1m", "runs/ml1m/p5"


@pytest.fixture(scope="module")
def released(raw_ml1m, tmp_path_factory) -> Path:
    """A data set with prompts and a P5 of 20 shots in a folder, by relative names."""
    folder = tmp_path_factory.mktemp("released")
    with contextlib.chdir(folder):
        where, views = FolderArguments(corpus="ml1m"), ViewArguments(view=["recency"], history_length=[3])
        prepare(where, RawArguments(raw=str(raw_ml1m)))
        build_views(where, views)
        build_prompts(where, views, PromptArguments())
        t5 = tiny_t5.save(Path("t5"))
        changed = {"num_shots": 20, "num_train_epochs": 1, "max_length": 90, "truncation": "right", "history_length": 3}
        train(tiny_t5.options(t5, Path(DATA), Path(RUN), **changed))
    return folder


@pytest.fixture
def here(released, tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(shutil.copytree(released, tmp_path / "here"))
    return tmp_path / "here"


def test_the_family_is_found_by_what_lies_in_a_folder(here):
    assert "seq2seq" in families()
    assert family_of(RUN) == family_of(f"{RUN}/t5") == "seq2seq"


def test_the_card_says_what_the_model_reads_and_what_was_cut(here, command):
    assert command("model_cards/render.py", "--run", RUN) == 0
    text = Path(RUN, "t5/README.md").read_text()
    cut = json.loads(Path(RUN, "training.json").read_text())["texts"]["train"]["cut"]
    assert cut > 0
    for said in (
        "P5 predicts whether a user will like a movie",
        "(N = 20, not full-shot)",
        "Will user_7 like the movie item_12 or not? Answer yes or no. user_7 has watched and rated these movies,",
        "The 3 latest behaviors with their ratings",
        f"{cut} texts of the training samples were longer and are cut at the right.",
        "10 users and 22 movies are numbered from 1",
        "**Not scored yet.**",
    ):
        assert said in text
    assert str(here) not in text


def test_a_score_file_is_written_by_the_command_and_the_released_way_is_told_apart(here, command):
    how = ("--model", RUN, "--dataset", DATA, "--config_name", "recency_k3")
    assert command("evaluation/score.py", *how, "--output", "ours.parquet") == 0
    assert command("evaluation/score.py", *how, "--whole_words", "false", "--output", "released.parquet") == 0
    ours, other = (read_scores(Path(f"{name}.parquet")) for name in ("ours", "released"))
    assert ours.record["system"] == "p5"
    assert ours.record["model_identity"]["sha256"] == facts(Path(RUN)).sha256
    assert [one.record["model_identity"]["whole_words_in_scoring"] for one in (ours, other)] == [True, False]
    assert ours.record["fingerprint"] != other.record["fingerprint"]
    assert np.abs(ours.score - other.score).max() > 1e-6
    assert str(here) not in json.dumps({k: v for k, v in ours.record.items() if k != "dataset_folder"})
    assert command("evaluation/score.py", *how, "--max_length", 100, "--output", "no.parquet") == 2


def test_facts_are_of_one_run(here):
    found = facts(Path(RUN))
    assert found.about == "P5 of ml1m, 20-shot"
    assert {CONFIG, "p5.json", "tokenizer.json", "tokenizer_config.json", "vocabulary.parquet"} <= set(found.files)
    assert found.parts() == []
    mark = Path(RUN, "t5/p5.json")
    told = json.loads(mark.read_text())
    mark.write_text(json.dumps(told | {"num_shots": 30}))
    with pytest.raises(ValueError, match=r"says that num_shots is 30, .* says 20: the two are not of the same run"):
        facts(Path(RUN))
    mark.write_text(json.dumps(told | {"pretrained_on": "ml1m"}))
    (part,) = facts(Path(RUN)).parts()
    assert (part.what, part.name) == ("The tokenizer and the weights hold words", "MovieLens-1M")
    Path(RUN, "t5", WEIGHTS).unlink()
    with pytest.raises(ValueError, match="so it is not a whole run"):
        facts(Path(RUN))


def test_the_papers_row_stands_beside_ours_with_both_numbers_of_samples(here):
    found = facts(Path(RUN))
    said = card.differences({"num_shots": 20}, found.training, found.data.corpus, "official")
    assert said[0] == "Ours has seen N = 20 training samples, the paper's all of them: it is full-shot, ours is not."
    full = card.differences({"num_shots": None}, found.training, found.data.corpus, "official")
    assert not any("full-shot" in one for one in full)
    main = Comparison("ml1m", "test", "recency_k3", {"record": {"limit": None}, "n": 8}, None, [], [], [])
    row = card.paper_row("ml1m", main)
    assert (row["system"], row["auc"]) == ("P5", 0.7937)
    assert card.paper_row("ml1m", replace(main, split="validation")) is card.paper_row("ml1m", None) is None


@pytest.mark.parametrize("corpus", [one for one in corpus_ids() if load_corpus(one).rating_range])
def test_every_corpus_has_an_example(corpus):
    text = card.example(load_corpus(corpus), history=True)
    assert text.startswith(
        f"Will user_7 like the {load_corpus(corpus).words.item} item_12 or not? Answer yes or no. user_7 has "
    )
    assert text.endswith(".")
    assert card.example(load_corpus(corpus), history=False).endswith("yes or no.")


def test_the_code_of_the_card_runs_as_it_stands(here, command):
    assert command("model_cards/render.py", "--run", RUN) == 0
    code = Path(RUN, "t5/README.md").read_text().split("```python\n")[1].split("```")[0]
    values = {}
    exec(code, values)
    scores = values["system"].scores(values["rows"])
    assert np.isfinite(scores).all()
    assert len(scores) == 5
