"""Experiments: which cells there are, that each is trained and scored once, and what becomes of one that fails."""

import json
import random
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from rella_hub import cli
from rella_hub.experiments import folder as experiment_folder
from rella_hub.experiments.cells import cells_of, own_cells
from rella_hub.experiments.options import ExperimentArguments
from rella_hub.tables.scores import read_scores

REPOSITORY = Path(__file__).parents[1]
DIN = {
    "model": "din",
    "dataset": "elsewhere",
    "output_dir": "elsewhere",
    "history_length": 5,
    "batch_size": 16,
    "num_train_epochs": 1,
    "model_options": {"embedding_size": 4, "hidden_sizes": [4], "attention_sizes": [4]},
}


@pytest.fixture(scope="module")
def data(command, tmp_path_factory, raw_ml1m) -> Path:
    """The invented corpus with views and prompts at two K."""
    folder = tmp_path_factory.mktemp("experiment")
    views = ("--view", "recency", "--history_length", 2, 5)
    where = ("--corpus", "ml1m", "--output", folder / "rella/ml1m")
    assert command("dataset_builders/prepare.py", *where, "--raw", raw_ml1m) == 0
    assert command("dataset_builders/view.py", *where, *views) == 0
    assert command("dataset_builders/prompt.py", *where, *views) == 0
    (folder / "din.yaml").write_text(yaml.safe_dump(DIN))
    return folder


@pytest.fixture
def written(data, tmp_path):
    """Writes an experiment and gives its file."""

    def write(systems: list, **changes) -> Path:
        values = {"table": "history_length", "dataset": str(data / "rella/ml1m"), "output_dir": str(tmp_path / "made")}
        (tmp_path / "it.yaml").write_text(yaml.safe_dump({**values, "systems": systems, **changes}))
        return tmp_path / "it.yaml"

    return write


@pytest.fixture
def parsed(written):
    def parse(systems: list, **changes) -> ExperimentArguments:
        arguments = ["--config", str(written(systems, **changes))]
        return cli.parse(ExperimentArguments, description="An experiment.", arguments=arguments)[0]

    return parse


def trained(data: Path, **changes) -> dict:
    return {
        "name": "din",
        "recipe": str(data / "din.yaml"),
        "family": "ctr",
        "axes": {"history_length": [2, 5], "seed": [0, 1]},
        "scored_on": ["recency_k{history_length}"],
        **changes,
    }


FREE = {
    "model_free": "history_mean",
    "axes": {"history_length": [2, 5]},
    "scored_on": ["recency_k{history_length}"],
}


def test_cells_are_every_combination_with_their_options(parsed, data):
    cells = cells_of(parsed([trained(data), FREE]))
    assert [cell.name for cell in cells] == [
        *(f"din,history_length={k},seed={seed}" for k in (2, 5) for seed in (0, 1)),
        *(f"history_mean,history_length={k}" for k in (2, 5)),
    ]
    assert [(c.training.history_length, c.training.seed) for c in cells[:4]] == [(2, 0), (2, 1), (5, 0), (5, 1)]
    assert {cell.family for cell in cells} == {"ctr", None}, "the recipe is of the one family that has its options"
    assert {cell.training.dataset for cell in cells[:4]} == {str(data / "rella/ml1m")}
    assert [cell.scored_on for cell in cells[3:5]] == [("recency_k5",), ("recency_k2",)]
    assert len({cell.training.output_dir for cell in cells[:4]}) == 4


def test_shares_of_the_cells_are_disjoint_and_all_of_them(parsed, data):
    cells = cells_of(parsed([trained(data), FREE]))
    shares = [own_cells(parsed([trained(data), FREE], cells=f"{number}/4"), cells) for number in range(4)]
    assert sorted(cell.name for share in shares for cell in share) == sorted(cell.name for cell in cells)
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


def test_adapter_is_tested_on_what_its_config_is_tested_on(parsed):
    rella = {
        "recipe": "training/recipes/ml1m/small_rella.yaml",
        "family": "adapter",
        "options": {"config_name": "reit_{vectors}_k10"},
        "axes": {"vectors": ["pca64", "pca128"]},
    }
    cells = cells_of(parsed([rella]))
    assert [cell.training.config_name for cell in cells] == ["reit_pca64_k10", "reit_pca128_k10"]
    assert [cell.scored_on for cell in cells] == [("subr_pca64_k10",), ("subr_pca128_k10",)]
    assert cells[0].scoring.base == cells[0].training.base == "runs/ml1m/small_base"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"axes": {"num_shot": [1]}}, r"din: there is no option 'num_shot' of ctr.*did you mean 'num_shots'"),
        ({"axes": {"seed": 1}}, "the axis seed is 1, expected a list"),
        ({"axes": {}}, r"\{history_length\} stands for the value of an axis"),
        ({"scored_on": []}, "does not say what it is scored on"),
        ({"options": {"widht": 1}}, "there is no option 'widht'"),
        ({"axis": {}}, "unknown part 'axis'; did you mean 'axes'"),
        ({"base": "b"}, "has recipe, base of recipe, base, model_free. Give one"),
        ({"name": "a/b"}, "cannot be part of the name of a file"),
        ({"recipe": "nowhere.yaml"}, "no configuration file nowhere.yaml"),
        ({"family": "crt"}, "no family of systems 'crt'"),
        ({"axes": {"history_length": [2], "seed": [0, 0]}}, "Two cells are called din,history_length=2,seed=0"),
    ],
)
def test_what_is_no_experiment_is_refused_before_any_work(parsed, data, changes, said):
    with pytest.raises(ValueError, match=said):
        cells_of(parsed([trained(data, **changes)]))


@pytest.mark.parametrize("cells", ["4/4", "1", "-1/2", "a/b", "1/0"])
def test_share_that_is_none_is_refused(parsed, data, cells):
    with pytest.raises(ValueError, match=r"--cells is .*expected one of 0/N to N-1/N"):
        parsed([trained(data)], cells=cells)


def test_experiment_is_made_kept_resumed_and_reported(command, written, data, tmp_path, capsys):
    made = tmp_path / "made"
    file = written([trained(data), FREE])
    assert command("training/experiment.py", "--config", file, "--dry_run", "true") == 0
    said = capsys.readouterr().out
    assert "din,history_length=5,seed=1: not known before it is done" in said
    assert "6 cells, 0 of them done" in said
    assert not made.exists()

    assert command("training/experiment.py", "--config", file, "--cells", "0/2") == 0
    assert len(list((made / "scores").glob("*.parquet"))) == 3
    assert len(experiment_folder.read(made).holes) == 3
    assert command("training/experiment.py", "--config", file) == 0
    scores = sorted((made / "scores").glob("*.parquet"))
    assert len(scores) == 6
    assert not experiment_folder.read(made).holes
    before = {path: path.stat().st_mtime_ns for path in made.rglob("*") if path.is_file() and path.name[0] != "."}
    scores[0].unlink()  # as one that was interrupted has none
    capsys.readouterr()
    assert command("training/experiment.py", "--config", file) == 0
    assert capsys.readouterr().out.count("unchanged inputs, kept") == 4 + 5
    changed = {path.name for path, when in before.items() if path.stat().st_mtime_ns != when}
    assert changed <= {scores[0].name, "experiment.json"}

    assert command("evaluation/report.py", "--experiment", made, "--output", tmp_path / "tables") == 0
    table = (tmp_path / "tables/history_length.md").read_text()
    assert "Not in it" not in table
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()]
    of_din = [row for row in rows if row[:2] == ["no base", "din, full-shot"]]
    assert [row[2] for row in of_din] == ["2", "5"]
    assert all("(2)" in row[3] for row in of_din), "two seeds of each"
    assert [row[2] for row in rows if row[:2] == ["no base", "history_mean, no model, recency"]] == ["2", "5"]
    assert (tmp_path / "tables/history_length.png").is_file()


def test_cell_that_fails_stops_no_other_and_the_report_says_why(command, written, data, tmp_path, capsys):
    broken = trained(data, name="broken", axes={"seed": [0]}, scored_on=["recency_k7"])
    file = written([broken, FREE])
    assert command("training/experiment.py", "--config", file) == cli.USAGE_ERROR
    said = capsys.readouterr()
    assert "1 of 3 cells failed, the first of them broken,seed=0: " in said.err
    assert len(list((tmp_path / "made/scores").glob("history_mean*.parquet"))) == 2
    (why,) = experiment_folder.read(tmp_path / "made").holes.values()
    assert "has no 'recency_k7'" in why
    assert command("evaluation/report.py", "--experiment", tmp_path / "made", "--output", tmp_path / "tables") == 0
    table = (tmp_path / "tables/history_length.md").read_text()
    assert "Not in it:" in table
    assert "recency_k7" in table.split("Not in it:")[1]
    assert json.loads((tmp_path / "tables/history_length.json").read_text())["holes"]["broken,seed=0"] == why

    assert command("training/experiment.py", "--config", written([{**broken, "scored_on": ["recency_k5"]}])) == 0
    assert not experiment_folder.read(tmp_path / "made").holes, "it is mended"
    assert not list((tmp_path / "made/failed").glob("broken*"))


def test_folder_of_other_samples_is_refused(command, written, data, tmp_path, capsys):
    assert command("training/experiment.py", "--config", written([FREE])) == 0
    assert command("training/experiment.py", "--config", written([FREE], limit=3)) == cli.USAGE_ERROR
    assert "holds results of other samples: its limit is None, asked for is 3" in capsys.readouterr().err


def test_scores_are_those_of_the_commands_of_the_family(command, written, data, tmp_path):
    assert command("training/experiment.py", "--config", written([trained(data, axes={"history_length": [5]})])) == 0
    place = ("--dataset", data / "rella/ml1m")
    recipe = (*place, "--config", data / "din.yaml", "--output_dir", tmp_path / "alone")
    assert command("training/ctr.py", *recipe) == 0
    scoring = (*place, "--config_name", "recency_k5", "--output", tmp_path / "alone.parquet")
    assert command("evaluation/score.py", "--model", tmp_path / "alone", *scoring) == 0
    made = read_scores(tmp_path / "made/scores/din,history_length=5,recency_k5.parquet")
    alone = read_scores(tmp_path / "alone.parquet")
    assert made.sample_id.tolist() == alone.sample_id.tolist()
    assert made.score.tolist() == alone.score.tolist()


EXPERIMENTS = sorted((REPOSITORY / "training/recipes").glob("*/experiments/*.yaml"))


@pytest.mark.parametrize("path", EXPERIMENTS, ids=lambda path: path.stem)
def test_every_experiment_has_cells_of_the_data_set_of_its_folder(path):
    options = cli.parse(ExperimentArguments, description="An experiment.", arguments=["--config", str(path)])[0]
    cells = cells_of(options)
    assert options.dataset == f"rella/{path.parent.parent.name}"
    assert options.output_dir.endswith(f"/experiments/{path.stem}")
    assert len(cells) > 1
    assert all(cell.scored_on for cell in cells)


def test_cost_of_a_model_is_measured_and_put_beside_the_paper(command, data, tmp_path, capsys):
    recipe = ("--dataset", data / "rella/ml1m", "--config", data / "din.yaml", "--output_dir", tmp_path / "din")
    assert command("training/ctr.py", *recipe) == 0
    what = ("--model", tmp_path / "din", "--dataset", data / "rella/ml1m", "--config_name", "recency_k5")
    assert command("evaluation/cost.py", *what, "--timed_samples", 4, "--output", tmp_path / "din.json") == 0
    found = json.loads((tmp_path / "din.json").read_text())
    trained = json.loads((tmp_path / "din/training.json").read_text())
    assert found["trainable_weights"] == trained["weights"]
    assert 0 < found["milliseconds"]["batched"] < 10_000 > found["milliseconds"]["one_at_a_time"] > 0
    filled = ("--table", "efficiency", "--costs", tmp_path / "din.json", "--output", tmp_path / "tables")
    assert command("evaluation/report.py", *filled) == 0
    table = (tmp_path / "tables/efficiency.md").read_text()
    assert f"{trained['weights']}" in table
    assert "din, one at a time" in table
    assert "din, batched" in table
    capsys.readouterr()
    assert command("evaluation/report.py", "--table", "efficiency", "--output", tmp_path / "tables") == cli.USAGE_ERROR
    assert "needs --costs" in capsys.readouterr().err


@pytest.mark.slow
def test_experiment_that_is_killed_again_and_again_gives_the_same_scores(command, written, data, tmp_path):
    """kill -9 at random moments, until it has come through: every score file is that of an experiment that nothing disturbed."""
    systems = [trained(data), FREE]
    undisturbed = tmp_path / "undisturbed"
    assert command("training/experiment.py", "--config", written(systems), "--output_dir", undisturbed) == 0
    line = [sys.executable, str(REPOSITORY / "training/experiment.py"), "--config", str(written(systems))]
    rng, kills, done = random.Random(0), 0, None
    while done != 0:
        process = subprocess.Popen(line, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            done = process.wait(timeout=rng.uniform(3, 12) if kills < 10 else None)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            kills += 1
    assert kills > 3
    made = sorted((tmp_path / "made/scores").glob("*.parquet"))
    assert [path.name for path in made] == sorted(path.name for path in (undisturbed / "scores").glob("*.parquet"))
    for path in made:
        assert read_scores(path).score.tolist() == read_scores(undisturbed / "scores" / path.name).score.tolist()
    assert not experiment_folder.read(tmp_path / "made").holes


def test_dry_run_says_what_cells_of_an_adapter_cost_by_one_of_them(command, smoke, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(smoke.folder)
    rella = {
        "recipe": "training/recipes/smoke/rella.yaml",
        "family": "adapter",
        "axes": {"num_shots": [40, 80]},
    }
    it = {"table": "shots", "dataset": "runs/smoke/data", "output_dir": str(tmp_path / "made"), "limit": 20}
    (tmp_path / "it.yaml").write_text(yaml.safe_dump({**it, "systems": [rella]}))
    capsys.readouterr()
    assert command("training/experiment.py", "--config", tmp_path / "it.yaml", "--dry_run", "true") == 0
    said = capsys.readouterr().out
    assert said.count("to train and") == 2
    assert "of memory" in said
    assert "2 cells, 0 of them done; the others take " in said
    assert not (tmp_path / "made").exists()
