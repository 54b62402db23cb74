"""The paper's main table with our rows in it: mean and deviation by hand, and what belongs to no row."""

import statistics

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from dataset_builders.stages.arguments import FolderArguments, RawArguments
from dataset_builders.stages.prepare import prepare
from evaluation.results.overall import overall
from evaluation.scores.table import Scores


@pytest.fixture(scope="module")
def folder(tmp_path_factory, raw_ml1m):
    where = FolderArguments(corpus="ml1m", output=str(tmp_path_factory.mktemp("overall") / "ml1m"))
    prepare(where, RawArguments(raw=str(raw_ml1m)))
    return where.folder


def some_scores(folder, model: str | None = "din", seed: int = 0, num_shots=None, **changes) -> Scores:
    rng = np.random.default_rng(seed)
    label = rng.integers(0, 2, 50)
    record = {
        "system": model or "rella",
        "split": "test",
        "limit": None,
        "corpus": "ml1m",
        "dataset_folder": str(folder),
    }
    if model:
        record["model_identity"] = {"model": model, "num_shots": num_shots}
    return Scores(None, np.arange(50), label, rng.random(50), record | changes)


def line_of(table: str, system: str) -> list[str]:
    (line,) = [line for line in table.splitlines() if line.startswith(f"| {system} | full-shot |")]
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_seeds_of_a_row_are_their_mean_and_deviation(folder):
    seeds = [some_scores(folder, seed=seed) for seed in range(3)]
    sim = some_scores(folder, "sim", seed=9)
    table = overall([*seeds, sim])
    aucs = [roc_auc_score(one.label, one.score) for one in seeds]
    mean, deviation = statistics.mean(aucs), statistics.stdev(aucs)
    cells = line_of(table, "DIN")
    assert cells[2:4] == [f"{mean:.4f} ± {deviation:.4f} (3)", "0.7962"]
    assert cells[-1] == f"{mean - 0.7962:+.4f}"
    assert line_of(table, "SIM")[2:4] == [f"{roc_auc_score(sim.label, sim.score):.4f}", "0.7992"]


def test_what_was_not_measured_is_empty_not_copied(folder):
    cells = line_of(overall([some_scores(folder)]), "DeepFM")
    assert cells[2:] == ["", "0.7915", "", "0.5484", "", "0.7225", ""]


@pytest.mark.parametrize(
    ("made", "said"),
    [
        ({"model": None}, "is of 'rella', a language model"),
        ({"num_shots": 8192}, "was trained on 8,192 shots; the row of the table is full-shot"),
        ({"limit": 1000}, "is not of the whole test split"),
        ({"split": "validation"}, "is not of the whole test split"),
    ],
)
def test_what_belongs_to_no_row_is_refused(folder, made, said):
    with pytest.raises(ValueError, match=said):
        overall([some_scores(folder, **made)])
