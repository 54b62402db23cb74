"""Rankings of candidates: each metric by hand, chance by simulation, and the table of several systems and runs."""

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rella_hub.corpora import demo
from rella_hub.paper.tables import read_table
from rella_hub.reports import ranking_metrics as measured
from rella_hub.reports.ranking_metrics import Popularity
from rella_hub.reports.rankings import rankings
from rella_hub.stages.arguments import CandidateArguments, FolderArguments, RawArguments
from rella_hub.stages.candidates import draw_candidates
from rella_hub.stages.prepare import prepare
from rella_hub.tables import candidates, choices, store

KNOWN = Popularity(np.array([10, 20, 30]), np.array([0.5, 0.25, 0.1]), np.array([0.5, 0.3, 0.2]), np.array([5, 3, 2]))
D = sum(1 / math.log2(1 + j) for j in range(1, 11))


def test_metrics_by_hand():
    rank, target = np.array([1, 3, 10, 11, 21]), np.array([10, 20, 30, 10, 20])
    found = measured.of_questions(rank, target, KNOWN)
    gain = [1, 0.5, 1 / math.log2(11), 0, 0]
    assert found["ndcg_at_10"].tolist() == pytest.approx(gain)
    assert found["hit_at_10"].tolist() == [1, 1, 1, 0, 0]
    assert found["hit_at_20"].tolist() == [1, 1, 1, 1, 0]
    assert found["epc_at_10"].tolist() == pytest.approx(
        [g * (1 - p) / D for g, p in zip(gain, [0.5, 0.25, 0.1, 0.5, 0.25], strict=True)]
    )
    assert found["efd_at_10"].tolist() == pytest.approx(
        [g * -math.log2(p) / D for g, p in zip(gain, [0.5, 0.3, 0.2, 0.5, 0.3], strict=True)]
    )


@given(st.lists(st.integers(-3, 3), min_size=2, max_size=8), st.data())
def test_a_rank_counts_what_is_at_least_as_good(scores, data):
    place = data.draw(st.integers(0, len(scores) - 1))
    (rank,) = measured.ranks(np.array([scores], float), np.array([place]))
    assert rank == sum(one >= scores[place] for one in scores)


def test_chance_is_what_random_scores_give():
    rng, questions = np.random.default_rng(0), 20_000
    target = rng.choice(KNOWN.item_id, questions)
    rank = measured.ranks(rng.random((questions, 101)), np.zeros(questions, int))
    drawn = {name: values.mean() for name, values in measured.of_questions(rank, target, KNOWN).items()}
    found = measured.chance(target, 101, KNOWN)
    assert found == pytest.approx(drawn, rel=0.06)
    assert (found["hit_at_10"], found["hit_at_20"]) == pytest.approx((10 / 101, 20 / 101))
    assert found["ndcg_at_10"] == pytest.approx(D / 101)


def test_the_papers_popularity_is_its_ndcg_divided():
    """So the definitions are those that the paper used: a target of Games is rare, and so 1 - p is nearly 1."""
    printed = {
        row["system"]: row["epc_at_10"] for row in read_table("slim_popularity").where({"corpus": "amazon_games"})
    }
    for system in ("SASRec", "SLIM"):
        row = read_table("slim_id_based").where(
            {"backbone": "SASRec", "system": "SLIM" if system == "SLIM" else "ids", "corpus": "amazon_games"}
        )
        assert printed[system] == pytest.approx(row[0]["ndcg_at_10"] / D, abs=0.0015)


def test_the_corrected_rows_give_the_printed_improvements():
    plus, slim = (
        read_table("slim_id_based").where({"backbone": "SRGNN", "system": name, "corpus": "amazon_home"})[0]
        for name in ("plus", "SLIM")
    )
    for name, printed in (("ndcg_at_10", 5.86), ("hit_at_10", 5.11), ("hit_at_20", 7.21)):
        assert 100 * (slim[name] / plus[name] - 1) == pytest.approx(printed, abs=0.01)


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    folder = tmp_path_factory.mktemp("rankings")
    before, demo.USERS = demo.USERS, 50
    try:
        raw = demo.generate(folder / "raw")
    finally:
        demo.USERS = before
    where = FolderArguments(corpus="demo", output=str(folder / "rella" / "demo"))
    prepare(where, RawArguments(raw=str(raw), task="leave_one_out"))
    draw_candidates(where, CandidateArguments())
    return where.folder


def write(path, folder, system: str, better: float, seed: int, draw: int = 0):
    """Choices of a system that gives the target something more than chance does."""
    asked = candidates.read_questions(folder, "test", draw)
    scores = np.random.default_rng(seed).random(asked.item_ids.shape)
    scores += better * (asked.item_ids == asked.target[:, None])
    chosen = choices.best(asked.item_ids, scores)
    table = choices.pa.table(
        {
            "sample_id": asked.sample_id,
            "user_id": asked.user_id,
            "target_item_id": asked.target,
            "item_ids": list(asked.item_ids),
            "scores": list(scores),
            "chosen_item_id": chosen,
            "generated": choices.pa.nulls(len(chosen), choices.pa.string()),
        }
    )
    record = dict.fromkeys(choices.RECORD_KEYS) | {
        **{"system": system, "dataset": "rella/demo", "config_name": "candidates", "split": "test", "corpus": "demo"},
        **{"draw": draw, "fingerprint": f"{seed:016x}", "libraries": {}},
    }
    choices.write_choices(path, table, record)
    return str(path), scores, asked


def test_the_table_has_chance_popularity_and_the_mean_of_runs(built, tmp_path):
    made = [write(tmp_path / f"{s}.parquet", built, f"good_s{s}", 0.6, s) for s in range(3)]
    made += [write(tmp_path / "bad.parquet", built, "bad", 0.0, 9)]
    rankings([path for path, *_ in made], built, tmp_path / "report", overwrite=False)
    found = json.loads((tmp_path / "report/rankings.json").read_text())
    rows = {row["system"]: row for row in found["rows"]}
    assert list(rows) == ["chance (computed)", "popularity", "good", "bad"]
    assert [row["runs"] for row in rows.values()] == [0, 1, 3, 1]
    by_run = []
    for _, scores, asked in made[:3]:
        own = np.take_along_axis(scores, np.argmax(asked.item_ids == asked.target[:, None], axis=1)[:, None], axis=1)
        rank = 1 + (scores > own).sum(axis=1)
        by_run.append(np.where(rank <= 10, 1 / np.log2(1 + rank), 0).mean())
    assert rows["good"]["mean"]["ndcg_at_10"] == pytest.approx(np.mean(by_run))
    assert rows["good"]["deviation"]["ndcg_at_10"] == pytest.approx(np.std(by_run, ddof=1))
    assert np.mean(list(rows["good"]["of_groups"].values())) == pytest.approx(rows["good"]["mean"]["ndcg_at_10"])
    assert rows["good"]["mean"]["hit_at_10"] > rows["bad"]["mean"]["hit_at_10"]
    text = (tmp_path / "report/rankings.md").read_text()
    assert "| good | 3 | 0." in text
    assert f"{rows['good']['deviation']['ndcg_at_10']:.4f}" in text


def test_popularity_counts_no_target_of_validation_or_test(built):
    known = Popularity.of(built)
    samples = {split: store.count_rows(built, "samples", split) for split in ("validation", "test")}
    assert known.counts.sum() == store.count_rows(built, "interactions") - sum(samples.values())


def test_files_that_do_not_go_together(built, tmp_path):
    first, *_ = write(tmp_path / "a.parquet", built, "a", 0, 0)
    again, *_ = write(tmp_path / "b.parquet", built, "a", 0, 1)
    with pytest.raises(ValueError, match=r"b\.parquet is a second file of the system a"):
        rankings([first, again], built, tmp_path / "report", overwrite=False)
