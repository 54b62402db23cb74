"""Next-item tasks: their splits against plain loops, candidates, prompts, choices, a recommender, and the reports of choices."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
import torch
from datasets import load_dataset
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from rella_hub.corpora import load_corpus
from rella_hub.metrics.choices.hit_ratio import hit_ratio
from rella_hub.metrics.choices.ndcg import ndcg
from rella_hub.metrics.choices.valid_ratio import valid_ratio
from rella_hub.reports import choices as report
from rella_hub.stages.arguments import CandidateArguments, FolderArguments, RawArguments
from rella_hub.stages.candidates import draw, draw_candidates
from rella_hub.stages.next_item import build_next_item_prompts
from rella_hub.stages.prepare import prepare
from rella_hub.systems.sequential import loop
from rella_hub.systems.sequential.items import read_item_table
from rella_hub.tables import candidates, store
from rella_hub.tables.choices import read_choices
from rella_hub.tasks import leave_one_out, next_item

SHARED = Path(__file__).parents[1] / ".." / "shared" / "data"
rows = st.lists(
    st.tuples(st.integers(1, 9), st.integers(1, 9), st.integers(0, 5), st.sampled_from([1.0, 3.0, 5.0, None])),
    min_size=1,
    max_size=60,
    unique_by=lambda row: row[:2],
)


def table(rows) -> pl.DataFrame:
    schema = {"user_id": pl.Int32, "item_id": pl.Int32, "timestamp": pl.Int64, "rating": pl.Float32}
    return pl.DataFrame([list(column) for column in zip(*rows, strict=True)], schema=schema).with_columns(
        label=pl.lit(None)
    )


def histories(rows, lowest=None) -> dict[int, list[int]]:
    """user -> items in time order, users as they came; equal times as given."""
    kept = [row for row in rows if lowest is None or row[3] is None or row[3] >= lowest]
    found: dict[int, list[int]] = {}
    for user, item, *_ in sorted(kept, key=lambda row: row[2]):
        found.setdefault(user, []).append(item)
    return found


def shown(protocol, rows, minimum) -> dict[str, set]:
    ordered = protocol.order(table(rows), 0)
    items, split = ordered["item_id"].to_list(), protocol.split(protocol.samples(ordered, minimum), 0)
    return {
        name: {
            (r["user_id"], tuple(items[r["sample_id"] - r["position"] : r["sample_id"]]), r["item_id"])
            for r in part.to_dicts()
        }
        for name, part in split.items()
    }


@given(rows)
def test_users_are_divided_by_when_they_came(rows):
    users = histories(rows, lowest=3)
    expected: dict[str, set] = {"train": set(), "validation": set(), "test": set()}
    for place, (user, items) in enumerate(users.items()):
        n = len(users)
        part = "train" if place < int(0.8 * n) else "validation" if place < int((0.8 + 0.1) * n) else "test"
        for position in range(3, len(items)) if part == "train" else [len(items) - 1]:
            if position >= 3:
                expected[part].add((user, tuple(items[:position]), items[position]))
    assert shown(next_item, rows, 3) == expected


@given(rows)
def test_the_last_item_of_each_user_is_left_out(rows):
    expected: dict[str, set] = {"train": set(), "validation": set(), "test": set()}
    for user, items in histories(rows, leave_one_out.NEXT_ITEM.lowest_rating).items():
        for position in range(1, len(items)):
            left = len(items) - 1 - position
            part = {0: "test", 1: "validation"}.get(left, "train") if len(items) >= 3 else "train"
            expected[part].add((user, tuple(items[:position]), items[position]))
    assert shown(leave_one_out, rows, 1) == expected


@given(st.data())
def test_candidates_hold_the_target_once_and_nothing_that_is_kept_out(data):
    items, samples = data.draw(st.integers(4, 12)), data.draw(st.integers(1, 6))
    target = np.array(data.draw(st.lists(st.integers(0, items - 1), min_size=samples, max_size=samples)))
    sets = [{t} | set(data.draw(st.lists(st.integers(0, items - 1), max_size=items - 3))) for t in target.tolist()]
    size = data.draw(st.integers(2, 5))
    refused = np.array(sorted(s * items + i for s, own in enumerate(sets) for i in own))
    arguments = (np.random.default_rng(0), np.arange(samples), refused, target, items, size)
    if any(items - len(own) < size - 1 for own in sets):
        with pytest.raises(ValueError, match="fewer items left"):
            draw(*arguments)
        return
    for row, goal, own in zip(draw(*arguments).tolist(), target.tolist(), sets, strict=True):
        assert len(set(row)) == size
        assert row.count(goal) == 1
        assert not (set(row) - {goal}) & own


def test_every_item_that_is_left_is_drawn_as_often():
    n = 4000
    drawn = draw(np.random.default_rng(1), np.zeros(n, int), np.array([0, 3]), np.zeros(n, int), 6, 3)
    counts = np.bincount(drawn.ravel(), minlength=6)
    assert counts[0] == n
    assert counts[3] == 0
    assert np.abs(counts[[1, 2, 4, 5]] - n / 2).max() < 5 * math.sqrt(n / 4)
    assert np.abs((drawn == 0).sum(axis=0) - n / 3).max() < 5 * math.sqrt(n * 2 / 9), "the target stands anywhere"


@pytest.fixture(scope="module")
def release(tmp_path_factory):
    """The demo corpus with two draws, and a small recommender."""
    from rella_hub.systems.sequential.options import Options
    from rella_hub.systems.sequential.train import train

    home = tmp_path_factory.mktemp("next_item")
    where = FolderArguments("demo", str(home / "rella" / "demo"))
    prepare(where, RawArguments(raw_folder=str(home / "raw"), task="next_item"))
    two = CandidateArguments(candidate_draws=2)
    draw_candidates(where, two)
    build_next_item_prompts(where, two, [])
    options = Options("gru4rec", str(where.folder), str(home / "runs" / "gru4rec"), num_shots=300, num_train_epochs=2)
    train(options)
    return where, options


def test_prompts_say_what_the_tables_hold(release):
    where, _ = release
    folder = where.folder
    title = dict(store.read(folder, "items").select(["item_id", "title"]).to_pandas().itertuples(index=False))
    behaviors = store.read(folder, "interactions", columns=["item_id"])["item_id"].to_pylist()
    questions = candidates.read_questions(folder, "test")
    prompts = store.read(folder, "next_item_k10", "test").to_pylist()
    for row, sample, position, target, options in zip(
        prompts, questions.sample_id, questions.position, questions.target, questions.item_ids.tolist(), strict=True
    ):
        history = behaviors[sample - min(position, 10) : sample]
        assert row["history_item_ids"] == history
        assert row["candidate_item_ids"] == options
        assert row["candidates"] == [title[item] for item in options]
        assert (row["target_item_id"], row["completion"]) == (target, title[target])
        lines = row["prompt"].splitlines()
        assert [line[2:] for line in lines if line.startswith("* ")] == [title[item] for item in [*history, *options]]
    other = store.read(folder, "next_item_k10_draw1", "test")
    assert other["completion"].to_pylist() == [row["completion"] for row in prompts]
    assert other["prompt"].to_pylist() != [row["prompt"] for row in prompts]
    assert next_item.NEXT_ITEM.candidates == len(prompts[0]["candidates"]) == 20


def test_the_card_loads_and_says_how_candidates_were_drawn(release):
    from rella_hub.cards.dataset.card import write_card

    where, _ = release
    write_card(where)
    card = (where.folder / "README.md").read_text()
    assert "* **Candidates.** 20 of each sample" in card
    assert "`next_item_k10` (default)" in card
    loaded = load_dataset(str(where.folder), "next_item_k10", split="test")
    assert len(loaded) == store.count_rows(where.folder, "samples", "test")


def test_a_recommender_chooses_and_is_reported(release, command, tmp_path, capsys):
    where, options = release
    files = []
    for config in ("next_item_k10", "next_item_k10_draw1"):
        files.append(str(tmp_path / f"{config}.parquet"))
        asked = (
            "--model",
            options.output_dir,
            "--dataset",
            where.output,
            "--config_name",
            config,
            "--output",
            files[-1],
        )
        assert command("evaluation/choose.py", *asked) == 0
    one = read_choices(Path(files[0]))
    assert (one.chosen == one.item_ids[np.arange(len(one.chosen)), one.scores.argmax(axis=1)]).all()
    assert hit_ratio(one.predictions, np.array(one.references)) == pytest.approx(one.is_right.mean())
    capsys.readouterr()
    assert command("evaluation/choose.py", *asked) == 0
    assert "unchanged inputs, kept" in capsys.readouterr().out
    assert command("evaluation/report.py", "--choices", *files, "--output", str(tmp_path / "report")) == 0
    text = (tmp_path / "report" / "choices.md").read_text()
    assert "| popularity" in text
    assert "over draws of candidates" in text
    first = json.loads((tmp_path / "report" / "choices.json").read_text())["groups"][0]["rows"][0]
    assert first["hit_ratio"] == pytest.approx(one.is_right.mean())
    assert command("evaluation/choose.py", *asked[:4], "--config_name", "subr_k30") == 2
    assert "holds no next-item questions" in capsys.readouterr().err


def test_a_run_has_a_card(release, command):
    _, options = release
    assert command("model_cards/render.py", "--run", options.output_dir) == 0
    assert "This card has no test results" in (Path(options.output_dir) / "model" / "README.md").read_text()


def test_an_item_table_knows_its_items(release, tmp_path):
    where, options = release
    found = read_item_table(options.output_dir)
    items = store.read(where.folder, "items")
    assert found.vectors.shape == (len(items), 64)
    found.require_same_items(where.folder)
    renamed = items.set_column(1, "title", pa.array(["another"] * len(items)))
    store.write(tmp_path, "items", _features(items), {"train": renamed}, {"corpus": "demo"})
    with pytest.raises(ValueError, match="numbers its items otherwise"):
        found.require_same_items(tmp_path)


def _features(items: pa.Table):
    from rella_hub.tables.schema import text_table

    return text_table("item_id", [name for name in items.column_names if name != "item_id"])


def test_candidates_without_the_target_are_refused(release, tmp_path):
    with pytest.raises(ValueError, match="the candidates of 1 samples lack the target"):
        candidates.check(np.array([1, 2]), np.array([[1, 3], [1, 3]]), "here")
    with pytest.raises(ValueError, match="have a candidate twice"):
        candidates.check(np.array([1]), np.array([[1, 3, 3]]), "here")


def test_a_negative_is_any_other_item():
    target = torch.tensor([1, 2, 3, 4]).repeat(500)
    drawn = loop.negatives(target, 4, torch.Generator().manual_seed(0))
    assert (drawn != target).all()
    assert set(drawn.tolist()) == {1, 2, 3, 4}


scores = st.lists(st.sampled_from([0.0, 0.5, 1.0]), min_size=2, max_size=5)


@given(st.lists(st.tuples(scores, st.integers(0, 1)), min_size=1, max_size=8), st.integers(1, 4))
def test_metrics_of_choices_are_means_over_the_orders_of_equal_scores(questions, k):
    """Against every order of the candidates, a stable sort of each."""
    from itertools import permutations

    hits, gains = [], []
    for row, place in questions:
        ranks = []
        for order in permutations(range(len(row))):
            ranked = sorted(order, key=lambda candidate: -row[candidate])
            ranks.append(1 + ranked.index(place))
        hits.append(np.mean([rank <= k for rank in ranks]))
        gains.append(np.mean([1 / math.log2(1 + rank) if rank <= k else 0 for rank in ranks]))
    predictions, references = [row for row, _ in questions], np.array([place for _, place in questions])
    assert hit_ratio(predictions, references, k) == pytest.approx(np.mean(hits))
    assert ndcg(predictions, references, k) == pytest.approx(np.mean(gains))
    assert valid_ratio([*predictions, []], np.r_[references, 0]) == pytest.approx(len(questions) / (len(questions) + 1))


def test_exact_intervals_and_mcnemar_by_hand():
    low, high = report.Share(42, 95).interval
    assert binom.sf(41, 95, low) == pytest.approx(0.025, abs=1e-6)
    assert binom.cdf(42, 95, high) == pytest.approx(0.025, abs=1e-6)
    assert report.Test(1, 5).p == pytest.approx(2 * (1 + 6) / 2**6)
    assert report.Test(0, 0).p == 1


@pytest.mark.real_data
@pytest.mark.skipif(not (SHARED / "llara-processed-partial.zip").is_file(), reason="needs ../shared/data")
def test_the_published_rows_of_movielens_come_out(tmp_path):
    """All 189 evaluated rows: the same users, and the same items up to their order inside equal timestamps."""
    import zipfile

    where = FolderArguments("ml100k", str(tmp_path / "ml100k"))
    prepare(where, RawArguments(raw=str(SHARED / "ml-100k.zip"), task="next_item"))
    interactions = pl.from_arrow(store.read(where.folder, "interactions", columns=["user_id", "item_id", "timestamp"]))
    with zipfile.ZipFile(SHARED / "llara-processed-partial.zip") as archive:
        users = json.loads(archive.read("movielens.user_ids.json"))
        for part, split in (("Val", "validation"), ("Test", "test")):
            published = [json.loads(line) for line in archive.read(f"movielens.{part}_data.jsonl").splitlines()]
            samples = {
                row["user_id"]: row
                for row in store.read(where.folder, "samples", split, ["sample_id", "user_id"]).to_pylist()
            }
            assert sorted(samples) == sorted(users[part])
            for user, row in zip(users[part], published, strict=True):
                theirs = [item + 1 for item, _ in [*row["seq"][: row["len_seq"]], row["next"]]]
                end = samples[user]["sample_id"] + 1
                own = interactions.filter(pl.col("user_id") == user)
                time = dict(own.select("item_id", "timestamp").rows())
                last = interactions[end - len(theirs) : end]
                assert [time[item] for item in theirs] == last["timestamp"].to_list()
                for moment in set(last["timestamp"].to_list()[1:]) - {last["timestamp"][0]}:
                    assert {i for i in theirs if time[i] == moment} <= set(
                        own.filter(pl.col("timestamp") == moment)["item_id"]
                    )


@pytest.mark.real_data
@pytest.mark.skipif(not (SHARED / "llara-processed-partial.zip").is_file(), reason="needs ../shared/data")
def test_the_published_split_of_lastfm_comes_out(tmp_path):
    where = FolderArguments("lastfm", str(tmp_path / "lastfm"))
    prepare(where, RawArguments(raw=str(SHARED / "llara-processed-partial.zip")))
    assert [store.count_rows(where.folder, "samples", split) for split in store.SPLITS] == [47_872, 122, 122]
    assert load_corpus("lastfm").id == "lastfm"
