"""How every command is configured: dataclasses, a YAML file, the command line; and how it ends."""

import re
import runpy
import sys
from pathlib import Path

import pytest
from builders import Model, Training

from rella_hub import cli

REPOSITORY = Path(__file__).parents[1]
COMMANDS = sorted(path for path in (REPOSITORY / "dataset_builders").glob("*.py") if path.stem != "__init__")


def parse(*arguments: str, description: str = "Train.\n\nexamples:\n  python sft.py --base tiny") -> tuple:
    return cli.parse(Model, Training, description=description, arguments=list(arguments))


@pytest.fixture
def recipe(tmp_path):
    def write(text: str) -> str:
        path = tmp_path / "recipe.yaml"
        path.write_text(text, encoding="utf-8")
        return str(path)

    return write


def test_defaults_and_the_command_line():
    assert parse("--base", "tiny") == (Model(base="tiny"), Training())
    model, training = parse(
        "--base", "tiny", "--rank", "4", "--packing", "true", "--target_modules", "k_proj", "o_proj"
    )
    assert model == Model(base="tiny", rank=4, target_modules=["k_proj", "o_proj"])
    assert training == Training(packing=True)


def test_a_recipe_gives_values_and_the_command_line_wins(recipe):
    path = recipe("base: small\nrank: 16\nlearning_rate: 1e-4\npacking: true\nnote: null\ntarget_modules: [q_proj]\n")
    assert parse("--config", path) == (
        Model(base="small", rank=16, target_modules=["q_proj"]),
        Training(learning_rate=1e-4, packing=True),
    )
    model, training = parse(
        "--rank", "2", "--config", path, "--packing", "false", "--target_modules", "v_proj", "k_proj"
    )
    assert model == Model(base="small", rank=2, target_modules=["v_proj", "k_proj"])
    assert training.packing is False


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("base: a\nlerning_rate: 1", r"unknown key 'lerning_rate'; did you mean 'learning_rate'\?"),
        ("base: a\nzzz: 1", "unknown key 'zzz'. See --help for the options"),
        ("config: other.yaml", "unknown key 'config'"),
        ("- base", "must hold a mapping of names to values, it holds list"),
        ("", "it holds NoneType"),
        ("base: [", "is not a YAML file"),
    ],
)
def test_a_recipe_that_is_not_understood(recipe, text, said):
    with pytest.raises(ValueError, match=said):
        parse("--config", recipe(text))


def test_a_recipe_that_is_not_there():
    with pytest.raises(ValueError, match=r"no configuration file gone\.yaml"):
        parse("--config", "gone.yaml")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--base", "a", "--learning_rte", "1"], "unknown option --learning_rte; did you mean 'learning_rate'?"),
        (["--base", "a", "--rnk=4"], "unknown option --rnk=4; did you mean 'rank'?"),
        (["--base", "a", "--ran", "4"], "unknown option --ran; did you mean 'rank'?"),  # no silent abbreviation
        (["--base", "a", "stray"], "unknown option stray"),
        (["--base", "a", "--rank", "four"], "argument --rank: invalid int value: 'four'"),
        (["--base", "a", "--packing", "perhaps"], "--packing"),
        ([], "required: --base"),
    ],
)
def test_an_option_that_is_not_understood_ends_in_exit_code_2(capsys, arguments, said):
    with pytest.raises(SystemExit) as end:
        parse(*arguments)
    assert end.value.code == 2
    assert said in capsys.readouterr().err


def test_a_wrong_value_in_a_recipe_is_an_error_too(recipe, capsys):
    with pytest.raises(SystemExit) as end:
        parse("--config", recipe("base: a\nrank: four"))
    assert end.value.code == 2
    assert "invalid int value: 'four'" in capsys.readouterr().err


def test_help_shows_the_summary_the_options_with_defaults_and_the_examples(capsys):
    with pytest.raises(SystemExit) as end:
        parse("--help")
    assert end.value.code == 0
    said = capsys.readouterr().out
    for expected in ("Train.", "Rank. (default: 8)", "--config FILE.yaml", "examples:\n  python sft.py --base tiny"):
        assert expected in said


@pytest.mark.parametrize(
    ("raised", "code", "said"),
    [
        (ValueError("the corpus is empty"), 2, "error: the corpus is empty\n"),
        (KeyboardInterrupt(), 130, "interrupted; what was being written is gone"),
        (SystemExit(0), 0, ""),
    ],
    ids=["bad input", "ctrl-c", "end"],
)
def test_how_a_command_ends(capsys, raised, code, said):
    def main():
        raise raised

    with pytest.raises(SystemExit) as end:
        cli.run(main)
    assert end.value.code == code
    assert capsys.readouterr().err.startswith(said)


def test_a_bug_keeps_its_traceback():
    def main():
        raise KeyError("bug")

    with pytest.raises(KeyError):
        cli.run(main)


def run(monkeypatch, command: Path, *arguments: str) -> int:
    """Run a command in this process, as `python <command>` would."""
    monkeypatch.setattr(sys, "argv", [str(command), *arguments])
    with pytest.raises(SystemExit) as end:
        runpy.run_path(str(command), run_name="__main__")
    return end.value.code


@pytest.mark.parametrize("command", COMMANDS, ids=lambda path: path.stem)
def test_every_builder_explains_itself(monkeypatch, capsys, command):
    assert run(monkeypatch, command, "--help") == 0
    said = capsys.readouterr().out
    assert "examples:\n  python dataset_builders/" in said
    assert "--corpus" in said or command.stem in ("push", "clean")


@pytest.mark.parametrize("command", ["release", "prepare", "embed", "view", "prompt", "card"])
def test_every_builder_names_the_corpora_there_are(monkeypatch, capsys, tmp_path, command):
    monkeypatch.chdir(tmp_path)
    assert run(monkeypatch, REPOSITORY / "dataset_builders" / f"{command}.py", "--corpus", "ml2m") == 2
    assert re.match(r"error: There is no corpus 'ml2m'\. There are: .*\bml1m\b", capsys.readouterr().err)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("command", "options", "said"),
    [
        (
            "release",
            ["--view", "recency", "--encoder", "some/model"],
            "--encoder some/model has no effect without --view",
        ),
        ("release", ["--view", "recency", "--similarity", "l2"], "--similarity l2 has no effect without --view subr"),
        ("view", ["--view", "recency", "--similarity", "l2"], "--similarity l2 has no effect without --view subr"),
        ("prepare", ["--raw", "a.zip", "--raw_folder", "b"], "--raw_folder b has no effect without a download"),
    ],
)
def test_a_builder_refuses_options_without_an_effect(monkeypatch, capsys, tmp_path, command, options, said):
    monkeypatch.chdir(tmp_path)
    path = REPOSITORY / "dataset_builders" / f"{command}.py"
    assert run(monkeypatch, path, "--corpus", "demo", *options) == 2
    assert said in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_refused_option_says_why(recipe, capsys):
    why = {"note_taking": "is not taken, because nobody reads notes."}
    for arguments in (["--note-taking", "1"], ["--note_taking=1"]):
        with pytest.raises(SystemExit) as end:
            cli.parse(Model, description="", arguments=["--base", "a", *arguments], refused=why)
        assert end.value.code == 2
        assert capsys.readouterr().err == f"error: --note_taking {why['note_taking']}\n"
    with pytest.raises(ValueError, match="has the key 'note_taking', which is not taken"):
        cli.parse(Model, description="", arguments=["--config", recipe("base: a\nnote_taking: 1")], refused=why)


def test_help_shows_what_a_recipe_holds(recipe, capsys):
    with pytest.raises(SystemExit):
        parse("--config", recipe("base: small\nrank: 16"), "--help")
    said = capsys.readouterr().out
    assert "Rank. (default: 16)" in said
    assert "Base model. (default: small)" in said
