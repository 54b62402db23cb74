"""The paper's main table with our rows in it: mean and deviation by hand, and what belongs to no row."""

import json
import re
import statistics

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from rella_hub.paper.tables import read_table
from rella_hub.reports.overall import overall
from rella_hub.reports.overall_text import markdown
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
    return Scores(None, test["sample_id"].to_numpy(), test["label"].to_numpy(), score, record | changes)


def as_text(scores: list[Scores]) -> str:
    return markdown(overall(scores))


def line_of(table: str, system: str, setting: str = "full-shot") -> list[str]:
    (line,) = [line for line in table.splitlines() if line.startswith(f"| {system} | {setting} |")]
    return [cell.strip() for cell in line.strip("|").split("|")]


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
        if line.startswith("| ") and line.split("|")[3].strip() not in ("", "AUC ours")
    ]
    assert len(filled) == 1, "no other row is filled"


def test_few_shot_ctr_models_stand_below(folder):
    table = as_text([some_scores(folder, "sim", seed=shots, num_shots=shots) for shots in (1024, 8192, 512)])
    cells = line_of(table, "SIM", "8,192 shots")
    assert cells[2]
    assert cells[3] == ""
    assert re.findall(r"SIM \| (\S+) shots", table) == ["512", "1,024", "8,192"]


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
    [({"limit": 1000}, "is not of the whole test split"), ({"split": "validation"}, "is not of the whole test split")],
)
def test_what_belongs_to_no_row_is_refused(folder, made, said):
    with pytest.raises(ValueError, match=said):
        overall([some_scores(folder, **made)])


def test_the_mean_of_a_row_is_over_seeds_alone(folder):
    one, other = some_scores(folder), some_scores(folder, seed=1)
    other.record["model_identity"]["options"] = {"dropout": 0.2}
    with pytest.raises(ValueError, match=r"are of DIN with another options: None and \{'dropout': 0.2\}"):
        overall([one, other])
    with pytest.raises(ValueError, match="two of its score files are of the same weights"):
        overall([one, some_scores(folder)])
    zero_shot = [some_scores(folder, None, config_name=name) for name in ("recency_k15", "recency_k30")]
    with pytest.raises(ValueError, match=r"both belong to Vicuna-13B, zero-shot. Give one of them"):
        overall(zero_shot)


def test_the_table_is_written_as_text_numbers_and_figure(folder, command, tmp_path):
    paths = []
    for seed in range(2):
        one = some_scores(folder, seed=seed)
        paths.append(tmp_path / f"{seed}.parquet")
        record = {"limit": None, "seed": 0, "fingerprint": str(seed)} | one.record
        write_scores(paths[-1], one.sample_id, one.label, one.score, record)
    assert command("evaluation/report.py", "--table", "overall", "--output", tmp_path / "out", "--scores", *paths) == 0
    assert (tmp_path / "out/overall.md").read_text() == as_text([read_scores(path) for path in paths])
    (table,) = json.loads((tmp_path / "out/overall.json").read_text())["tables"]
    (din,) = [row for row in table["rows"] if row["system"] == "DIN"]
    assert [found["auc"] for found in din["ours"]] == [
        pytest.approx(roc_auc_score(one.label, one.score)) for one in map(read_scores, paths)
    ]
    assert (tmp_path / "out/overall.png").stat().st_size > 10_000
