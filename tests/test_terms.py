"""The terms of every corpus of which a push would pass something on, not only of the one that was trained on."""

import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from rella_hub.cards.publishing import push, terms
from rella_hub.cards.publishing.arguments import PublishingArguments, PushArguments
from rella_hub.cards.publishing.terms import UNKNOWN, Part
from rella_hub.pretraining import run as pretraining
from rella_hub.tables.scores import write_scores

OPEN = PublishingArguments()
IN_FOLDER = {"name": "runs/base", "revision": "sha256:0"}


def asked(**options) -> PushArguments:
    return PushArguments(run="runs/x", hub_model_id="me/x", **options)


def scores_of(path: Path, corpus: str) -> str:
    texts = {"system": "x", "dataset": "me/x", "config_name": "subr_k5", "split": "test", "corpus": corpus, "base": "b"}
    rest = dict.fromkeys(("adapter", "dataset_folder", "limit", "seed"))
    write_scores(path, np.arange(2), None, np.arange(2), np.array([0.1, 0.9]), {**texts, **rest, "fingerprint": "0"})
    return str(path)


def base_of(folder: Path, **record) -> Path:
    folder.mkdir()
    if record:
        (folder / terms.PRETRAINING).write_text(json.dumps(record))
    return folder


def test_the_name_is_that_of_pretraining():
    assert terms.PRETRAINING == pretraining.RECORD


@pytest.mark.parametrize(
    ("corpora", "forbidden"),
    [(["demo"], None), (["demo", "ml1m"], "MovieLens-1M"), (["ml25m"], "MovieLens-25M"), (["x"], "x")],
)
def test_scores_are_of_the_corpus_that_was_scored(tmp_path, corpora, forbidden):
    """An adapter of the demo that is scored on MovieLens has labels of MovieLens in its score files; what nobody knows is forbidden."""
    files = [scores_of(tmp_path / f"{corpus}.parquet", corpus) for corpus in corpora]
    what = {"results": "results.json", "scores": files}
    if forbidden:
        with pytest.raises(ValueError, match=rf"hold labels of {forbidden}, whose terms forbid .*or without --scores"):
            push.check_scores(asked(**what), OPEN)
    else:
        push.check_scores(asked(**what), OPEN)
    push.check_scores(asked(**what, private=True), OPEN)
    push.check_scores(asked(**what), PublishingArguments(permission="its publisher, by letter"))


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        ({"corpus": "ml1m"}, ["ml1m"]),
        ({"corpus": "demo"}, ["demo"]),
        ({"dataset": "gone/ml1m"}, [UNKNOWN]),
        ({}, []),
    ],
    ids=["MovieLens", "the demo", "an earlier version, whose data are gone", "a base of somebody else"],
)
def test_a_tokenizer_is_of_the_corpus_that_its_base_was_pretrained_on(tmp_path, record, expected):
    base = base_of(tmp_path / "base", **record)
    found = terms.of_tokenizer(IN_FOLDER, str(base), None)
    assert [part.corpus for part in found] == expected
    restricted = terms.forbidden(found, OPEN)
    assert bool(restricted) == (expected not in ([], ["demo"]))


def test_a_base_of_a_folder_that_is_gone_is_of_nobody_knows_what(tmp_path):
    assert [part.corpus for part in terms.of_tokenizer(IN_FOLDER, str(tmp_path / "gone"), None)] == [UNKNOWN]
    of_the_hub = {"name": "org/base", "revision": "0123"}
    assert terms.of_tokenizer(of_the_hub, "org/base", None) == []


def test_weights_are_of_the_corpus_of_the_base_where_they_are_copies_of_it(tmp_path):
    base = str(base_of(tmp_path / "base", corpus="ml1m"))
    own, copied = tmp_path / "own.safetensors", tmp_path / "copied.safetensors"
    save_file({"base_model.model.q_proj.lora_A.weight": np.zeros((1, 2), np.float32)}, own)
    save_file({"base_model.model.embed_tokens.weight": np.zeros((1, 2), np.float32)}, copied)
    assert terms.of_weights(own, IN_FOLDER, base, None) == []
    (part,) = terms.of_weights(copied, IN_FOLDER, base, None)
    with pytest.raises(ValueError, match=r"embed_tokens.* of MovieLens-1M, whose terms forbid"):
        terms.require_allowed([part], asked(), OPEN)


def test_what_cannot_be_left_out_needs_a_permission_or_a_private_repository():
    part = Part("The tokenizer holds words", None, "ml1m")
    with pytest.raises(ValueError, match=r"of MovieLens-1M.*--private true, or state the permission"):
        terms.require_allowed([part], asked(), OPEN)
    terms.require_allowed([part], asked(private=True), OPEN)
