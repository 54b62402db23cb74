"""The metrics against hand arithmetic, brute force and scikit-learn, and as scripts that are loaded alone."""

import ast
import json
import math
import os
import subprocess
import sys
from pathlib import Path

import evaluate
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

import rella_hub.metrics
from rella_hub.metrics import measure, metrics
from rella_hub.metrics.accuracy import Accuracy, accuracy
from rella_hub.metrics.auc import AUC, auc
from rella_hub.metrics.group_auc import GroupAUC, group_auc
from rella_hub.metrics.log_loss import LogLoss, log_loss

FOLDER = Path(rella_hub.metrics.__file__).parent
SCRIPTS = sorted(path for path in FOLDER.glob("*.py") if path.stem != "__init__")
METRICS = {
    "auc": (AUC, auc),
    "log_loss": (LogLoss, log_loss),
    "accuracy": (Accuracy, accuracy),
}  # of scores and labels alone
WORKED_EXAMPLES = {  # scores, labels, value: those of the docstrings
    "auc": ([0.1, 0.4, 0.4, 0.8], [0, 0, 1, 1], 0.875),
    "log_loss": ([0.5, 0.75], [1, 0], (math.log(2) + math.log(4)) / 2),
    "accuracy": ([0.9, 0.5, 0.5, 0.2], [1, 1, 0, 0], 0.75),
}
samples = st.lists(
    st.tuples(st.sampled_from([0.0, 0.25, 0.3, 0.5, 0.7, 1.0]), st.integers(0, 1)), min_size=2, max_size=30
)


def test_every_metric_file_is_tested_here():
    assert [path.stem for path in SCRIPTS] == sorted([*METRICS, "group_auc"])
    assert sorted(METRICS) == sorted(WORKED_EXAMPLES)


def test_metrics_stand_in_the_order_of_papers():
    assert [metric.title for metric in metrics()] == ["AUC", "LogLoss", "ACC", "GAUC"]


@pytest.mark.parametrize("metric", metrics(), ids=lambda metric: metric.name)
def test_what_a_metric_says_of_itself_is_so(metric):
    """Its example is that of its docstring, its bounds and direction are those of every metric of right and wrong answers."""
    example = {key: np.array(value) for key, value in metric.example.items()}
    docstring = ast.get_docstring(ast.parse((FOLDER / f"{metric.name}.py").read_text()))
    stated = docstring.partition("Worked example:")[2].rstrip(".")
    assert f"{metric.of(**example):.4f}".rstrip("0") in f"{stated}0"
    right = example | {"predictions": example["references"].astype(float)}
    wrong = example | {"predictions": 1.0 - example["references"]}
    best, worst = metric.of(**right), metric.of(**wrong)
    assert (best > worst) is metric.higher_is_better
    assert (worst, best)[:: 1 if metric.higher_is_better else -1] == pytest.approx(metric.bounds, abs=0.01)


def test_what_metrics_say_is_known_without_torch():
    code = "import sys; from rella_hub.metrics import metrics; metrics(); print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=FOLDER.parents[1])
    assert done.stdout == "False\n", done.stderr


@pytest.mark.parametrize("metric", metrics(), ids=lambda metric: metric.name)
def test_a_repeated_metric_is_that_of_the_samples_written_out(metric):
    rng = np.random.default_rng(0)
    users = np.sort(rng.integers(0, 9, 80))
    scores, labels = rng.integers(0, 6, 80) / 5, rng.integers(0, 2, 80)
    value = metric.repeated(scores, labels, users)
    for _ in range(20):
        times = rng.integers(0, 4, 9)[users]
        written_out = [np.repeat(column, times) for column in (scores, labels)]
        if metric.by_user:  # one user of twice the samples is to this mean what two users of the same samples are
            written_out.append(np.repeat(users, times))
        assert value(times) == pytest.approx(metric.of(*written_out), abs=1e-12)


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 1), st.integers(-3, 3)), min_size=1, max_size=40))
def test_group_auc_is_the_mean_over_users_who_have_both_labels(rows):
    """Every user by scikit-learn."""
    scores, labels, users = (np.array(column) for column in zip(*rows, strict=True))
    scores = scores / 4
    own = [users == user for user in set(users.tolist())]
    both = [part for part in own if len(set(labels[part])) == 2]
    remark = rella_hub.metrics.group_auc.remark(labels, users)
    assert remark == (
        f"GAUC leaves out {len(own) - len(both)} of {len(own)} users, whose samples all have one label"
        if len(own) > len(both)
        else None
    )
    if not both:
        with pytest.raises(ValueError, match=r"None of \d+ users has samples of both labels"):
            group_auc(scores, labels, users)
        return
    expected = sum(part.sum() * roc_auc_score(labels[part], scores[part]) for part in both)
    assert group_auc(scores, labels, users) == pytest.approx(expected / sum(part.sum() for part in both), abs=1e-12)
    metric = GroupAUC(keep_in_memory=True)
    assert metric.compute(predictions=scores, references=labels, users=users)["group_auc"] == pytest.approx(
        group_auc(scores, labels, users)
    )


@pytest.mark.parametrize(
    ("users", "said"),
    [
        ([1, 1, 2], r"users of shape \(3,\) for 4 samples"),
        ([1, 1, 2.5, 2], "not all whole numbers"),
        ([1, 1, math.nan, 2], "not all whole numbers"),
        (["a", "a", "b", "b"], "The users hold 'a'"),
        (None, "The users hold None"),
    ],
)
def test_what_is_no_user_gives_no_group_auc(users, said):
    scores, labels = [0.1, 0.2, 0.3, 0.4], [0, 1, 0, 1]
    for ask in (
        lambda: group_auc(scores, labels, users),
        lambda: GroupAUC(keep_in_memory=True).compute(predictions=scores, references=labels, users=users),
    ):
        with pytest.raises(ValueError, match=said):
            ask()


def test_measures_are_those_that_need_no_user():
    assert list(measure(np.array([0, 1]), np.array([0.2, 0.7]))) == ["auc", "log_loss", "accuracy"]


@pytest.mark.parametrize(("lost", "said"), [("TITLE", "does not say its TITLE"), ("BOUNDS", "does not say its BOUNDS")])
def test_a_metric_that_does_not_say_what_it_is_is_refused(tmp_path, monkeypatch, lost, said):
    text = (FOLDER / "auc.py").read_text()
    (tmp_path / "half_auc.py").write_text(text.replace(f"\n{lost} = ", "\n_ = "))
    monkeypatch.setattr(rella_hub.metrics, "__path__", [*rella_hub.metrics.__path__, str(tmp_path)])
    with pytest.raises(ValueError, match=said):
        metrics()


@pytest.mark.parametrize("name", METRICS)
def test_worked_example(name):
    scores, labels, expected = WORKED_EXAMPLES[name]
    metric, function = METRICS[name]
    assert function(scores, labels) == pytest.approx(expected, abs=1e-12)
    found = metric(keep_in_memory=True).compute(predictions=scores, references=labels)
    assert found == {name: pytest.approx(expected, abs=1e-12)}


def test_load_by_path_offline(tmp_path):
    code = (
        "import evaluate, json, sys\n"
        "examples = json.loads(sys.argv[1])\n"
        "print(json.dumps({path: evaluate.load(path).compute(**example) for path, example in examples}))"
    )
    examples = [(str(FOLDER / f"{metric.name}.py"), metric.example) for metric in metrics()]
    caches = {"HF_HOME": str(tmp_path / "home"), "HF_MODULES_CACHE": str(tmp_path / "modules"), "HF_HUB_OFFLINE": "1"}
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"} | caches
    done = subprocess.run(
        [sys.executable, "-c", code, json.dumps(examples)],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    for metric in metrics():
        expected = metric.of(*(np.array(column) for column in metric.example.values()))
        assert found[str(FOLDER / f"{metric.name}.py")] == {metric.name: pytest.approx(expected)}


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_script_has_one_import_a_line_and_none_of_ours(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            assert len(node.names) == 1, "evaluate reads `import a, b` as one package named 'a,'"
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            module = node.module if isinstance(node, ast.ImportFrom) else node.names[0].name
            assert module.split(".")[0] in ("collections", "datasets", "evaluate", "numpy", "sklearn")


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_docstring_states_range_and_example(path):
    docstring = ast.get_docstring(ast.parse(path.read_text()))
    assert "Range 0 to " in docstring
    assert "Worked example:" in docstring


@given(samples)
def test_auc_counts_ordered_pairs(pairs):
    yes = [score for score, label in pairs if label]
    no = [score for score, label in pairs if not label]
    scores, labels = zip(*pairs, strict=True)
    if not yes or not no:
        with pytest.raises(ValueError, match=r"all .* labels are"):
            auc(scores, labels)
        return
    right = sum((y > n) + (y == n) / 2 for y in yes for n in no)
    assert auc(scores, labels) == pytest.approx(right / (len(yes) * len(no)), abs=1e-12)


@given(samples)
def test_log_loss_is_mean_clipped_cross_entropy(pairs):
    clipped = [(min(max(score, 1e-7), 1 - 1e-7), label) for score, label in pairs]
    expected = -sum(math.log(score if label else 1 - score) for score, label in clipped) / len(pairs)
    assert log_loss(*zip(*pairs, strict=True)) == pytest.approx(expected, rel=1e-9)


@given(samples)
def test_accuracy_answers_yes_above_one_half(pairs):
    right = sum((score > 0.5) == bool(label) for score, label in pairs)
    assert accuracy(*zip(*pairs, strict=True)) == pytest.approx(right / len(pairs))


def test_log_loss_of_a_certain_mistake_is_finite():
    assert log_loss([0.0], [1]) == pytest.approx(-math.log(1e-7))
    assert log_loss([1.0], [0]) == pytest.approx(-math.log(1e-7), rel=1e-6)


def test_auc_of_one_class_says_what_to_do():
    with pytest.raises(ValueError, match=r"all 3 labels are 1\. Score more samples"):
        auc([0.1, 0.2, 0.3], [1, 1, 1])


def test_auc_class_of_one_class_raises_too():
    with pytest.raises(ValueError, match="all 2 labels are 0"):
        AUC(keep_in_memory=True).compute(predictions=[0.1, 0.2], references=[0, 0])


@pytest.mark.parametrize("name", METRICS)
@pytest.mark.parametrize(
    ("scores", "labels", "message"),
    [
        ([0.1, 0.2, 0.3], [0, 1], r"shape \(3,\) and references of shape \(2,\)"),
        ([], [], "at least one sample"),
        ([[0.1], [0.2]], [[0], [1]], "one score and one label"),
        ([0.1, math.nan], [0, 1], "1 predictions are not numbers from 0 to 1; the first is nan"),
        ([2.5, -0.1], [0, 1], r"2 predictions are not numbers from 0 to 1; the first is 2\.5.*not logits"),
        ([0.1, math.inf], [0, 1], "the first is inf"),
        ([0.1, 0.2], [0, 2], "1 references are not 0 or 1; the first is 2"),
        ([0.1, 0.2], [-1, 1], "the first is -1"),
    ],
)
def test_bad_input_is_refused(name, scores, labels, message):
    with pytest.raises(ValueError, match=message):
        METRICS[name][1](scores, labels)


@pytest.mark.parametrize("name", METRICS)
def test_class_refuses_bad_input_too(name):
    metric = METRICS[name][0](keep_in_memory=True)
    with pytest.raises(ValueError, match=r"predictions of shape \(3,\) and references of shape \(2,\)"):
        metric.compute(predictions=[0.1, 0.2, 0.3], references=[0, 1])
    with pytest.raises(ValueError, match="not numbers from 0 to 1"):
        METRICS[name][0](keep_in_memory=True).compute(predictions=[0.1, math.nan], references=[0, 1])


@pytest.mark.parametrize("name", METRICS)
def test_order_of_samples_does_not_matter(name):
    rng = np.random.default_rng(0)
    scores, labels, order = rng.random(50), rng.integers(0, 2, 50), rng.permutation(50)
    function = METRICS[name][1]
    assert function(scores, labels) == pytest.approx(function(scores[order], labels[order]), abs=1e-12)


SCORES = [0.9, 0.2, 0.8, 0.1]
NO_LABELS = {
    "fractions, which a cast would cut to whole numbers": [0.3, 0.6, 1.0, 2.0],
    "a fraction": [1, 0, 0.5, 0],
    "another class": np.array([1, 0, 2, 0], dtype=np.uint8),
    "signs": [1, -1, 1, -1],
    "not a number": [1, 0, math.nan, 0],
    "infinite": [1, 0, math.inf, 0],
    "nothing": [1, 0, None, 0],
    "texts": ["1", "0", "1", "0"],
    "texts of Arrow": pa.array(["1", "0", "1", "0"]),
    "a null of Arrow": pa.array([1, 0, None, 0]),
    "a null of pandas": pd.Series([True, False, None, False], dtype="boolean"),
    "a masked label": np.ma.array([1, 0, 1, 0], mask=[0, 0, 1, 0]),
    "fractions of torch": torch.tensor([0.5, 0.0, 1.0, 0.0]),
    "a column of another shape": [[1], [0], [1], [0]],
    "rows of several lengths": [[1], [0, 1], [1], [0]],
    "too few": [1, 0, 1],
    "none at all": [],
}
LABELS = {
    "whole floats": [1.0, 0.0, 1.0, 0.0],
    "truth values": [True, False, True, False],
    "bytes": np.array([1, 0, 1, 0], dtype=np.uint8),
    "a tensor": torch.tensor([1, 0, 1, 0]),
    "a series with an index of its own": pd.Series([1, 0, 1, 0], index=[7, 8, 9, 10]),
    "an Arrow column": pa.chunked_array([[1, 0], [1, 0]]),
}


def added(metric, scores, labels) -> dict:
    metric.add_batch(predictions=scores, references=labels)
    return metric.compute()


@pytest.mark.parametrize("name", METRICS)
@pytest.mark.parametrize("labels", NO_LABELS.values(), ids=NO_LABELS)
def test_what_is_no_label_gives_no_number_by_any_way_in(name, labels):
    metric, function = METRICS[name]
    for ask in (
        lambda: function(SCORES, labels),
        lambda: metric(keep_in_memory=True).compute(predictions=SCORES, references=labels),
        lambda: added(metric(keep_in_memory=True), SCORES, labels),
        lambda: evaluate.combine([metric(keep_in_memory=True)]).compute(predictions=SCORES, references=labels),
    ):
        with pytest.raises(ValueError, match="references") as refused:
            ask()
        assert "\n" not in str(refused.value)


@pytest.mark.parametrize("name", METRICS)
@pytest.mark.parametrize("labels", LABELS.values(), ids=LABELS)
def test_labels_are_labels_whatever_holds_them(name, labels):
    metric, function = METRICS[name]
    expected = function(SCORES, [1, 0, 1, 0])
    assert added(metric(keep_in_memory=True), SCORES, labels) == {name: expected}
    assert added(metric(keep_in_memory=True), pa.array(SCORES), labels) == {name: expected}


@pytest.mark.parametrize("name", METRICS)
def test_samples_are_added_one_by_one_and_a_refused_one_leaves_no_trace(name):
    metric, function = METRICS[name]
    alone, combined = metric(keep_in_memory=True), evaluate.combine([metric(keep_in_memory=True)])
    for score, label in zip(SCORES, [1, 0, 1, 0], strict=True):
        for one in (alone, combined):
            one.add(prediction=score, reference=label)
            for bad in ({"prediction": score, "reference": 0.3}, {"prediction": "0.5", "reference": 1}):
                with pytest.raises(ValueError, match=r"references|predictions"):
                    one.add(**bad)
    assert alone.compute() == combined.compute() == {name: function(SCORES, [1, 0, 1, 0])}


@pytest.mark.parametrize("scores", [["0.9", "0.2"], [0.9, None], [1 + 0j, 0.2], np.ma.array([0.9, 0.2], mask=[1, 0])])
def test_what_is_no_score_gives_no_number(scores):
    for _, function in METRICS.values():
        with pytest.raises(ValueError, match="The predictions h"):
            function(scores, [1, 0])


def test_every_metric_checks_alike():
    """Each file repeats the checks, because it is loaded alone."""
    for scripts in (SCRIPTS, sorted(path for path in (FOLDER / "choices").glob("*.py") if path.stem != "__init__")):
        checks = [path.read_text(encoding="utf-8").partition("def _checked(")[2] for path in scripts]
        assert checks[0]
        assert len(set(checks)) == 1
