"""The wording of every prompt: whole golden texts for each corpus, view and style, and a plain loop over the tables."""

import dataclasses
import re
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pytest

from rella_hub.corpora import load_corpus
from rella_hub.prompts import pointwise, style_names
from rella_hub.stages.arguments import FolderArguments, PromptArguments, RawArguments, ViewArguments
from rella_hub.stages.prepare import prepare
from rella_hub.stages.prompt import build_prompts
from rella_hub.stages.view import build_views
from rella_hub.tables import schema, store
from rella_hub.views import Config

TESTS = Path(__file__).parent
CORPORA = [
    path.name for path in sorted((TESTS / "fixtures" / "raw").iterdir()) if load_corpus(path.name).rating_range
]  # of the others nobody knows what was liked
VIEWS = ("recency", "subr", "reit")
HISTORY_LENGTH = 4


def write_genre_vectors(where: FolderArguments) -> None:
    """Vectors that say an item's group and nothing else: SUBR shows the latest items of the target's group, then the latest others."""
    items = store.read(where.folder, "items")
    group = items[load_corpus(where.corpus).group_field].to_pylist()
    vectors = np.array([[g == other for other in sorted(set(group))] for g in group], dtype=np.float32)
    columns = {
        "item_id": items["item_id"].combine_chunks(),
        "vector": pa.FixedSizeListArray.from_arrays(vectors.ravel(), vectors.shape[1]),
        "norm": np.ones(len(vectors), dtype=np.float32),
    }
    features = schema.item_vectors(vectors.shape[1])
    store.write(where.folder, "item_vectors", features, {"train": pa.table(columns)}, {"corpus": where.corpus})


def build(corpus: str, folder: Path, raw: Path, style: str = "pointwise") -> FolderArguments:
    where = FolderArguments(corpus=corpus, output=str(folder))
    views = ViewArguments(history_length=[HISTORY_LENGTH])
    prepare(where, RawArguments(raw=str(raw)))
    write_genre_vectors(where)
    build_views(where, views)
    build_prompts(where, views, PromptArguments(style=style))
    return where


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    return build("ml1m", tmp_path_factory.mktemp("prompts") / "ml1m", TESTS / "fixtures" / "raw" / "ml1m")


def rows_of(where, config, split) -> list[dict]:
    return store.read(where.folder, config, split).to_pylist()


def all_rows(where) -> list[dict]:
    configs = [f"{view}_k{HISTORY_LENGTH}" for view in VIEWS]
    return [row for c in configs for split in store.table_splits(where.folder, c) for row in rows_of(where, c, split)]


@pytest.mark.parametrize("style", style_names())
@pytest.mark.parametrize("corpus", CORPORA)
def test_golden_texts(corpus, style, tmp_path):
    """A changed text needs a higher VERSION of the style. Delete a golden file to have it written anew, and read it."""
    where = build(corpus, tmp_path, TESTS / "fixtures" / "raw" / corpus, style)
    written = []
    for view in VIEWS:
        config = Config(view, HISTORY_LENGTH, style=style).name
        rows = rows_of(where, config, "test") if view != "reit" else rows_of(where, config, "mixed")[:4]
        text = "".join(f"=== sample {r['sample_id']}\n{r['prompt']}--- {r['completion']}\n" for r in rows)
        golden = TESTS / "golden" / corpus / f"{view}_{style}.txt"
        if not golden.exists():
            golden.parent.mkdir(parents=True, exist_ok=True)
            golden.write_text(text, encoding="utf-8", newline="\n")
            written.append(golden.name)
        assert text == golden.read_text(encoding="utf-8")
    assert not written, f"written anew, now read them and run again: {written}"


def test_prompts_are_what_a_plain_loop_writes(built):
    words = load_corpus("ml1m").words
    users, items = (pl.from_arrow(store.read(built.folder, name)) for name in ("users", "items"))
    profile = dict(zip(users["user_id"], words.profile(users), strict=True))
    subject = dict(zip(users["user_id"], words.subject(users), strict=True))
    title = dict(zip(items["item_id"], items["title"], strict=True))
    interactions = rows_of(built, "interactions", "train")

    def prompt(sample_id: int, positions: list[int]) -> str:
        target = interactions[sample_id]
        user = target["user_id"]
        history = [row for row in interactions[:sample_id] if row["user_id"] == user]
        lines = [profile[user]]
        lines.append(f"{subject[user].capitalize()} has watched these movies, the oldest first, and rated each one:")
        for number, position in enumerate(positions):
            rating = int(history[position]["rating"])
            lines.append(f"{number}. {title[history[position]['item_id']]} ({rating} star{'' if rating == 1 else 's'})")
        lines.append(f'Will {subject[user]} like the movie "{title[target["item_id"]]}"?')
        lines.append(f"The more stars a movie got, the more {subject[user]} liked it.")
        lines.append("Answer with Yes or No and nothing else.")
        return "\n".join(lines) + "\n"

    for view in VIEWS:
        config = f"{view}_k{HISTORY_LENGTH}"
        for split in store.table_splits(built.folder, config):
            shown = rows_of(built, f"view_{config}", split)
            expected = [(row["sample_id"], prompt(row["sample_id"], row["positions"])) for row in shown]
            assert [(row["sample_id"], row["prompt"]) for row in rows_of(built, config, split)] == expected


def test_the_completion_is_the_label_in_words(built):
    label = [row["label"] for row in rows_of(built, "interactions", "train")]
    for row in all_rows(built):
        assert row["label"] == label[row["sample_id"]]
        assert row["completion"] == ("Yes." if row["label"] else "No.")


def test_a_prompt_ends_with_a_newline_and_an_answer_with_none(built):
    for row in all_rows(built):
        assert row["prompt"].endswith(".\n")
        assert not row["prompt"].endswith("\n\n")
        assert row["completion"] == row["completion"].strip()


def test_pronouns_agree_with_the_gender(built):
    seen = set()
    for row in all_rows(built):
        female = row["prompt"].startswith("The user is female")
        seen.add(female)
        assert set(re.findall(r"\b(?:[Hh]e|[Ss]he)\b", row["prompt"].split('"')[0].split(":\n")[0])) == (
            {"She"} if female else {"He"}
        )
        question = row["prompt"].rpartition("Will ")[2]
        assert question.startswith("she like" if female else "he like")
    assert seen == {True, False}


def test_ids_and_zip_codes_are_left_out(built, raw_ml1m, tmp_path):
    """Other numbers for users, movies and zip codes, in the same order, give the same prompts."""
    renumber = {"users.dat": [0], "movies.dat": [0], "ratings.dat": [0, 1]}
    for name, columns in renumber.items():
        lines = [line.split("::") for line in (raw_ml1m / name).read_text(encoding="latin-1").splitlines()]
        for line in lines:
            for column in columns:
                line[column] = str(int(line[column]) * 1000 + 777)
            if name == "users.dat":
                line[4] = "99999"
        (tmp_path / name).write_text("\n".join("::".join(line) for line in lines), encoding="latin-1")
    renumbered = build("ml1m", tmp_path / "rella", tmp_path)
    assert all_rows(renumbered) == all_rows(built)


@pytest.mark.parametrize(
    ("rating", "words"),
    [(0, "(0 star)"), (0.5, "(0.5 star)"), (1, "(1 star)"), (1.5, "(1.5 stars)"), (4, "(4 stars)"), (10, "(10 stars)")],
)
def test_ratings_in_words(rating, words):
    assert pointwise.in_stars(np.float32(rating)) == words


def test_a_user_without_a_profile_is_the_user(words):
    """A corpus that knows nothing of its users has prompts without the first sentence."""
    anonymous = dataclasses.replace(
        words,
        profile=lambda users: pl.Series([""] * len(users)),
        subject=lambda users: pl.Series(["the user"] * len(users)),
    )
    users, items = pl.DataFrame({"user_id": [7]}), pl.DataFrame({"item_id": [5, 8], "title": ["A (1990)", "B (1991)"]})
    known = pointwise.fragments(anonymous, users, items, np.array([0.5, 4], dtype=np.float32), 2)
    (text,) = pointwise.prompts(
        known,
        user=np.array([0]),
        target=np.array([1]),
        item=np.array([[0, 0]]),
        rating=np.array([[0.5, 0.5]], dtype=np.float32),
        liked=np.array([[False, False]]),
        shown=np.array([[True, False]]),
    ).to_pylist()
    assert text == (
        "The user has watched these movies, the oldest first, and rated each one:\n0. A (1990) (0.5 star)\n"
        'Will the user like the movie "B (1991)"?\nThe more stars a movie got, the more the user liked it.\n'
        "Answer with Yes or No and nothing else.\n"
    )


def test_a_style_that_is_not_there(prepared):
    with pytest.raises(ValueError, match="no prompt style 'sonnet'"):
        build_prompts(prepared, ViewArguments(), PromptArguments(style="sonnet"))


def test_ctrl_c_leaves_what_was_there(prepared, monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    options = ViewArguments(view=["recency"], history_length=[1, 2, 3, 4])
    build_views(prepared, options)
    before = sorted(path.name for path in prepared.folder.iterdir())
    monkeypatch.setattr("rella_hub.stages.engines.local.wait", interrupted)
    with pytest.raises(KeyboardInterrupt):
        build_prompts(prepared, options, PromptArguments())
    assert sorted(path.name for path in prepared.folder.iterdir()) == before
