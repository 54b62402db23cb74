"""The card of a CTR-BERT or PTab is written from its run: what it reads, what was cut or new, N beside the paper's row."""

import contextlib
import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tiny_bert

from rella_hub.cards.results import Comparison
from rella_hub.stages.arguments import FolderArguments, RawArguments
from rella_hub.stages.prepare import prepare
from rella_hub.systems.encoder import card
from rella_hub.systems.encoder.facts import CONFIG, WEIGHTS, facts
from rella_hub.systems.encoder.train import WEIGHTS as WRITTEN
from rella_hub.systems.encoder.train import train

DATA, RUN = "rella/ml1m", "runs/ml1m/ptab"


@pytest.fixture(scope="module")
def released(raw_ml1m, tmp_path_factory) -> Path:
    """A data set and a PTab of 20 shots in a folder, by relative names."""
    folder = tmp_path_factory.mktemp("released")
    with contextlib.chdir(folder):
        prepare(FolderArguments(corpus="ml1m"), RawArguments(raw=str(raw_ml1m)))
        bert = tiny_bert.save(Path("bert"))
        changed = {"num_shots": 20, "num_train_epochs": 1, "max_length": 20, "truncation": "right"}
        train(tiny_bert.options("ptab", bert, Path(DATA), Path(RUN), **changed))
    return folder


@pytest.fixture
def here(released, tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(shutil.copytree(released, tmp_path / "here"))
    return tmp_path / "here"


def test_the_card_says_what_the_model_reads_and_what_is_new(here, command):
    assert command("model_cards/render.py", "--run", RUN) == 0
    text = Path(RUN, "encoder/README.md").read_text()
    for said in (
        "PTab predicts whether a user will like a movie",
        "the first 20 training samples of MovieLens-1M\n(N = 20, not full-shot)",
        "it was new, drawn at random and trained in that stage",
        "No history. The paper does not say whether its texts have one.",
        "20 distinct texts of the training samples were longer and are cut at the right.",
        "**Not scored yet.**",
        "| epoch of masking | loss of a masked token |",
    ):
        assert said in text
    assert text.count("| 2 |") == 1, "two epochs of masking, one of training"


def test_facts_are_of_one_run(here):
    found = facts(Path(RUN))
    assert (WEIGHTS, found.about) == (WRITTEN, "PTab of ml1m, 20-shot")
    assert {CONFIG, "text.json", "tokenizer.json", "tokenizer_config.json"} <= set(found.files)
    text = Path(RUN, "encoder/text.json")
    told = json.loads(text.read_text())
    text.write_text(json.dumps(told | {"num_shots": 30}))
    with pytest.raises(ValueError, match=r"says that num_shots is 30, .* says 20: the two are not of the same run"):
        facts(Path(RUN))
    text.write_text(json.dumps(told))
    Path(RUN, "encoder", WEIGHTS).unlink()
    with pytest.raises(ValueError, match="so it is not a whole run"):
        facts(Path(RUN))


def test_the_papers_row_stands_beside_ours_with_both_numbers_of_samples(here):
    found = facts(Path(RUN))
    told = {"model": "ptab", "num_shots": 20}
    said = card.differences(told, found.training, found.data.corpus, "official")
    assert said[0] == "Ours has seen N = 20 training samples, the paper's all of them: it is full-shot, ours is not."
    full = card.differences(told | {"num_shots": None}, found.training, found.data.corpus, "official")
    assert not any("full-shot" in one for one in full)
    comparison = Comparison
    own = {"record": {"limit": None}, "n": 8}
    main = comparison("ml1m", "test", "subr_k30", own, None, [], [], [])
    row = card.paper_row("ptab", "ml1m", main)
    assert (row["system"], row["auc"]) == ("PTab", 0.7955)
    assert "table 2" in row["source"]
    for other in (replace(main, split="validation"), replace(main, own={"record": {"limit": 100}, "n": 8}), None):
        assert card.paper_row("ptab", "ml1m", other) is None


def test_no_score_is_needed_to_load_the_code_of_the_card(here, command):
    """The lines that a reader copies out of the card run as they stand."""
    assert command("model_cards/render.py", "--run", RUN) == 0
    code = Path(RUN, "encoder/README.md").read_text().split("```python\n")[1].split("```")[0]
    values = {}
    exec(code, values)
    scores = values["system"].scores(values["rows"])
    assert np.isfinite(scores).all()
    assert len(scores) == 5
