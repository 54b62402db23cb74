"""One new file is all that a new view, prompt style, corpus, protocol or engine costs: each is put into a folder of its own here."""

import ast
import sys
from pathlib import Path
from types import ModuleType

import pytest
from datasets import load_dataset
from test_views import expected_view, nearest, write_vectors

from rella_hub import prompts, views
from rella_hub.cards.dataset.card import write_card
from rella_hub.corpora import load_corpus
from rella_hub.stages.arguments import FolderArguments, PromptArguments, RowArguments, VectorArguments, ViewArguments
from rella_hub.stages.prompt import build_prompts
from rella_hub.stages.view import build_views, configs, require_parts
from rella_hub.tables import shots, store
from rella_hub.views import Config

REPOSITORY = Path(__file__).parents[1]


@pytest.fixture
def add(tmp_path, monkeypatch):
    """Put a file into an open folder, for one test."""
    added = []

    def add_file(package: ModuleType, name: str, text: str) -> None:
        folder = tmp_path / "open" / package.__name__
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{name}.py").write_text(text, encoding="utf-8")
        monkeypatch.setattr(package, "__path__", [*package.__path__, str(folder)])
        added.append((package, name))

    yield add_file
    for package, name in added:
        if sys.modules.pop(f"{package.__name__}.{name}", None):
            delattr(package, name)


def card_of(where: FolderArguments) -> str:
    write_card(where)
    return (where.folder / "README.md").read_text(encoding="utf-8")


OLDEST = '''"""Oldest: the K first behaviors of the history."""

import numpy as np

from rella_hub.views import NOTHING, View


def select(histories, config):
    shown = np.arange(config.history_length)
    return np.where(shown < histories.position[:, None], shown, NOTHING)


VIEW = View(sentence="with the oldest {item}s", select=select)
'''
LIKED = '''"""Liked: the K behaviors with the most stars, the later ones first."""

import numpy as np

from rella_hub.tables import store
from rella_hub.views import NOTHING, View, pad


def load(folder, config):
    return {"rating": store.read(folder, "interactions", columns=["rating"])["rating"].to_numpy()}, {}


def select(histories, config):
    chosen = []
    for position, start in zip(histories.position, histories.start):
        rating = histories.behaviors["rating"][start : start + position]
        best = np.lexsort((-np.arange(position), -rating))[: config.history_length]
        chosen.append(np.sort(best))
    return pad(np.concatenate(chosen), np.array([len(best) for best in chosen]), config.history_length)


VIEW = View(sentence="with the {item}s of the most stars", select=select, needs=("interactions",), load=load)
'''
THRICE = '''"""Thrice: three views in turn."""

from rella_hub.views import View

VIEW = View(sentence="three times", mixes=("subr", "oldest", "recency"))
'''
LATEST_SHARE = '''"""Some: a share of the K latest behaviors, in percent, and as many of the oldest as there is room for."""

import numpy as np

from rella_hub.views import NOTHING, View


def select(histories, config):
    rows = []
    for position in histories.position:
        length = min(config.history_length, position)
        latest = length * config.number // 100
        row = [*range(length - latest), *range(position - latest, position)]
        rows.append(row + [NOTHING] * (config.history_length - length))
    return np.array(rows)


VIEW = View(sentence="with {parameter} % of the {latest} {item}s", select=select, parameter=50)
'''


@pytest.mark.parametrize("samples_per_block", [250_000, 5])
def test_a_view_is_one_file(add, prepared, monkeypatch, samples_per_block):
    """From its name to a data set that loads, with a view that needs nothing and one that reads a table."""
    monkeypatch.setattr("rella_hub.stages.view.SAMPLES_PER_BLOCK", samples_per_block)
    add(views, "oldest", OLDEST)
    add(views, "liked", LIKED)
    asked = ViewArguments(view=["liked", "oldest"], history_length=[3])
    build_views(prepared, asked)
    build_prompts(prepared, asked, PromptArguments())
    stars = [row["rating"] for row in store.read(prepared.folder, "interactions").to_pylist()]

    def oldest(history, _):
        return list(range(len(history)))[:3]

    def liked(history, sample):
        rating = stars[sample["sample_id"] - sample["position"] : sample["sample_id"]]
        return sorted(sorted(range(len(history)), key=lambda place: (-rating[place], -place))[:3])

    for split in store.SPLITS:
        for view, select in (("oldest", oldest), ("liked", liked)):
            assert store.read(prepared.folder, f"view_{view}_k3", split).to_pylist() == expected_view(
                prepared, split, select
            )
            assert len(store.read(prepared.folder, f"{view}_k3", split)) == store.count_rows(
                prepared.folder, "samples", split
            )
    card = card_of(prepared)
    assert "Prompts with K = 3. Oldest: the K first behaviors of the history." in card
    assert "* `liked`: with the movies of the most stars.\n" in card
    assert "* `oldest`: with the oldest movies." in card
    assert "| oldest |" in card.partition("Heterogeneity: ")[2]
    first = load_dataset(str(prepared.folder), "liked_k3", split="test")[0]
    assert first["prompt"] == store.read(prepared.folder, "liked_k3", "test")["prompt"][0].as_py()


def test_a_mixed_view_is_one_file(add, prepared):
    add(views, "oldest", OLDEST)
    add(views, "thrice", THRICE)
    write_vectors(prepared)
    alone = ViewArguments(view=["thrice"], history_length=[2])
    with pytest.raises(
        ValueError, match=r"thrice mixes subr and oldest and recency, .* has no view_subr_k2. Ask for it"
    ):
        require_parts(prepared, configs(alone))
    asked = ViewArguments(view=["thrice", "subr", "oldest", "recency"], history_length=[2])
    build_views(prepared, asked)
    rows = RowArguments(train_rows="7")
    build_prompts(prepared, asked, PromptArguments(), rows)
    folder = prepared.folder
    for kind in ("view_{}_k2", "{}_k2"):
        parts = [store.read(folder, kind.format(part), "train").to_pylist() for part in ("subr", "oldest", "recency")]
        in_turn = [row for group in zip(*parts, strict=True) for row in group]
        assert store.read(folder, kind.format("thrice"), "mixed").to_pylist() == in_turn
        test = kind.format("recency"), kind.format("thrice")
        assert store.read(folder, test[0], "test").equals(store.read(folder, test[1], "test"))
    assert shots.training_split(folder, "thrice_k2") == ("mixed", 3)
    assert shots.training_split(folder, "subr_k2") == ("train", 1)
    assert len(shots.first_shots(folder, "thrice_k2", 4)) == 12
    assert Config("thrice", 2, style="plain").tested_as.name == "recency_k2_plain"
    assert "holds every training sample 3 times" in card_of(prepared)


def test_a_view_may_have_a_number(add, prepared):
    add(views, "some", LATEST_SHARE)
    asked = ViewArguments(view=["some", "some25", "some50", "some100"], history_length=[4])
    assert [config.name for config in configs(asked)] == ["some_k4", "some25_k4", "some100_k4"]
    build_views(prepared, asked)
    build_views(prepared, ViewArguments(view=["recency"], history_length=[4]))
    folder = prepared.folder
    assert store.read(folder, "view_some100_k4", "test").equals(store.read(folder, "view_recency_k4", "test"))
    assert not store.read(folder, "view_some25_k4", "test").equals(store.read(folder, "view_some_k4", "test"))
    assert store.provenance(folder, "view_some_k4")["parameter"] == 50
    assert store.provenance(folder, "view_some25_k4")["parameter"] == 25
    build_prompts(prepared, asked, PromptArguments())
    assert "* `some25`: with 25 % of the latest movies." in card_of(prepared)
    with pytest.raises(ValueError, match="The view recency takes no number"):
        configs(ViewArguments(view=["recency7"]))


def test_variants_of_vectors_and_views_stand_side_by_side(prepared):
    usual = write_vectors(prepared)
    other = write_vectors(prepared, seed=5, variant="pca64")
    folder, pca64 = prepared.folder, VectorArguments("pca64")
    for similarity in ("cosine", "l2"):
        for vectors in (VectorArguments(), pca64):
            asked = ViewArguments(history_length=[3], similarity=similarity)
            build_views(prepared, asked, vectors=vectors)
            build_prompts(prepared, asked, PromptArguments(), vectors=vectors)
    names = [name for name in store.table_names(folder) if name.startswith("view_")]
    variants = ["", "_l2", "_l2_pca64", "_pca64"]
    assert names == sorted(["view_recency_k3", *(f"view_{v}{one}_k3" for v in ("reit", "subr") for one in variants)])
    for one, vectors, similarity in (("", usual, "cosine"), ("_pca64", other, "cosine"), ("_l2_pca64", other, "l2")):

        def closest(history, sample, vectors=vectors, similarity=similarity):
            return nearest([vectors[item] for item in history], vectors[sample["item_id"]], 3, similarity)

        assert store.read(folder, f"view_subr{one}_k3", "test").to_pylist() == expected_view(prepared, "test", closest)
        mixed = store.read(folder, f"view_reit{one}_k3", "mixed")["positions"].to_pylist()
        assert mixed[1::2] == store.read(folder, f"view_subr{one}_k3")["positions"].to_pylist()
    write_vectors(prepared, seed=6, variant="pca64")
    card = card_of(prepared)
    assert "`subr_l2_k3`" in card
    assert "`item_vectors_pca64`" in card
    assert "`subr_l2_pca64_k3`" not in card, "its vectors were replaced"


@pytest.mark.parametrize("variant", ["PCA", "a_b", "", "l2-", "ä"])
def test_a_variant_that_is_no_part_of_a_name(variant):
    with pytest.raises(ValueError, match=r"--vectors is .* lower-case letters and digits"):
        configs(ViewArguments(), VectorArguments(variant))


def test_a_variant_whose_name_would_be_another_one():
    with pytest.raises(ValueError, match="The name subr_l2_k30 would mean something else as well"):
        configs(ViewArguments(view=["subr"]), VectorArguments("l2"))


def test_a_style_whose_name_would_be_another_one(add):
    add(prompts, "k30", BLUNT)
    with pytest.raises(ValueError, match="The name recency_k5_k30 would mean something else as well"):
        configs(ViewArguments(view=["recency"], history_length=[5]), style="k30")


@pytest.mark.parametrize(
    "config",
    [
        Config("recency", 30),
        Config("subr", 5, "inner_product"),
        Config("reit", 30, "l1", "pca64", "tallrec"),
        Config("subr", 7, vectors="k5x", style="p5_plain"),
    ],
)
def test_a_name_says_all_of_a_config(config):
    assert views.parse_config(config.name) == config
    assert views.parse_config(config.table) == Config(
        config.view, config.history_length, config.similarity, config.vectors
    )
    assert views.table_name(config.name) == config.table
    assert prompts.style_of(config.name) == config.style


def test_names_of_before_mean_what_they_meant():
    for view in ("recency", "subr", "reit"):
        assert Config(view, 30).name == views.config_name(view, 30) == f"{view}_k30"
        assert views.table_name(f"{view}_k30") == f"view_{view}_k30"
        assert views.view_of(f"{view}_k30") == views.view_of(f"view_{view}_k30") == (view, 30)
    for name in ("interactions", "item_vectors_pca64", "view_subr_k3_plain", "subr", "old_subr_k3", "subr_k3-old"):
        assert views.parse_config(name) is None


BLUNT = '''"""Blunt: no profile, no stars, one word."""

import numpy as np
import polars as pl

from rella_hub.texts.compose import concatenate

VERSION = 3
ANSWERS = ("bad", "good")


def fragments(words, users, items, ratings, history_length):
    title = words.title(items)
    return pl.concat([title + ", ", title + "?\\n"]).to_arrow().cast("large_string"), len(items)


def prompts(known, user, target, item, rating, liked, shown):
    texts, items = known
    codes = np.column_stack([item, target + items])
    return concatenate(texts, codes, np.column_stack([shown, np.ones(len(shown), dtype=bool)]))
'''


def test_a_prompt_style_is_one_file(add, prepared):
    """Its prompts stand beside those of the usual style, under a name and in a record that say so."""
    add(prompts, "blunt", BLUNT)
    asked = ViewArguments(view=["recency"], history_length=[3])
    build_views(prepared, asked)
    for style in ("pointwise", "blunt"):
        build_prompts(prepared, asked, PromptArguments(style=style))
    folder = prepared.folder
    title = {row["item_id"]: row["title"] for row in store.read(folder, "items").to_pylist()}
    items = [title[row["item_id"]] for row in store.read(folder, "interactions").to_pylist()]
    position = {row["sample_id"]: row["position"] for row in store.read(folder, "samples", "test").to_pylist()}
    for row, view in zip(
        store.read(folder, "recency_k3_blunt", "test").to_pylist(),
        store.read(folder, "view_recency_k3", "test").to_pylist(),
        strict=True,
    ):
        first = row["sample_id"] - position[row["sample_id"]]
        shown = "".join(f"{items[first + place]}, " for place in view["positions"])
        assert row["prompt"] == f"{shown}{items[row['sample_id']]}?\n"
        assert row["completion"] == ("bad", "good")[row["label"]]
    record = store.provenance(folder, "recency_k3_blunt")
    assert (record["prompt_style"], record["prompt_version"]) == ("blunt", 3)
    assert prompts.load_style(prompts.style_of("recency_k3_blunt")).ANSWERS == ("bad", "good")
    assert prompts.load_style(prompts.style_of("recency_k3")).ANSWERS == ("No.", "Yes.")
    card = card_of(prepared)
    assert "`blunt`, version 3" in card
    assert "| `recency_k3_blunt` |" in card
    loaded = load_dataset(str(folder), "recency_k3_blunt", split="train")
    assert set(loaded["completion"]) == {"bad", "good"}


def test_nobody_else_knows_a_style_by_its_name():
    """But the texts that a base is pretrained on: they are pieces of the usual style's prompts."""
    known = set()
    for path in (REPOSITORY / "rella_hub").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module == "rella_hub.prompts":
                names = {alias.name for alias in node.names}
                known |= {path.relative_to(REPOSITORY).as_posix()} if names & set(prompts.style_names()) else set()
    assert known == {"rella_hub/pretraining/text.py"}


@pytest.mark.parametrize("corpus", sorted(path.name for path in (REPOSITORY / "tests/fixtures/raw").iterdir()))
def test_one_prompt_is_that_of_the_tables(corpus, tmp_path):
    """Composed alone, from the fields of one user and some items, every style says what it says of whole tables."""
    from test_prompts import HISTORY_LENGTH, build

    words = load_corpus(corpus).words
    for style in prompts.style_names():
        where = build(corpus, tmp_path / style, REPOSITORY / "tests/fixtures/raw" / corpus, style)
        users, items = (
            {row[f"{key}_id"]: row for row in store.read(where.folder, f"{key}s").to_pylist()}
            for key in ("user", "item")
        )
        interactions = store.read(where.folder, "interactions").to_pylist()
        position = {
            row["sample_id"]: row["position"] for row in store.read(where.folder, "samples", "test").to_pylist()
        }
        config = Config("subr", HISTORY_LENGTH, style=style)
        rows, shown = (store.read(where.folder, name, "test").to_pylist() for name in (config.name, config.table))
        assert rows
        for row, view in zip(rows, shown, strict=True):
            target = interactions[row["sample_id"]]
            first = row["sample_id"] - position[row["sample_id"]]
            behaviors = [interactions[first + place] for place in view["positions"]]
            text = prompts.one_prompt(
                words,
                users[target["user_id"]],
                [(items[b["item_id"]], b["rating"], b["label"] == 1) for b in behaviors],
                items[target["item_id"]],
                style,
            )
            assert text == row["prompt"]


def test_one_prompt_of_somebody_who_has_seen_nothing(words):
    user = {"gender": "F", "age": "25", "occupation": "1", "zip_code": ""}
    text = prompts.one_prompt(words, user, [], {"title": "Heat (1995)", "genre": "Crime", "genres": "Crime"})
    assert 'like the movie "Heat (1995)"?' in text
