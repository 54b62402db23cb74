"""The report, from score files on made-up tables to the three files it writes, and the comparisons it refuses."""

import json
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from builders import CONFIG, RECORD, run_report, sample_ids_of, some_scores, write_dataset
from matplotlib import image
from matplotlib.figure import Figure
from sklearn.metrics import roc_auc_score

import rella_hub.metrics
from rella_hub.cards import verdict
from rella_hub.cards.model_index import eval_results
from rella_hub.cards.results import Comparison
from rella_hub.cards.templates import environment
from rella_hub.metrics import metrics
from rella_hub.metrics.uncertainty.delong import compare_aucs
from rella_hub.metrics.uncertainty.p_value import p_text
from rella_hub.reports.figure import _draw_reliability, draw, styles_of
from rella_hub.reports.machine_readable import as_dictionary
from rella_hub.reports.markdown import render
from rella_hub.reports.rows import Group, Row, compare
from rella_hub.systems.model_free import MODEL_FREE, item_mean
from rella_hub.tables import store
from rella_hub.tables.scores import Scores, read_scores, users_of, write_scores


def rows_by_name(files: list[Scores]) -> dict:
    (group,) = compare(files, resamples=50, seed=0)
    return {row.name: row for row in group.rows}


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    """A folder with a data set and the score files of two systems on its test split, the command already run."""
    base = tmp_path_factory.mktemp("report")
    write_dataset(base / "rella/ml1m")
    samples = store.read(base / "rella/ml1m", "samples", "test")
    label = samples["label"].to_numpy()
    rng = np.random.default_rng(1)
    for system, signal in (("zero_shot", 0.1), ("rella", 0.3)):
        record = RECORD | {"system": system, "corpus": "ml1m", "config_name": CONFIG, "base": "hub/tiny"}
        record |= {"dataset": "rella/ml1m", "dataset_folder": str(base / "rella/ml1m")}
        score = signal * label + (1 - signal) * rng.random(len(label))
        ids = sample_ids_of(base / "rella/ml1m")
        users = users_of(base / "rella/ml1m", "test", ids)
        write_scores(base / system / "scores.parquet", ids, users, label, score, record)
    return base


@pytest.fixture(scope="module")
def done(made) -> subprocess.CompletedProcess:
    files = ["zero_shot/scores.parquet", "rella/scores.parquet"]
    return run_report(made, "--scores", *files, "--output", "out", "--resamples", "200", "--seed", "3")


def test_command_writes_three_files_and_prints_the_table(made, done):
    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in (made / "out").iterdir()) == [
        *(".rella.json", "report.md", "report.png", "results.json")
    ]
    report = (made / "out/report.md").read_text()
    assert report in done.stdout
    lines = [line.split("|")[1].strip() for line in report.splitlines() if line.startswith("| ")]
    assert lines[0] == "system"
    assert lines[2:] == ["zero_shot", "rella", "history_mean", "item_mean", "both_means"]
    assert "200 bootstrap resamples of the users (seed 3)" in report
    notes = [line for line in report.splitlines() if line.startswith("- ")]
    assert all("GAUC" in line for line in notes), "nothing else was left out, so nothing else is noted"


def test_results_hold_every_number_and_record(made, done):
    results = json.loads((made / "out/results.json").read_text())
    assert (results["resamples"], results["seed"]) == (200, 3)
    assert results["metric_versions"] == {metric.name: 1 for metric in metrics()}
    rows = {row["name"]: row for row in results["rows"]}
    for system in ("zero_shot", "rella"):
        scores = read_scores(made / system / "scores.parquet")
        row = rows[system]
        assert row["auc"]["value"] == pytest.approx(roc_auc_score(scores.label, scores.score))
        assert row["accuracy"]["value"] == pytest.approx(np.mean((scores.score > 0.5) == scores.label))
        assert row["auc"]["low"] < row["auc"]["value"] < row["auc"]["high"]
        assert row["users"] == len(np.unique(scores.user_id))
        assert row["record"] == scores.record
        assert row["score_file"] == f"{system}/scores.parquet"
        assert (row["n"], row["positives"]) == (len(scores.label), scores.label.sum())
    assert rows["zero_shot"]["auc_difference"] is None
    assert rows["zero_shot"]["reference"] == rows["item_mean"]["reference"] == "zero_shot"
    difference = rows["rella"]["auc_difference"]
    assert difference["value"] == pytest.approx(rows["rella"]["auc"]["value"] - rows["zero_shot"]["auc"]["value"])
    assert rows["history_mean"]["score_file"] is None


def test_table_prints_what_results_hold(made, done):
    report = (made / "out/report.md").read_text()
    for row in json.loads((made / "out/results.json").read_text())["rows"]:
        (line,) = [line for line in report.splitlines() if line.startswith(f"| {row['name']} ")]
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        assert cells[1:4] == ["-" if row["base"] is None else "tiny", CONFIG, "60"]
        for cell, metric in zip(cells[4:8], ("auc", "log_loss", "accuracy", "group_auc"), strict=True):
            value = row[metric]
            assert cell == f"{value['value']:.4f} [{value['low']:.4f}, {value['high']:.4f}]"
        if row["name"] == "zero_shot":
            assert cells[8:] == ["reference", "-", "-"]
        else:
            assert cells[8].startswith(f"{row['auc_difference']['value']:+.4f} [")
            assert cells[9:] == [f"{row['delong']['z']:+.2f}", p_text(row["delong"]["p"])]


def test_every_difference_has_its_test(made, done):
    """Of users: DeLong's test by cluster. A row with a model meets every row without one."""
    rows = {row["name"]: row for row in json.loads((made / "out/results.json").read_text())["rows"]}
    scores = {name: read_scores(made / name / "scores.parquet") for name in ("zero_shot", "rella")}
    floor = list(MODEL_FREE)
    assert floor == ["history_mean", "item_mean", "both_means"]
    assert list(rows["rella"]["against"]) == ["zero_shot", *floor]
    assert list(rows["zero_shot"]["against"]) == floor
    assert list(rows["both_means"]["against"]) == ["zero_shot"]
    mine, theirs = scores["rella"], scores["zero_shot"]
    expected = compare_aucs(mine.label, mine.score, theirs.score, mine.user_id)
    for found in (rows["rella"]["delong"], rows["rella"]["against"]["zero_shot"]["delong"]):
        assert (found["value"], found["z"], found["p"]) == (expected.value, expected.z, expected.p)
    _, mean = item_mean(made / "rella/ml1m", CONFIG, "test", mine.sample_id)
    expected = compare_aucs(mine.label, mine.score, mean, mine.user_id)
    found = rows["rella"]["against"]["item_mean"]
    assert found["delong"]["p"] == expected.p
    assert found["auc_difference"]["value"] == pytest.approx(expected.value)


def test_scores_of_0_2_get_their_users_from_the_data_set(made, done):
    """Without it their samples are resampled, and the report says so."""
    new = [read_scores(made / system / "scores.parquet") for system in ("zero_shot", "rella")]
    old = [replace(scores, user_id=None) for scores in new]
    assert as_dictionary(compare(old, 50, 0), 50, 0) == as_dictionary(compare(new, 50, 0), 50, 0)
    away = [replace(scores, record={**scores.record, "dataset_folder": None}) for scores in old]
    (group,) = compare(away, 50, 0)
    assert group.users is None
    assert [
        note for note in group.notes if note.startswith("intervals and tests take each sample for a user of its own")
    ]
    assert "no GAUC: GAUC needs the user of each sample. Score again: score files of 0.2 do not hold it." in group.notes
    assert [row.values["group_auc"] for row in group.rows] == [None, None]
    cells = [line.split("|")[8].strip() for line in render([group], 50, 0).splitlines() if line.startswith("| zero")]
    assert cells == ["-"]
    mixed = [away[0], replace(new[1], record=away[1].record)]
    assert compare(mixed, 50, 0)[0].users == len(np.unique(new[1].user_id)), "one file that knows is enough"


@pytest.mark.parametrize("count", [1, 2, 9])
def test_few_users_never_look_like_certainty(count):
    """Resamples of a single user would all be the same, and every difference certain."""
    users = np.arange(60) % count
    files = [
        replace(some_scores(name, seed=i, system=name), user_id=users) for i, name in enumerate(("zero_shot", "rella"))
    ]
    (group,) = compare(files, 50, 0)
    (note,) = [note for note in group.notes if note.startswith("intervals and tests take each sample")]
    assert note.endswith(f"resamples of users need 10 users or more, here the number of users is {count}.")
    assert "no GAUC: its interval needs resamples of users." in group.notes
    assert [row.values["group_auc"] for row in group.rows] == [None, None]
    alone = compare([replace(scores, user_id=np.arange(60)) for scores in files], 50, 0)[0]
    for row, other in zip(group.rows, alone.rows, strict=True):
        assert row.values["auc"] == other.values["auc"]
        assert row.values["auc"].low < row.values["auc"].high
    assert group.rows[1].paired == alone.rows[1].paired


def test_files_that_differ_in_the_users_are_refused():
    one, other = some_scores("a"), some_scores("b", system="rella")
    with pytest.raises(ValueError, match=r"score the same samples of different users, so the data set was rebuilt"):
        compare([one, replace(other, user_id=other.user_id[::-1].copy())], 50, 0)


METRIC = '''"""Brier: the mean squared error of the scores. Range 0 to 1, less is better. Worked example: 0.25."""

import evaluate
import numpy as np

VERSION = 7
TITLE = "Brier"
PLACE = 9
HUB_ID = "brier_score"
HIGHER_IS_BETTER = False
BOUNDS = (0, 1)
EXAMPLE = {"predictions": [0.5], "references": [1]}


def brier(predictions, references):
    return float(np.mean((np.asarray(predictions) - references) ** 2))
'''


def test_a_new_metric_is_one_file(made, tmp_path, monkeypatch):
    """It is in the report, in its JSON and in the model index of a card, with an interval, and no other file changed."""
    (tmp_path / "brier.py").write_text(METRIC)
    monkeypatch.setattr(rella_hub.metrics, "__path__", [*rella_hub.metrics.__path__, str(tmp_path)])
    scores = [read_scores(made / system / "scores.parquet") for system in ("zero_shot", "rella")]
    groups = compare(scores, 50, 0)
    head = next(line for line in render(groups, 50, 0).splitlines() if line.startswith("| system"))
    assert [cell.strip() for cell in head.split("|")][5:10] == ["AUC", "LogLoss", "ACC", "GAUC", "Brier"]
    results = as_dictionary(groups, 50, 0)
    assert results["metric_versions"]["brier"] == 7
    row = next(row for row in results["rows"] if row["name"] == "rella")
    expected = np.mean((scores[1].score - scores[1].label) ** 2)
    assert row["brier"]["value"] == pytest.approx(expected)
    assert row["brier"]["low"] < expected < row["brier"]["high"]
    row["record"] = row["record"] | {"dataset_revision": None}
    comparison = Comparison("ml1m", "test", CONFIG, row, None, [], [], [])
    found = {result.metric_type: result.metric_value for result in eval_results(comparison, None, "other")}
    assert found["brier_score"] == round(expected, 4)
    table = environment().get_template("shared/comparisons.md.jinja").render(comparisons=[comparison])
    assert "| GAUC | Brier |" in table
    assert verdict.number(row["brier"]) in table


def test_figure_is_a_picture(made, done):
    pixels = image.imread(made / "out/report.png")
    assert min(pixels.shape[:2]) > 500
    assert pixels.std() > 0.01


def test_report_is_reproducible(made, done, tmp_path):
    scores = [read_scores(made / system / "scores.parquet") for system in ("zero_shot", "rella")]
    groups = compare(scores, 200, 3)
    draw(groups, tmp_path / "report.png")
    assert render(groups, 200, 3) == (made / "out/report.md").read_text()
    assert (tmp_path / "report.png").read_bytes() == (made / "out/report.png").read_bytes()


def test_command_ends_in_one_line_for_bad_input(made):
    failed = run_report(made, "--scores", "nowhere.parquet", "--output", "failed")
    assert (failed.returncode, failed.stdout) == (2, "")
    assert failed.stderr.splitlines()[-1].startswith("error: There is no score file nowhere.parquet")
    assert not (made / "failed").exists()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--table", "overall", "--scores", "a.parquet", "--seed", "1"], "--seed 1 has no effect without a report"),
        (["--table", "overal", "--scores", "a.parquet"], "no table 'overal' of the paper. Expected one of ablation"),
        (["--table", "data_statistics", "--scores", "a.parquet"], "another --table than data_statistics"),
    ],
)
def test_options_without_an_effect_on_a_table_are_refused(command, tmp_path, capsys, options, said):
    assert command("evaluation/report.py", *options, "--output", tmp_path / "table") == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "table").exists()


def test_output_that_is_a_file_is_refused(made):
    failed = run_report(made, "--scores", "rella/scores.parquet", "--output", "rella/scores.parquet")
    assert failed.returncode == 2
    assert "--output rella/scores.parquet is a file. Give a folder." in failed.stderr


def test_rebuilt_dataset_is_noticed(made):
    scores = read_scores(made / "rella/scores.parquet")
    changed = 1 - scores.label
    stale = replace(scores, label=changed)
    with pytest.raises(ValueError, match=r"has other labels than .*samples, so that table was rebuilt"):
        compare([stale], 50, 0)


def test_missing_dataset_folder_is_noted():
    for folder in (None, "/nowhere/rella/demo"):
        (group,) = compare([some_scores(dataset_folder=folder)], 50, 0)
        assert [row.name for row in group.rows] == ["zero_shot"]
        note = "no rows for history_mean, item_mean and both_means: the data set rella/demo is not in a folder here."
        assert group.notes == [note]
        assert f"\n- subr_k30: {note}\n" in render([group], 50, 0)
        assert as_dictionary([group], 50, 0)["notes"][0]["note"] == note


def test_missing_table_is_noted(tmp_path):
    (group,) = compare([some_scores(dataset_folder=str(tmp_path))], 50, 0)
    assert group.notes == [f"no rows for history_mean, item_mean and both_means: {tmp_path} lacks the table samples."]


def test_difference_is_to_zero_shot_of_the_same_base():
    rows = rows_by_name(
        [
            some_scores("small", seed=1, base="small"),
            some_scores("large", seed=2, base="large"),
            some_scores("tuned", seed=3, base="large", system="rella"),
            some_scores("din", seed=4, base=None, system="din"),
        ]
    )
    assert list(rows) == ["zero_shot (small)", "zero_shot (large)", "rella", "din"]
    assert rows["rella"].reference == "zero_shot (large)"
    assert rows["rella"].paired.difference.value == pytest.approx(
        rows["rella"].values["auc"].value - rows["zero_shot (large)"].values["auc"].value
    )
    assert rows["zero_shot (small)"].reference == "zero_shot (small)"
    assert rows["din"].reference is None


def test_system_without_base_is_compared_with_the_only_zero_shot():
    rows = rows_by_name([some_scores("small", base="small"), some_scores("din", base=None, system="din", seed=1)])
    assert rows["din"].reference == "zero_shot"


@pytest.mark.parametrize(
    ("other", "why"),
    [
        (
            some_scores("b", system="din", base=None),
            "no AUC difference for rella, din: no zero_shot scores were given.",
        ),
        (
            some_scores("b", base="other"),
            "no AUC difference for rella: not exactly one zero_shot of the same base model, read in the same way, was given.",
        ),
    ],
)
def test_lack_of_a_reference_is_noted(other, why):
    (group,) = compare([some_scores(system="rella"), other], 50, 0)
    assert why in group.notes


def test_better_system_has_a_difference_above_zero():
    label = np.arange(400) % 2
    good = some_scores("good", label=label, n=400, system="rella")
    bad = replace(good, path=Path("bad/s"), score=np.random.default_rng(5).random(400), record=RECORD)
    difference = rows_by_name([bad, good])["rella"].paired.difference
    assert 0 < difference.low < difference.value < difference.high


def test_same_system_twice_differs_by_exactly_nothing():
    rows = rows_by_name([some_scores("a"), some_scores("b", system="copy")])
    difference = rows["copy"].paired.difference
    assert (difference.value, difference.low, difference.high) == (0, 0, 0)


def test_groups_stand_in_natural_order():
    configs = ["subr_k30", "subr_k5", "recency_k10", "subr_k10"]
    files = [some_scores(config, config_name=config) for config in configs]
    groups = compare([*files, some_scores("other", corpus="a")], 50, 0)
    assert [group.config_name for group in groups[1:]] == ["recency_k10", "subr_k5", "subr_k10", "subr_k30"]
    report = render(groups, 50, 0)
    assert report.index("## a, test") < report.index("## demo, test")


def test_repeated_names_end_in_the_path_where_the_folder_is_the_same():
    twice = [some_scores("x/run"), some_scores("y/run"), some_scores("z", system="rella")]
    (group,) = compare(twice, 50, 0)
    assert [row.name for row in group.rows] == [
        "zero_shot (runs/x/run/scores.parquet)",
        "zero_shot (runs/y/run/scores.parquet)",
        "rella",
    ]


def test_different_samples_are_refused():
    with pytest.raises(
        ValueError, match=r"different samples of demo test subr_k30: 60 and 50, of which 50 are the same"
    ):
        compare([some_scores("a"), some_scores("b", n=50)], 50, 0)


def test_different_labels_are_refused():
    with pytest.raises(ValueError, match=r"same samples .* with different labels"):
        compare([some_scores("a"), some_scores("b", label=np.arange(60) % 2)], 50, 0)


def test_file_given_twice_is_refused():
    with pytest.raises(ValueError, match=r"runs/a/scores.parquet is given 2 times"):
        compare([some_scores("a"), some_scores("a")], 50, 0)


def test_one_class_is_refused():
    with pytest.raises(ValueError, match=r"runs/a/scores.parquet: all 60 labels are 1.*larger --limit"):
        compare([some_scores("a", label=np.ones(60, dtype=np.int64))], 50, 0)


def test_resamples_of_one_class_are_noted():
    (group,) = compare([some_scores("a", n=4, label=np.array([1, 0, 0, 0]), users=False)], 50, 0)
    assert any("of 50 resamples have no AUC, as where all labels are the same" in note for note in group.notes)


def test_bar_in_a_name_does_not_break_the_table():
    groups = compare([some_scores("a", system="a|b")], 50, 0)
    assert "| a\\|b " in render(groups, 50, 0)


@pytest.mark.parametrize(("n", "points"), [(1, 1), (39, 1), (60, 3), (1000, 10)])
def test_reliability_has_a_point_for_about_twenty_samples(n, points):
    scores = replace(some_scores(n=n), score=np.arange(n) / n)
    group = Group("demo", "subr_k5", "test", None, [Row("a", scores, {}, None, {})], [])
    axes = Figure().subplots()
    _draw_reliability(axes, group, "", styles_of([group]))
    drawn = axes.get_lines()[-1].get_xydata()
    assert len(drawn) == points
    if points == 3:
        parts = np.array_split(np.arange(60), 3)
        assert drawn == pytest.approx(np.array([[scores.score[p].mean(), scores.label[p].mean()] for p in parts]))


def test_figure_of_many_configs_and_systems(tmp_path):
    files = [
        some_scores(f"{k}/{system}", system=system, config_name=f"subr_k{k}", seed=k + i)
        for k in (5, 10, 15, 20)
        for i, system in enumerate(("zero_shot", "rella", "few_shot"))
    ]
    draw(compare(files, 50, 0), tmp_path / "figure.png")
    assert image.imread(tmp_path / "figure.png").shape[0] > 1000
