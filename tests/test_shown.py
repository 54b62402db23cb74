"""Names of other people's files are shown as what they are: in Markdown, tables, figures, code and on a terminal, whatever they hold."""

import json
import re
import sys

import numpy as np
import pytest
from builders import run_report, some_scores
from hypothesis import given
from hypothesis import strategies as st
from matplotlib import image
from nasty import NASTY, active, markdown_it, rows_of, unseen

from rella_hub import cli
from rella_hub.reports import figure
from rella_hub.reports.machine_readable import as_dictionary
from rella_hub.reports.markdown import render
from rella_hub.reports.rows import compare
from rella_hub.systems.ctr.grid import _write as write_grid
from rella_hub.tables.scores import write_scores
from rella_hub.texts import shown

USUAL = [
    "zero_shot",
    "rella (b)",
    "ml1m-rella-vicuna-13b",
    "Qwen/Qwen3-0.6B",
    "subr_k30",
    "SIM, 1,024 shots",
    "été 2",
    "影片",
    "lr=1.0e-3",
]
names = pytest.mark.parametrize("name", NASTY.values(), ids=NASTY)


@pytest.mark.parametrize("name", USUAL)
def test_a_usual_name_is_shown_as_it_is(name):
    assert shown.in_markdown(name) == shown.plain(name) == shown.in_figure(name) == name
    assert shown.as_code(name) == f"`{name}`"
    assert shown.in_python(name) == f'"{name}"'


@names
def test_a_name_is_text_in_markdown(name):
    for show in (shown.in_markdown, shown.as_code, shown.in_sentence):
        assert set(active(f"Of {show(name)} and more.")) == {"paragraph_open", "paragraph_close"}
        assert "heading_open" not in active(show(name))
        table = f"| a | b |\n|---|---|\n| {show(name)} | c |\n| **{show(name)}** | c |"
        assert rows_of(table) == [2, 2, 2]
        assert not {"html_inline", "html_block", "link_open", "image", "em_open", "s_open"} & set(active(table))
    assert unseen(shown.in_markdown(name)) == set()
    assert len(shown.in_markdown(name)) < 2 * shown.LONGEST


@given(st.text(max_size=40))
def test_whatever_a_name_holds_it_stays_in_its_line_cell_and_block(name):
    table = f"| a | b |\n|---|---|\n| {shown.in_markdown(name)} | c |\n| {shown.as_code(name)} | c |"
    assert rows_of(table) == [2, 2, 2]
    assert not {"html_inline", "html_block", "link_open", "image", "em_open", "strong_open"} & set(active(table))
    (block,) = markdown_it.parse(shown.fenced(name))
    assert block.type == "fence"
    assert unseen(block.content) <= {"\t"}
    assert "\n" not in shown.plain(name)


def test_a_code_block_is_longer_than_any_fence_inside():
    (block,) = markdown_it.parse(shown.fenced("a\n````\n# b\n```\n~~~\n", "yaml"))
    assert (block.type, block.info, block.content) == ("fence", "yaml", "a\n````\n# b\n```\n~~~\n")


@names
def test_a_name_is_one_literal_of_python_and_one_word_of_a_shell(name):
    import ast
    import shlex

    literal = shown.in_python(name)
    assert ast.literal_eval(literal) == name  # the name itself, since code is to use it
    assert unseen(literal) == set()
    assert len(shlex.split(shown.in_shell(name))) == 1


def groups_of(name: str) -> list:
    files = [
        some_scores(f"{i}", seed=i, system=system, base=f"hub/{name}") for i, system in enumerate(("zero_shot", name))
    ]
    return compare(files, 40, 0)


@names
def test_a_report_says_names_and_results_hold_them(name):
    groups = groups_of(name)
    text = render(groups, 40, 0)
    assert rows_of(text) == [11] * 3
    assert active(text).count("heading_open") == 2
    assert not {"html_inline", "html_block", "link_open", "image", "em_open"} & set(active(text))
    assert unseen(text) == set()
    assert max(map(len, text.splitlines())) < 2_000
    (row,) = json.loads(json.dumps(as_dictionary(groups, 40, 0)))["rows"][1:]
    assert (row["name"], row["base"]) == (name, f"hub/{name}")


@pytest.mark.parametrize(
    "kind",
    ["a formula", "a formula that does not parse", "a placeholder of matplotlib", "twenty thousand letters", "color"],
)
def test_figures_draw_names_as_text(tmp_path, kind):
    groups = groups_of(NASTY[kind])
    figure.draw(groups, tmp_path / "report.png")
    height, width = image.imread(tmp_path / "report.png").shape[:2]
    assert max(height, width) < 3_000
    assert not shown.in_figure(NASTY[kind]).startswith("_")


def test_a_group_of_nasty_corpus_config_and_split_breaks_no_heading():
    nasty = {"corpus": "c\n# x", "config_name": "<b>|`", "split": "[t](javascript:x)"}
    text = render(compare([some_scores("a", **nasty)], 40, 0), 40, 0)
    assert active(text).count("heading_open") == 2
    assert rows_of(text) == [11] * 2
    assert not {"html_inline", "link_open"} & set(active(text))


def test_the_table_of_a_grid_says_its_settings(tmp_path):
    setting = {"activation": "a|b <b>\x1b[31m"}
    at = {"auc": 0.5, "log_loss": 0.5}
    one = {"setting": setting, "weights": 1, "best_epoch": 1, "seconds": 1.0, "best_validation": at}
    write_grid(tmp_path, {"model": "din", "chosen_by": "validation auc", "best": setting, "searched": [one]}, False)
    text = (tmp_path / "grid.md").read_text()
    assert rows_of(text) == [6] * 2
    assert unseen(text) == set()
    assert json.loads((tmp_path / "grid.json").read_text())["best"] == setting


def said_of(capsys, main) -> tuple[str, str, int]:
    code = 0
    try:
        cli.run(main)
    except SystemExit as end:
        code = end.code
    return *capsys.readouterr(), code


@names
def test_no_name_commands_a_terminal(capsys, name):
    def fail():
        print(f"building {name}")
        print(f"WARNING: {name}", file=sys.stderr)
        raise ValueError(f"There is no {name}.")

    out, err, code = said_of(capsys, fail)
    assert code == 2
    assert unseen(out) | unseen(err) <= {"\t"}
    assert [line for line in err.splitlines() if line.startswith("error: ")] == [err.splitlines()[-1]]
    assert len(err.splitlines()[-1]) <= shown.LONGEST_MESSAGE + len("error: ")


def test_options_libraries_and_files_that_fail_are_said_as_text(capsys):
    for raised in (OSError(2, "No such file", "a\x1b[2J\nerror: all is well"), MemoryError("\x9b2J\nx")):

        def fail(raised=raised):
            raise raised

        _, err, code = said_of(capsys, fail)
        assert (code, unseen(err), len(err.splitlines())) == (2, set(), 1)

    def parse():
        from test_cli import Model

        cli.parse(Model, description="x", arguments=["--base", "b", "--\x1b[31m\u202e"])

    _, err, code = said_of(capsys, parse)
    assert (code, unseen(err)) == (2, set())


def test_a_progress_bar_moves_as_before(capsys):
    from tqdm import tqdm

    def count():
        for _ in tqdm(range(2), desc="a\x1b[31m", file=sys.stderr):
            pass
        sys.stderr.write("\n\x1b[A")

    _, err, _ = said_of(capsys, count)
    assert "\ra\\x1b[31m:" in err
    assert "2/2" in err
    assert err.endswith("\n\x1b[A")
    assert re.sub(r"\n\x1b\[A$", "", err).count("\x1b") == 0


def test_the_streams_of_a_command_are_given_back(capsys):
    before = sys.stdout, sys.stderr
    said_of(capsys, lambda: None)
    assert (sys.stdout, sys.stderr) == before


def test_a_report_of_nasty_scores_ends_well_and_quietly(tmp_path):
    name = "$x$ [a](b) | <b> # h"  # what is not seen is refused when a score file is read
    label = np.arange(60) % 2
    record = some_scores("a", system=name).record | {"dataset_folder": None}
    write_scores(tmp_path / "s.parquet", np.arange(60), np.arange(60) // 4, label, np.linspace(0, 1, 60), record)
    done = run_report(tmp_path, "--scores", "s.parquet", "--output", "out", "--resamples", "40")
    assert done.returncode == 0, done.stderr
    assert unseen(done.stdout) == set()
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        ".rella.json",
        "report.md",
        "report.png",
        "results.json",
    ]
