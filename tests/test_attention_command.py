"""The command that shows what a model looks at: shares that add up, the scores of the systems, and one line for what cannot be."""

import json

import pytest

from rella_hub.tables import store
from rella_hub.tables.scores import read_scores


@pytest.fixture(scope="module")
def shown(smoke, command, tmp_path_factory):
    """The folder of the command on the smoke run, and the data set."""
    folder = tmp_path_factory.mktemp("attention")
    dataset = smoke.folder / "runs/smoke/data"
    names = [name for name in store.table_names(dataset) if name.startswith(("recency_k", "subr_k"))]
    sample = store.read(dataset, names[0], "test")["sample_id"][0].as_py()
    of_base = ("--base", smoke.folder / "runs/smoke/base", "--adapters", smoke.run / "adapter", "--dataset", dataset)
    asked = ("--sample_id", sample, "--config_names", *names, "--output", folder / "a")
    assert command("evaluation/attention.py", *of_base, *asked) == 0
    return folder / "a", dataset, names, sample, of_base


def test_shares_of_behaviors_and_rest_add_up_and_p_yes_is_the_score(shown, command, tmp_path, smoke):
    folder, dataset, names, sample, _ = shown
    found = json.loads((folder / "attention.json").read_text())
    assert found["sample_id"] == sample
    assert [one["config_name"] for one in found["prompts"]] == names
    for one in found["prompts"]:
        positions = store.read(dataset, f"view_{one['config_name']}", "test").to_pylist()
        (positions,) = [row["positions"] for row in positions if row["sample_id"] == sample]
        assert list(one["shares"]) == ["zero_shot", "rella"]
        for system, shares in one["shares"].items():
            assert len(shares) == len(positions) == len(one["titles"])
            assert all(share > 0 for share in shares)
            assert sum(shares) + one["rest"][system] == pytest.approx(1)
        assert one["shares"]["zero_shot"] != one["shares"]["rella"]
        scored = ("--model", smoke.run, "--dataset", dataset, "--config_name", one["config_name"])
        base = ("--base", smoke.folder / "runs/smoke/base")
        assert command("evaluation/score.py", *scored, *base, "--output", tmp_path / one["config_name"]) == 0
        scores = read_scores(tmp_path / one["config_name"])
        (score,) = scores.score[scores.sample_id == sample]
        assert one["p_yes"]["rella"] == pytest.approx(score, abs=1e-5)
    text = (folder / "attention.md").read_text()
    assert text.count("the rest of the prompt") == len(names)
    assert (folder / "attention.png").stat().st_size > 10_000


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"--sample_id": "999999999"}, "has no sample 999999999"),
        ({"--config_names": "subr_k77"}, "has no 'view_subr_k77'"),
    ],
)
def test_what_cannot_be_shown_is_said_in_one_line(shown, command, tmp_path, capsys, changes, said):
    *_, names, sample, of_base = shown
    asked = {"--sample_id": sample, "--config_names": names[0], "--output": tmp_path / "b", **changes}
    capsys.readouterr()
    assert command("evaluation/attention.py", *of_base, *(word for pair in asked.items() for word in pair)) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1


def test_sample_that_a_mixed_split_shows_twice_is_refused(shown, command, tmp_path, capsys):
    _, dataset, *_, of_base = shown
    mixed = next(name for name in store.table_names(dataset) if name.startswith("reit_k"))
    sample = store.read(dataset, "samples", "train")["sample_id"][0].as_py()
    asked = ("--sample_id", sample, "--config_names", mixed, "--output", tmp_path / "c")
    assert command("evaluation/attention.py", *of_base, *asked) == 2
    assert f"has the splits mixed, validation, test, and sample {sample} is of train" in capsys.readouterr().err
