"""The paper's main table with our rows in it: mean and deviation by hand, and what belongs to no row."""

import json
import re
import statistics
from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from rella_hub.metrics.group_auc import group_auc
from rella_hub.paper import tables
from rella_hub.paper.tables import read_table, table_names
from rella_hub.reports.paper_table import filled
from rella_hub.reports.paper_table_figure import curves_of
from rella_hub.reports.paper_table_text import markdown
from rella_hub.stages.arguments import FolderArguments, RawArguments, ViewArguments
from rella_hub.stages.prepare import prepare
from rella_hub.stages.view import build_views
from rella_hub.systems.model_free import history_mean
from rella_hub.tables import store
from rella_hub.tables.scores import Scores, read_scores, write_scores


@pytest.fixture(scope="module")
def folder(tmp_path_factory, raw_ml1m):
    where = FolderArguments(corpus="ml1m", output=str(tmp_path_factory.mktemp("overall") / "ml1m"))
    prepare(where, RawArguments(raw=str(raw_ml1m)))
    return where.folder


def some_scores(folder, model: str | None = "din", seed: int = 0, num_shots=None, **changes) -> Scores:
    """Random scores of all test samples, by a CTR model or (None) by a language model."""
    test = store.read(folder, "samples", "test").sort_by("sample_id")
    record = {
        "system": model or "rella",
        "split": "test",
        "limit": None,
        "corpus": "ml1m",
        "config_name": "subr_k30",
        "base": None if model else "lmsys/vicuna-13b-v1.5",
        "adapter": None,
        "dataset": "rella/ml1m",
        "dataset_folder": str(folder),
    }
    if model:
        record["model_identity"] = {
            "model": model,
            "num_shots": num_shots,
            "history_length": 30,
            "sha256": f"{model}{seed}",
        }
    score = np.random.default_rng(seed).random(len(test))
    users = test["user_id"].to_numpy().astype(np.int64)
    return Scores(None, test["sample_id"].to_numpy(), users, test["label"].to_numpy(), score, record | changes)


def as_text(scores: list[Scores], name: str = "overall") -> str:
    table = read_table(name)
    return markdown(table, filled(table, scores, []))


def line_of(table: str, system: str, setting: str = "full-shot") -> list[str]:
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines() if line.startswith("|")
    ]
    (cells,) = [cells for cells in rows if cells[:2] == [system, setting]]
    return cells


def test_seeds_of_a_row_are_their_mean_and_deviation(folder):
    seeds = [some_scores(folder, seed=seed) for seed in range(3)]
    sim = some_scores(folder, "sim", seed=9)
    table = as_text([*seeds, sim])
    aucs = [roc_auc_score(one.label, one.score) for one in seeds]
    mean, deviation = statistics.mean(aucs), statistics.stdev(aucs)
    cells = line_of(table, "DIN")
    assert cells[2:4] == [f"{mean:.4f} ± {deviation:.4f} (3)", "0.7962"]
    assert cells[-1] == f"{mean - 0.7962:+.4f}"
    assert line_of(table, "SIM")[2:4] == [f"{roc_auc_score(sim.label, sim.score):.4f}", "0.7992"]


def test_what_was_not_measured_is_empty_not_copied(folder):
    cells = line_of(as_text([some_scores(folder)]), "DeepFM")
    assert cells[2:] == ["", "0.7915", "", "0.5484", "", "0.7225", ""]


LANGUAGE_MODELS = [  # what was scored, and the row of the table
    ({"config_name": "recency_k15"}, "Vicuna-13B", "zero-shot"),
    ({"config_name": "subr_k30"}, "ReLLa", "zero-shot"),
    ({"config_name": "recency_k15", "base": "/models/vicuna-7b-v1.5"}, "Vicuna-7B", "zero-shot"),
    ({"config_name": "subr_k15", "base": "/models/vicuna-7b-v1.5"}, "rella (vicuna-7b-v1.5)", "zero-shot, subr_k15"),
    ({"adapter": "runs/rella/adapter", "training_samples": 3}, "ReLLa", "few-shot <10%"),
    (
        {"adapter": "a", "training_samples": 3, "config_name": "subr_k15"},
        "rella (vicuna-13b-v1.5)",
        "3 shots, subr_k15",
    ),
    ({"adapter": "a", "training_samples": 40}, "rella (vicuna-13b-v1.5)", "40 shots, subr_k30"),
    ({"adapter": "a", "training_samples": None}, "rella (vicuna-13b-v1.5)", "tuned, subr_k30"),
    ({"adapter": "a", "training_samples": 3, "base": "org/small"}, "rella (small)", "3 shots, subr_k30"),
]


@pytest.mark.parametrize(("made", "system", "setting"), LANGUAGE_MODELS)
def test_language_models_stand_in_the_row_of_their_base_and_view(folder, made, system, setting):
    scores = some_scores(folder, None, **made)
    table = as_text([scores])
    cells = line_of(table, system, setting)
    assert cells[2] == f"{roc_auc_score(scores.label, scores.score):.4f}"
    in_paper = [
        row
        for row in read_table("overall").where({"corpus": "ml1m"})
        if (row["system"], row["setting"]) == (system, setting)
    ]
    assert cells[3] == (f"{in_paper[0]['auc']:.4f}" if in_paper else "")
    filled = [
        line
        for line in table.splitlines()
        if line.startswith("| ") and line.split("|")[3].strip(" -:") not in ("", "AUC ours")
    ]
    assert len(filled) == 1, "no other row is filled"


def test_few_shot_ctr_models_stand_below(folder):
    table = as_text([some_scores(folder, "sim", seed=shots, num_shots=shots) for shots in (1024, 8192, 512)])
    cells = line_of(table, "SIM", "8,192 shots")
    assert cells[2]
    assert cells[3] == ""
    assert re.findall(r"SIM +\| (\S+) shots", table) == ["512", "1,024", "8,192"]


def test_systems_without_a_model_see_what_the_ctr_models_see(folder):
    build_views(FolderArguments("ml1m", str(folder)), ViewArguments(view=["recency"], history_length=[30]))
    scores = some_scores(folder)
    table = as_text([scores])
    labels, means = history_mean(folder, "recency_k30", "test", scores.sample_id)
    assert line_of(table, "history_mean", "no model, recency_k30")[2] == f"{roc_auc_score(labels, means):.4f}"
    for system in ("item_mean", "both_means"):
        assert line_of(table, system, "no model, recency_k30")[2]


@pytest.mark.parametrize(
    ("made", "said"),
    [
        ({"limit": 1000}, r"is of 1,000 test samples \(a choice by the seed None\), None of the whole test split"),
        ({"split": "validation"}, "is not of the test split"),
    ],
)
def test_what_is_not_of_the_same_test_samples_is_refused(folder, made, said):
    with pytest.raises(ValueError, match=said):
        as_text([some_scores(folder, **made), some_scores(folder, "sim")])


def test_a_choice_of_the_test_samples_is_said_and_its_auc_has_an_interval(folder):
    made = some_scores(folder)
    one = replace(made, user_id=np.arange(len(made.label)), record={**made.record, "limit": 8, "seed": 3})
    text = as_text([one])
    assert "Ours: 8 test samples (a choice by the seed 3); over several seeds" in text
    auc = roc_auc_score(one.label, one.score)
    found = re.fullmatch(r"(\S+) \[(\S+), (\S+)\]", line_of(text, "DIN")[2])
    value, low, high = map(float, found.groups())
    assert value == pytest.approx(auc, abs=1e-4)
    liked, others = one.score[one.label == 1], one.score[one.label == 0]
    wins = (liked[:, None] > others).mean(axis=1), (liked[:, None] > others).mean(axis=0)
    variance = sum(np.var(of_each, ddof=1) / len(of_each) for of_each in wins)  # DeLong's, without ties
    assert (low, high) == pytest.approx((auc - 1.959964 * variance**0.5, auc + 1.959964 * variance**0.5), abs=1e-4)
    again = some_scores(folder, seed=1)
    other = replace(again, record={**again.record, "limit": 8, "seed": 3})
    assert "(2)" in line_of(as_text([one, other]), "DIN")[2], "over seeds it is the deviation"


def test_the_mean_of_a_row_is_over_seeds_alone(folder):
    one, other = some_scores(folder), some_scores(folder, seed=1)
    other.record["model_identity"]["options"] = {"dropout": 0.2}
    with pytest.raises(ValueError, match=r"are of DIN, full-shot with another options: None and \{'dropout': 0.2\}"):
        as_text([one, other])
    with pytest.raises(ValueError, match="two of its score files are of the same weights"):
        as_text([one, some_scores(folder)])
    zero_shot = [some_scores(folder, None, config_name=name) for name in ("recency_k15", "recency_k30")]
    with pytest.raises(ValueError, match=r"both belong to Vicuna-13B, zero-shot. Give one of them"):
        as_text(zero_shot)


def test_the_table_is_written_as_text_numbers_and_figure(folder, command, tmp_path):
    paths = []
    for seed in range(2):
        one = some_scores(folder, seed=seed)
        paths.append(tmp_path / f"{seed}.parquet")
        record = {"limit": None, "seed": 0, "fingerprint": str(seed)} | one.record
        write_scores(paths[-1], one.sample_id, one.user_id, one.label, one.score, record)
    assert command("evaluation/report.py", "--table", "overall", "--output", tmp_path / "out", "--scores", *paths) == 0
    assert (tmp_path / "out/overall.md").read_text() == as_text([read_scores(path) for path in paths])
    (table,) = json.loads((tmp_path / "out/overall.json").read_text())["tables"]
    (din,) = [row for row in table["rows"] if row["system"] == "DIN"]
    assert [found["auc"] for found in din["ours"]] == [
        pytest.approx(roc_auc_score(one.label, one.score)) for one in map(read_scores, paths)
    ]
    assert din["difference"]["auc"] == pytest.approx(statistics.mean(one["auc"] for one in din["ours"]) - 0.7962)
    assert (tmp_path / "out/overall.png").stat().st_size > 10_000


OTHERS = [  # table, what was scored, and the keys of the row of the paper
    ("history_length", {"config_name": "recency_k15", "base": "org/falcon-7b"}, ("Falcon-7B", "zero-shot", "15")),
    ("compatibility", {"config_name": "recency_k5", "base": "o/mistral-7b"}, ("base model", "zero-shot", "Mistral-7B")),
    ("compatibility", {"config_name": "subr_k30", "base": "o/mistral-7b"}, ("SUBR", "zero-shot", "Mistral-7B")),
    ("compatibility", {"adapter": "a", "training_samples": 3}, ("ReiT", "few-shot <10%", "Vicuna-13B")),
    ("compatibility", {"model": "sim"}, ("SIM", "full-shot", "")),
    ("compatibility", {"model": "sim", "num_shots": 3}, ("SIM", "few-shot <10%", "")),
    ("ablation", {"config_name": "subr_k30"}, ("w/o IT", "zero-shot")),
    ("ablation", {"config_name": "recency_k30"}, ("w/o IT and retrieval", "zero-shot")),
    ("ablation", {"adapter": "a", "training_samples": 0, "training_config": "reit_k30"}, ("ReLLa", "few-shot <1%")),
    (
        "ablation",
        {"adapter": "a", "training_samples": 0, "training_config": "subr_k30"},
        ("w/o mixture", "few-shot <1%"),
    ),
    (
        "ablation",
        {"adapter": "a", "training_samples": 0, "training_config": "recency_k30", "config_name": "recency_k30"},
        ("w/o retrieval", "few-shot <1%"),
    ),
]


@pytest.mark.parametrize(("name", "made", "keys"), OTHERS, ids=lambda value: str(value))
def test_every_table_of_systems_is_filled(folder, name, made, keys):
    made = {"model": None} | made
    scores = some_scores(folder, **made)
    table = read_table(name)
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in as_text([scores], name).splitlines()]
    (cells,) = [cells for cells in rows if tuple(cells[: len(keys)]) == keys]
    mine = f"{roc_auc_score(scores.label, scores.score):.4f}"
    assert cells[len(keys)] == mine
    assert cells[len(keys) + 1], "the paper has this row"
    exact = roc_auc_score(scores.label, scores.score) - float(cells[len(keys) + 1])
    assert cells[-1] == f"{exact:+.4f}"
    with_model = [cells for cells in rows if len(cells) > len(keys) and not cells[1].startswith("no model")]
    filled = [cells for cells in with_model if cells[len(keys)].startswith("0.")]
    assert len(filled) == 1, "no other row is filled"
    assert len(rows) > len(table.where({"corpus": "ml1m"}))


@pytest.mark.parametrize("name", [name for name in table_names() if read_table(name).measured_on == "scores"])
def test_every_table_of_scores_is_written_by_the_command(folder, command, tmp_path, name):
    """Also where nothing of ours belongs in a row of it."""
    one = some_scores(folder, None, config_name="recency_k15", base="org/small")
    write_scores(
        *(tmp_path / "s.parquet", one.sample_id, one.user_id, one.label, one.score),
        record={"seed": 0, "fingerprint": "0", "seconds": 2.0} | one.record,
    )
    line = ["--table", name, "--output", tmp_path / "out", "--scores", tmp_path / "s.parquet"]
    assert command("evaluation/report.py", *line) == 0
    written = json.loads((tmp_path / f"out/{name}.json").read_text())
    assert (written["table"], written["source"]) == (name, read_table(name).source)
    assert sorted(path.suffix for path in (tmp_path / "out").glob(f"{name}.*")) == [".json", ".md", ".png"]


def test_pca_and_similarity_go_by_the_vectors_of_the_data_set(folder, monkeypatch):
    made_from = {"view_subr_k30": {"similarity": "l1"}, "item_vectors": {"dimension": 64}}
    real = store.provenance
    monkeypatch.setattr(store, "provenance", lambda folder, name: made_from.get(name) or real(folder, name))
    scores = some_scores(folder, None, config_name="subr_k30")
    for name, value in (("similarity", "l1"), ("pca", "64")):
        rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in as_text([scores], name).splitlines()]
        (cells,) = [cells for cells in rows if cells[:3] == ["ReLLa", "zero-shot", value]]
        assert cells[3] == f"{roc_auc_score(scores.label, scores.score):.4f}"


def test_what_has_no_key_of_a_table_is_said(folder):
    text = as_text(
        [some_scores(folder), some_scores(folder, None, config_name="recency_k9", base="o/small")], "similarity"
    )
    assert "- None is left out: it has no similarity." in text


def test_a_curve_is_named_without_the_number_that_it_goes_over(folder):
    made = [some_scores(folder, None, config_name=f"recency_k{k}", base="o/small") for k in (9, 10)]
    ctr = some_scores(folder)
    text = as_text([*made, ctr], "history_length")
    rows = [line.split("|")[1:5] for line in text.splitlines() if "small" in line or "din" in line]
    assert [[cell.strip() for cell in row[:3]] for row in rows] == [
        ["no base", "din, full-shot", "30"],
        ["small", "rella, zero-shot, recency", "9"],
        ["small", "rella, zero-shot, recency", "10"],
    ]
    table = read_table("history_length")
    (section,) = filled(table, [*made, ctr], [])
    curves = curves_of(table, section)
    assert [over for over, *_ in curves["small, rella, zero-shot, recency"][0]] == [9, 10]
    assert curves["Vicuna-13B, zero-shot"] == (
        [],
        [(5, 0.6807), (10, 0.6932), (15, 0.6993), (20, 0.6918), (25, 0.6937), (30, 0.6908)],
    )


def test_costs_stand_beside_the_papers(folder, tmp_path):
    record = some_scores(folder, None, adapter="a", training_samples=3).record
    cost = {
        "record": record,
        "trainable_weights": 6_553_600,
        "samples": 9,
        "milliseconds": {"one_at_a_time": 7.5, "batched": 2},
    }
    (tmp_path / "cost.json").write_text(json.dumps(cost))
    table = read_table("efficiency")
    text = markdown(table, filled(table, [], [], [str(tmp_path / "cost.json")]))
    cells = line_of(text, "ReLLa", "Vicuna-13B")
    assert cells[2:5] == ["6,553,600", "650,000,000", "7.50"]
    assert "rella (vicuna-13b-v1.5), batched" in text


NEW = """
source: Another paper, table 7
keys: [base, history_length, corpus]
values: [auc, group_auc]
rows:
  - [small, 15, ml1m, 0.7, 0.61]
  - [small, 30, ml1m, 0.8, 0.62]
"""


def test_a_new_table_is_one_file(folder, tmp_path, monkeypatch):
    """Its keys are facts of the scores, its values metrics of any name."""
    monkeypatch.setattr(tables, "FOLDER", tmp_path)
    (tmp_path / "newest.yaml").write_text(NEW)
    scores = some_scores(folder, None, config_name="recency_k30", base="org/Small-1b")
    text = as_text([scores], "newest")
    assert text.startswith("# newest\n\nPaper: Another paper, table 7.")
    head, _, first, second = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line.startswith("|")
    ]
    assert head == ["base", "history length", "AUC ours", "AUC paper", "GAUC ours", "GAUC paper", "AUC difference"]
    assert first == ["small", "15", "", "0.7", "", "0.61", ""]
    mine = roc_auc_score(scores.label, scores.score)
    grouped = group_auc(scores.score, scores.label, scores.user_id)
    assert second == ["small", "30", f"{mine:.1f}", "0.8", f"{grouped:.2f}", "0.62", f"{mine - 0.8:+.1f}"]
