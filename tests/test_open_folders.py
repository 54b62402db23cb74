"""One new file is all that a new view, prompt style, corpus, protocol or engine costs: each is put into a folder of its own here."""

import ast
import dataclasses
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
from builders import expected_view, nearest, write_vectors
from datasets import load_dataset

from rella_hub import corpora, prompts, tasks, views
from rella_hub.cards.dataset.card import write_card
from rella_hub.corpora import load_corpus
from rella_hub.stages import engines
from rella_hub.stages.arguments import (
    EncoderArguments,
    EngineArguments,
    FolderArguments,
    PromptArguments,
    RawArguments,
    RowArguments,
    VectorArguments,
    ViewArguments,
)
from rella_hub.stages.configs import configs, require_parts
from rella_hub.stages.embed import embed
from rella_hub.stages.prepare import prepare
from rella_hub.stages.prompt import build_prompts
from rella_hub.stages.view import build_views
from rella_hub.systems import model_free
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
    assert known == {"rella_hub/pretraining/text.py", "rella_hub/pretraining/run.py"}


@pytest.mark.parametrize("corpus", ["bookcrossing", "ml1m", "ml25m"])
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


# A corpus of songs that were listened to and never rated, in one line a play.
PLAYS = '''"""Plays: who listened to which song and when; nobody rates a song."""

import polars as pl

from rella_hub.corpora import Corpus, RawTables, Words


def read(raw):
    rows = [line.split(",") for line in raw.read("plays.csv").decode().splitlines()]
    plays = pl.DataFrame(
        {
            "user_id": [int(user) for user, _, _ in rows],
            "item_id": [int(song) for _, song, _ in rows],
            "rating": [None] * len(rows),
            "timestamp": [int(time) for _, _, time in rows],
        },
        schema={"user_id": pl.Int32, "item_id": pl.Int32, "rating": pl.Float32, "timestamp": pl.Int64},
    )
    songs = plays.select("item_id").unique().sort("item_id")
    songs = songs.with_columns(title="Song " + pl.col("item_id").cast(pl.String), artist=pl.lit("unknown"))
    return RawTables(users=plays.select("user_id").unique(), items=songs, interactions=plays)


CORPUS = Corpus(
    id="plays",
    name="Plays",
    summary="Invented.",
    licence="apache-2.0",
    terms="Free.",
    terms_url="https://example.org",
    may_be_redistributed=True,
    citation="",
    archive=None,
    generate=None,
    files=["plays.csv"],
    read=read,
    tasks=("by_time", "one_per_user"),
    label_threshold=None,
    minimum_history=2,
    rating_range=None,
    group_field="artist",
    features=("user_id", "item_id"),
    unrated_items_count=False,
    words=Words(
        profile=lambda users: pl.Series([""] * len(users)),
        subject=lambda users: pl.Series(["the user"] * len(users)),
        title=lambda items: items["title"],
        description=lambda items: "The song is called " + items["title"] + ".",
        item="song",
        consumed="listened to",
    ),
    expected_rows={},
)
'''


@pytest.fixture
def plays(add, tmp_path) -> tuple[FolderArguments, RawArguments]:
    add(corpora, "plays", PLAYS)
    (tmp_path / "raw").mkdir()
    lines = [f"{user},{7 * user % 5 + place},{100 * user + place}" for user in range(1, 9) for place in range(9)]
    (tmp_path / "raw" / "plays.csv").write_text("\n".join(lines), encoding="utf-8")
    return FolderArguments("plays", str(tmp_path / "rella" / "plays")), RawArguments(raw=str(tmp_path / "raw"))


def test_a_corpus_is_one_file_and_may_have_no_ratings(plays, tiny_encoder):
    """Tables, vectors, every view and a card that loads; what asks whether somebody liked a song is refused in one line."""
    where, source = plays
    prepare(where, source)
    embed(where, EncoderArguments(encoder=str(tiny_encoder), dimension=4))
    views_asked = ViewArguments(history_length=[3])
    build_views(where, views_asked)
    folder = where.folder
    card = card_of(where)
    assert set(load_dataset(str(folder), "interactions", split="train")["rating"]) == {None}
    assert set(load_dataset(str(folder), "samples", split="test")["label"]) == {None}
    assert len(load_dataset(str(folder), "view_reit_k3", split="mixed")) == 2 * store.count_rows(folder, "samples")
    assert "72 interactions with " in card
    assert "* **Label.** None, because the corpus has no ratings." in card
    assert "There are no ratings, so nobody knows which songs a user liked" in card
    for word in ("rating is", "liked it", "Yes or No", "Yes where", "nan", "None |", "rated"):
        assert word not in card.partition("## Divergences")[0].rpartition("---\n")[2], word
    with pytest.raises(ValueError, match="Plays has no ratings, so nobody knows the answer to a prompt"):
        build_prompts(where, views_asked, PromptArguments())
    with pytest.raises(ValueError, match="there is no rating, because the corpus has no ratings"):
        store.read(folder, "interactions")
    ids = store.read(folder, "samples", "test", ["sample_id"])["sample_id"].to_numpy()
    for scorer in (model_free.item_mean, model_free.history_mean):
        with pytest.raises(ValueError, match="there is no label, because the corpus has no ratings"):
            scorer(folder, "recency_k3", "test", ids)
    with pytest.raises(ValueError, match="--label_threshold is 3, but Plays has no ratings"):
        prepare(where, RawArguments(raw=source.raw, label_threshold=3))


def test_a_release_of_a_corpus_without_ratings_is_refused_before_any_work(plays, command, capsys):
    where, source = plays
    options = ("--corpus", "plays", "--raw", source.raw, "--output", where.output)
    assert command("dataset_builders/release.py", *options, "--view", "recency") == 2
    assert "Plays has no ratings, so nobody knows the answer" in capsys.readouterr().err.splitlines()[-1]
    assert not where.folder.exists()


def test_a_corpus_lists_its_tasks(plays, prepared, raw_ml1m):
    where, source = plays
    prepare(where, RawArguments(raw=source.raw, task="one_per_user"))
    assert store.count_rows(where.folder, "samples", "test") == 1, "a tenth of eight users"
    assert "The last interaction of every user with at least 2 others" in card_of(where)
    with pytest.raises(ValueError, match=r"its rules\.order is 'chance"):
        prepare(where, source)
    with pytest.raises(ValueError, match="--task is 'one_per_user', but the tasks of MovieLens-1M are by_time"):
        prepare(prepared, RawArguments(raw=str(raw_ml1m), task="one_per_user"))


EVENS = '''"""Evens: every second interaction of a user is predicted."""

import polars as pl

from rella_hub.tables.histories import with_positions
from rella_hub.tasks.by_time import DIVERGENCES, ORDER, order

SAMPLES = "Every second interaction with at least {minimum_history} earlier ones"
SPLIT = "user id, the last two users to validation and test"
PROMISE = "no user is in two of them"


def samples(interactions, minimum_history):
    chosen = (pl.col("position") >= minimum_history) & (pl.col("position") % 2 == 0)
    return with_positions(interactions).filter(chosen).select("sample_id", "user_id", "position", "item_id", "label")


def split(samples, seed):
    *_, validation, test = samples["user_id"].unique().sort()
    user = pl.col("user_id")
    return {
        "train": samples.filter(user < validation),
        "validation": samples.filter(user == validation),
        "test": samples.filter(user == test),
    }
'''


def test_a_protocol_is_one_file(add, plays):
    where, source = plays
    corpora.load_corpus("plays")
    add(tasks, "evens", EVENS)
    module = sys.modules["rella_hub.corpora.plays"]
    module.CORPUS = dataclasses.replace(module.CORPUS, tasks=("evens",))
    prepare(where, source)
    assert [store.count_rows(where.folder, "samples", split) for split in store.SPLITS] == [24, 4, 4]
    assert set(store.read(where.folder, "samples", columns=["position"])["position"].to_pylist()) == {2, 4, 6, 8}
    build_views(where, ViewArguments(view=["recency"], history_length=[3]))
    card = card_of(where)
    assert "Every second interaction with at least 2 earlier ones: 32 of 72." in card
    assert "no user is in two of them" in card


BACKWARDS = '''"""Backwards: one task after the other, the last one first."""

RUN = []


def run(function, tasks, workers, what):
    for task in reversed(tasks):
        RUN.append(what)
        function(task)
'''


def test_an_engine_is_one_file(add, prepared, tmp_path):
    add(engines, "backwards", BACKWARDS)
    write_vectors(prepared)
    other = dataclasses.replace(prepared, output=str(shutil.copytree(prepared.folder, tmp_path / "other")))
    asked, rows = ViewArguments(history_length=[3]), RowArguments()
    for where, engine in ((prepared, EngineArguments()), (other, EngineArguments("backwards", workers=1))):
        build_views(where, asked, rows, engine)
        build_prompts(where, asked, PromptArguments(), rows, engine)
    assert {"view_subr_k3", "subr_k3", "reit_k3"} <= set(sys.modules["rella_hub.stages.engines.backwards"].RUN)
    for name in store.table_names(prepared.folder):
        assert store.content_hash(prepared.folder, name) == store.content_hash(other.folder, name)


def test_nothing_of_torch_is_needed_before_a_model_is(tmp_path, raw_ml1m, tiny_encoder):
    """Prepare, view, prompt and their card, of a folder that has item vectors; in a process of its own."""
    where = FolderArguments("ml1m", str(tmp_path / "rella" / "ml1m"))
    prepare(where, RawArguments(raw=str(raw_ml1m)))
    embed(where, EncoderArguments(encoder=str(tiny_encoder), dimension=4))
    code = (
        "import runpy, sys\n"
        "for name, *more in (('prepare', '--raw', sys.argv[1]), ('view', '--similarity', 'l1'), ('prompt', '--similarity', 'l1')):\n"
        "    sys.argv[1:] = ['--corpus', 'ml1m', '--output', sys.argv[2], *more]\n"
        "    runpy.run_path(f'dataset_builders/{name}.py', run_name='__main__')\n"
        "    sys.argv[1:] = ['', sys.argv[4]]\n"
        "heavy = {'torch', 'transformers', 'sklearn'} & set(sys.modules)\n"
        "sys.exit(f'imported: {heavy}' if heavy else 0)\n"
    )
    line = [sys.executable, "-c", code, str(raw_ml1m), where.output]
    done = subprocess.run(
        line, cwd=REPOSITORY, env=os.environ | {"PYTHONPATH": str(REPOSITORY)}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "Length of the prompts in tokens" in (where.folder / "README.md").read_text(encoding="utf-8")
