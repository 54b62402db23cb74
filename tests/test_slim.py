"""SLIM's recommenders: the score by hand, who may be told what, the controls, and a whole run of each variant."""

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pytest
import torch
from builders import build_leave_one_out
from hypothesis import given
from hypothesis import strategies as st

from rella_hub.cards.arguments import CardArguments
from rella_hub.cards.card import write_card
from rella_hub.cli import read_yaml
from rella_hub.stages.rationales.arguments import RationaleArguments, TeacherArguments, TextArguments
from rella_hub.stages.rationales.rationalize import rationalize
from rella_hub.stages.text_vectors import embed_texts
from rella_hub.systems import facts_of, family_of
from rella_hub.systems.slim import inputs, score
from rella_hub.systems.slim.network import Slim
from rella_hub.systems.slim.options import VARIANTS, Options, ScoreOptions
from rella_hub.systems.slim.train import build, check, train
from rella_hub.tables import candidates, store, text_vectors
from rella_hub.tables.activity import activity_groups
from rella_hub.tables.text_vectors import TextVectors

USERS, WIDTH, TEXT, ITEMS = 60, 4, 6, 5
HISTORY = torch.tensor([[2, 5, 1], [3, 0, 0], [0, 0, 0]])
MASK = HISTORY > 0
TOLD = torch.cat([HISTORY, torch.tensor([[2], [0], [1]])], dim=1)  # the second user has no rationale
ASKED = torch.tensor([[4, 1], [2, 5], [3, 4]])


def model_of(variant: str, encoder: str = "gru4rec") -> Slim:
    torch.manual_seed(0)
    options = {"gru_size": WIDTH} if encoder == "gru4rec" else {}
    model = Slim(
        model=encoder,
        items=ITEMS,
        variant=variant,
        text_width=TEXT,
        embedding_size=WIDTH,
        history_length=3,
        spread=1.0,
        encoder_options=options,
    )
    texts = [torch.cat([torch.zeros(1, TEXT), torch.randn(rows, TEXT)]) for rows in (ITEMS, 2)]
    return model.read(*texts).eval()


@pytest.mark.parametrize("encoder", ["gru4rec", "sasrec", "srgnn"])
@pytest.mark.parametrize("variant", VARIANTS)
@torch.no_grad()
def test_scores_are_those_of_the_equations(variant, encoder):
    model = model_of(variant, encoder)

    def linear(layer, *parts):
        return layer.weight @ torch.cat(parts) + layer.bias

    def item(number):
        text, vector = model.item_texts[number], model.items.weight[number]
        if variant == "id":
            return vector
        if variant == "agnostic":
            return linear(model.match, text)
        return linear(model.fuse, linear(model.narrow, text), vector)

    def user(row):
        text = model.user_texts[TOLD[row, -1]]
        if variant == "agnostic":
            return linear(model.match, text)
        shown = HISTORY[row][MASK[row]]
        history = torch.zeros(1, 3, WIDTH)
        for place, number in enumerate(shown):
            history[0, place] = item(number)
        state = model.encoder(history, MASK[row : row + 1])[0]
        return linear(model.fuse, linear(model.narrow, text), state) if variant == "fusion" else state

    expected = torch.stack([torch.stack([user(row) @ item(number) for number in ASKED[row]]) for row in range(3)])
    torch.testing.assert_close(model.score(model.user_state(TOLD, MASK), ASKED), expected, rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_what_a_variant_does_not_read_changes_nothing():
    for variant, of_items, of_users in (("id", 0, 0), ("plus", 1, 0), ("fusion", 1, 1), ("agnostic", 1, 1)):
        model = model_of(variant)
        before = model.score(model.user_state(TOLD, MASK), ASKED)
        for which, matters in (("item_texts", of_items), ("user_texts", of_users)):
            other = model_of(variant)
            setattr(other, which, getattr(other, which) * 2)
            after = other.score(other.user_state(TOLD, MASK), ASKED)
            assert torch.equal(before, after) is not bool(matters), (variant, which)
    ids = model_of("agnostic")
    ids.items.weight.add_(1)
    assert torch.equal(before, ids.score(ids.user_state(TOLD, MASK), ASKED))


def test_texts_of_another_width_are_refused():
    with pytest.raises(ValueError, match="reads texts of 6 dimensions, these vectors have 3"):
        model_of("fusion").read(None, torch.zeros(2, 3))


@given(st.data())
def test_a_text_never_serves_a_target_that_it_may_have_seen(data):
    known = data.draw(st.lists(st.integers(0, 9), unique=True).map(sorted))
    first = data.draw(st.lists(st.integers(0, 5), min_size=len(known), max_size=len(known)))
    texts = TextVectors(np.array(known, int), np.array(first, int), np.zeros((len(known), 1), np.float32), "")
    samples = data.draw(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 6)), min_size=1))
    rows = inputs.text_rows(*(np.array(column) for column in zip(*samples, strict=True)), texts)
    for (user, position), row in zip(samples, rows, strict=True):
        good = user in known and first[known.index(user)] <= position
        assert row == (known.index(user) + 1 if good else inputs.NOBODY)


@given(st.integers(2, 30), st.integers(0, 5))
def test_shuffled_everybody_gets_the_text_of_another_one(users, seed):
    vectors = np.arange(users, dtype=np.float32)[:, None]
    texts = TextVectors(np.arange(users), np.zeros(users, int), vectors, "")
    own, shuffled = inputs.user_table(texts, None)[1:, 0], inputs.user_table(texts, seed)[1:, 0]
    assert own.tolist() == vectors[:, 0].tolist()
    assert sorted(shuffled.tolist()) == own.tolist()
    assert not (shuffled == own).any()


@pytest.fixture(scope="module")
def built(tmp_path_factory, tiny_encoder):
    """The demo corpus with rationales and texts as a tiny random encoder of 64 positions reads them."""
    folder = tmp_path_factory.mktemp("slim")
    where = build_leave_one_out(folder, USERS)
    rationalize(where, RationaleArguments(rationales="teacher", users=USERS - 10), TeacherArguments(teacher="themes"))
    texts = ["items", "titles", "teacher", "teacher_step2"]
    embed_texts(where, TextArguments(texts=texts, encoder=str(tiny_encoder)))
    return where


def options_of(built, output, variant="fusion", **given) -> Options:
    usual = {
        "model": "gru4rec",
        "dataset": str(built.folder),
        "output_dir": str(output),
        "variant": variant,
        "rationales": "teacher" if variant in ("fusion", "agnostic") else None,
        "embedding_size": 8,
        "model_options": '{"gru_size": 8}',
        "num_train_epochs": 2,
        "learning_rate": 1e-2,
    }
    return Options(**(usual | given))


def questions(folder) -> pa.Table:
    drawn = store.read(folder, candidates.TABLE, "test")
    samples = store.read(folder, "samples", "test", ["sample_id", "user_id", "position"])
    assert drawn["sample_id"].to_pylist() == samples["sample_id"].to_pylist()
    return samples.append_column("item_ids", drawn["item_ids"])


def choices_of(run, folder):
    system = score.load(str(run), None, ScoreOptions())
    system.prepare(folder, candidates.TABLE, "test")
    return system, system.choices(questions(folder))["scores"]


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_variant_runs_and_chooses_again_what_it_chose(built, tmp_path, variant, capsys):
    run = tmp_path / variant
    train(options_of(built, run, variant))
    assert family_of(run) == "slim"
    record = json.loads((run / "training.json").read_text())
    samples = store.read(built.folder, "samples", "train", ["user_id", "position"]).to_pylist()
    texts = text_vectors.read(built.folder, "teacher")
    since = dict(zip(texts.key.tolist(), texts.position.tolist(), strict=True))
    told = sum(row["position"] >= since.get(row["user_id"], 99) for row in samples)
    assert record["training_samples"] == (told if variant == "agnostic" else len(samples))
    share = {"fusion": told / len(samples), "agnostic": 1.0}.get(variant, 0.0)
    assert record["share_with_user_text"] == pytest.approx(share, abs=1e-6)
    system, scores = choices_of(run, built.folder)
    assert scores.shape == (USERS, 101)
    assert np.isfinite(scores).all()
    np.testing.assert_array_equal(scores, choices_of(run / "model", built.folder)[1])
    train(options_of(built, run, variant))
    assert "unchanged inputs, kept" in capsys.readouterr().out
    write_card(CardArguments(run=str(run)), facts_of(run))
    card = (run / "model" / "README.md").read_text(encoding="utf-8")
    assert ("written by the rule-based teacher of the demo corpus" in card) is (variant in ("fusion", "agnostic"))
    assert ("Texts are read by" in card) is (variant != "id")
    assert "**A control**" not in card
    if variant == "fusion":
        assert set(system.tables) == {"items", "text_vectors_items", "text_vectors_teacher"}


def test_the_control_is_another_model(built, tmp_path):
    train(options_of(built, tmp_path / "own"))
    train(options_of(built, tmp_path / "shuffled", shuffled=True))
    (_, own), (system, shuffled) = (choices_of(tmp_path / name, built.folder) for name in ("own", "shuffled"))
    assert system.identity["model_identity"]["shuffled"] is True
    assert not np.allclose(own, shuffled)


def test_groups_of_activity_are_fifths_of_the_users(built, tmp_path):
    users, groups = activity_groups(built.folder)
    assert np.bincount(groups)[1:].tolist() == [USERS // 5] * 5
    counts = np.bincount(store.read(built.folder, "interactions", columns=["user_id"])["user_id"].to_numpy())[users]
    assert all(counts[groups == group].max() <= counts[groups == group + 1].min() for group in range(1, 5))
    train(options_of(built, tmp_path / "run", "id", activity_group=1))
    record = json.loads((tmp_path / "run" / "training.json").read_text())
    train_users = store.read(built.folder, "samples", "train", ["user_id"])["user_id"].to_numpy()
    assert record["training_samples"] == np.isin(train_users, users[groups == 1]).sum()


def test_vectors_are_of_the_texts_as_far_as_the_encoder_reads(built):
    items = text_vectors.read(built.folder, "items")
    assert items.key.tolist() == sorted(store.read(built.folder, "items")["item_id"].to_pylist())
    np.testing.assert_allclose(np.linalg.norm(items.vectors, axis=1), 1, rtol=1e-5)
    assert store.made_from(built.folder, "text_vectors_teacher")["cut"] > 0  # 64 positions are few for three steps
    assert store.made_from(built.folder, "text_vectors_items")["cut"] == 0
    assert len(text_vectors.read(built.folder, "teacher").key) == USERS - 10
    assert len(text_vectors.read(built.folder, "titles").key) == USERS


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"variant": "both"}, "--variant is 'both'; expected one of id, plus, fusion, agnostic"),
        ({"rationales": None}, "--variant fusion needs --rationales"),
        ({"variant": "plus", "rationales": "teacher"}, "--rationales teacher has no effect without --variant fusion"),
        ({"variant": "id", "rationales": None, "shuffled": True}, "--shuffled True has no effect"),
        ({"tied": False}, "--tied false is not SLIM's"),
        ({"activity_group": 6}, "--activity_group is 6; expected 1 to 5"),
        ({"rationales": "student"}, "has no 'text_vectors_student'"),
        ({"model": "srgnn", "model_options": "{}", "rationales": "teacher_step3"}, r"text_vectors_teacher_step3"),
        ({"model_options": '{"gru_size": 9}'}, "needs a state as wide as an item"),
        ({"model_options": '{"layers": 9}'}, "which gru4rec does not take"),
    ],
)
def test_impossible_options(built, tmp_path, given, message):
    with pytest.raises(ValueError, match=message):
        train(replace(options_of(built, tmp_path / "run"), **given))


def test_other_texts_than_it_was_trained_with_are_refused(built, tmp_path, monkeypatch):
    train(options_of(built, tmp_path / "run"))
    mark = json.loads((tmp_path / "run/model/slim.json").read_text())
    mark["texts"]["teacher"] = "0" * 16
    (tmp_path / "run/model/slim.json").write_text(json.dumps(mark))
    with pytest.raises(ValueError, match=r"text_vectors_teacher is not what 'run' was trained with"):
        choices_of(tmp_path / "run", built.folder)


RECIPES = sorted(
    path
    for path in (Path(__file__).parents[1] / "training" / "recipes").rglob("*.yaml")
    if read_yaml(path).get("family") == "slim"
)


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_every_recipe_is_one_that_can_be_trained(path):
    values = {key: value for key, value in read_yaml(path).items() if key != "family"}
    values["model_options"] = json.dumps(values.get("model_options", {}))
    options = Options(**values)
    check(options)
    sources = SimpleNamespace(items=SimpleNamespace(item_id=np.arange(5)), item_texts=None, user_texts=None)
    assert build(replace(options, shuffled=False), sources, path.parent).variant == options.variant
    assert len(RECIPES) >= 18
