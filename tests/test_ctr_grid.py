"""The search of settings: every combination once, the best by validation alone, with its seeds."""

import json
from pathlib import Path

import pytest

from rella_hub import cli
from rella_hub.systems.ctr.grid import apply, setting_name, settings_of
from rella_hub.systems.ctr.options import FittingArguments

GRID = '{"embedding_size": [4, 8], "batch_size": [16]}'


@pytest.fixture
def search(command, prepared, tmp_path):
    def run(*options) -> int:
        arguments = ["--model", "deepfm", "--dataset", prepared.folder, "--output_dir", tmp_path / "grid"]
        arguments += ["--history_length", 3, "--num_train_epochs", 1, "--model_options", '{"hidden_sizes": [8]}']
        return command("training/ctr_grid.py", *arguments, *options)

    return run


def test_every_setting_is_trained_and_the_best_again_with_each_seed(search, tmp_path, capsys):
    assert search("--grid", GRID, "--seeds", 2) == 0
    grid = json.loads((tmp_path / "grid/grid.json").read_text())
    runs = {
        path.name: json.loads((path / "training.json").read_text()) for path in (tmp_path / "grid/search").iterdir()
    }
    assert sorted(runs) == ["embedding_size=4,batch_size=16", "embedding_size=8,batch_size=16"]
    best = max(runs, key=lambda name: runs[name]["best_validation"]["auc"])
    assert setting_name(grid["best"]) == best
    seeds = [json.loads((tmp_path / f"grid/seed_{seed}/training.json").read_text()) for seed in (0, 1)]
    assert seeds[0] == runs[best], "the first seed is the one of the search"
    assert seeds[1]["recipe"] == runs[best]["recipe"] | {"seed": 1}
    config = json.loads((tmp_path / "grid/seed_1/model/config.json").read_text())
    assert config["embedding_size"] == grid["best"]["embedding_size"]
    assert config["hidden_sizes"] == [8], "what the grid does not name stays"
    table = (tmp_path / "grid/grid.md").read_text()
    assert table.count("\n| ") == 3
    assert f"| **{best}** | " in table
    assert f"| {runs[best]['best_validation']['auc']:.4f} |" in table
    capsys.readouterr()
    assert search("--grid", GRID, "--seeds", 2) == 0
    assert capsys.readouterr().out.count("unchanged inputs, kept") == 4, "a second call trains nothing"


@pytest.mark.parametrize(
    ("grid", "said"),
    [
        ("{", "--grid is '{', expected JSON"),
        ("{}", "expected lists of values by option"),
        ('{"dropout": 0.1}', "expected lists of values by option"),
        ('{"dropout": []}', "expected lists of values by option"),
        ('{"seed": [1, 2]}', "--grid has 'seed', which is one for all settings"),
        ('{"width": [1]}', "DeepFM takes "),
        ('{"batch_size": [16, "many"]}', "--grid has 'many' for batch_size; expected int, without quotes if a number"),
        ('{"learning_rate": [true]}', "--grid has True for learning_rate; expected float"),
    ],
)
def test_a_grid_that_makes_no_sense_is_refused(search, capsys, grid, said):
    assert search("--grid", grid) == 2
    assert said in capsys.readouterr().err.strip().splitlines()[-1]


def test_no_seed_is_refused(search, capsys):
    assert search("--grid", GRID, "--seeds", 0) == 2
    assert "--seeds is 0; at least 1" in capsys.readouterr().err


def test_options_of_training_and_of_the_architecture_go_where_they_belong():
    options = FittingArguments("din", "d", "o", model_options='{"dropout": 0.1, "heads": 2}')
    (first, *_, last) = settings_of('{"dropout": [0.0, 0.2], "batch_size": [256, 512]}')
    assert first == {"dropout": 0.0, "batch_size": 256}
    made = apply(options, last, Path("there"))
    assert (made.batch_size, made.output_dir) == (512, "there")
    assert json.loads(made.model_options) == {"dropout": 0.2, "heads": 2}


def test_every_recipe_of_a_ctr_model_takes_the_default_grid():
    for recipe in sorted((Path(__file__).parents[1] / "training/recipes/ml1m").glob("*.yaml")):
        values = cli.read_yaml(recipe)
        if "model" in values:
            assert {"embedding_size", "dropout"} <= set(values["model_options"]), recipe
