"""Nonsense in the options of every command: it ends with exit code 2 and one line, never in a traceback, and nothing is written."""

import random
import shutil

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from nasty import unseen

from rella_hub.tables import store

POINTER = f"version https://git-lfs.github.com/spec/v1\noid sha256:{'0' * 64}\nsize 12345\n"
PLACES = [
    *("", "/no/such", "./no/such/folder", "a b/c d", "a\0b", "x" * 5000, "\x1b[31m\n# x", "~no-such-user/x"),
    *("../..", "README.md", "-", "ü\u202e"),
]
NUMBERS = ["0", "-1", "x", "", "1.5x", "nan", "1e400", "\x1b[2J", "١x"]
WORDS = ["", "x", "../x", "__init__", "a\0b", "\x1b[31m\nx", "x" * 5000, "[" * 5000, "{}x", "[1]"]
SCORE = {
    "base": "runs/smoke/base",
    "dataset": "runs/smoke/data",
    "config_name": "subr_k5",
    "limit": 4,
    "output": "made/scores",
}
CTR = {"model": "din", "dataset": "runs/smoke/data", "output_dir": "made/ctr"}
P5 = {"t5": "runs/smoke/base", "dataset": "runs/smoke/data", "output_dir": "made/p5"}  # a Llama, which is no T5
RAW = {"corpus": "ml1m", "raw": "no-such.zip", "output": "made/data"}
COMMANDS = [  # command, options that would do but for one of these, whose values come from that pool
    ("evaluation/score.py", SCORE, ("base", "adapter", "dataset", "model"), PLACES),
    ("evaluation/score.py", SCORE, ("config_name", "split", "dtype", "quantization"), WORDS),
    ("evaluation/score.py", SCORE, ("limit", "max_length", "tokens_per_batch"), NUMBERS),
    ("evaluation/compare.py", SCORE, ("base", "adapters", "dataset"), PLACES),
    ("evaluation/compare.py", SCORE, ("config_name", "split"), WORDS),
    ("evaluation/compare.py", SCORE, ("resamples",), NUMBERS),
    ("evaluation/report.py", {"output": "made/report"}, ("scores",), PLACES),
    ("evaluation/report.py", {"output": "made/report", "dataset": "runs/smoke/data"}, ("table",), WORDS),
    ("evaluation/report.py", {"output": "made/report", "table": "heterogeneity"}, ("dataset",), PLACES[1:]),
    ("evaluation/push_metrics.py", {"dry_run": "true"}, ("metrics",), WORDS),
    ("model_cards/render.py", {"output": "made/README.md"}, ("run",), PLACES),
    ("model_cards/push.py", {"hub_model_id": "me/x", "dry_run": "true"}, ("run",), PLACES),
    ("training/ctr.py", CTR, ("dataset",), PLACES),
    ("training/ctr.py", CTR, ("model", "model_options", "metric_for_best_model"), WORDS),
    ("training/ctr.py", CTR, ("history_length", "batch_size", "num_train_epochs", "num_shots"), NUMBERS),
    ("training/ctr_grid.py", CTR, ("grid",), WORDS),
    ("training/seq2seq.py", P5, ("t5", "dataset"), PLACES),
    ("training/seq2seq.py", P5, ("truncation", "metric_for_best_model", "dtype"), WORDS),
    (
        "training/seq2seq.py",
        P5,
        ("history_length", "max_length", "num_shots", "learning_rate", "warmup_ratio"),
        NUMBERS,
    ),
    (
        "training/pretrain.py",
        {"dataset": "runs/smoke/data", "history_length": 5, "output": "made/base"},
        ("dataset",),
        PLACES,
    ),
    (
        "training/pretrain.py",
        {"dataset": "runs/smoke/data", "history_length": 5, "output": "made/base"},
        (
            "history_length",
            "diaries",
            "vocabulary",
            "layers",
            "heads",
            "hidden_size",
            "epochs",
            "learning_rate",
            "item_rounds",
        ),
        NUMBERS,
    ),
    ("dataset_builders/prepare.py", RAW, ("raw",), PLACES[1:]),
    ("dataset_builders/prepare.py", RAW, ("corpus",), WORDS),
    ("dataset_builders/release.py", RAW, ("view", "similarity", "prompt_style", "engine", "train_rows"), WORDS),
    ("dataset_builders/release.py", RAW, ("history_length", "workers", "dimension"), NUMBERS),
    ("dataset_builders/view.py", RAW, ("view", "similarity", "engine"), WORDS),
    ("dataset_builders/prompt.py", RAW, ("prompt_style",), WORDS),
    ("dataset_builders/embed.py", RAW, ("encoder", "dimension"), WORDS),
    ("dataset_builders/card.py", {"corpus": "ml1m"}, ("output",), PLACES),
    ("dataset_builders/push.py", {"corpus": "ml1m", "dry_run": "true"}, ("output",), PLACES),
    ("dataset_builders/prepare.py", RAW, ("config",), PLACES),
]


@pytest.fixture
def here(smoke, tmp_path, monkeypatch):
    """A folder with the smoke run in it, which holds nothing else when a test ends."""
    (tmp_path / "runs").symlink_to(smoke.folder / "runs")
    (tmp_path / "README.md").write_text("no data")
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    assert not (tmp_path / "made").exists()


def refused(command, capsys, path: str, options: dict) -> str:
    """The one line that a command ends with."""
    code = command(path, *(f"--{name}={value}" for name, value in options.items()))
    said = capsys.readouterr().err
    assert code == 2, (path, options, said)
    lines = [line for line in said.splitlines() if "error: " in line]
    assert len(lines) == 1, said
    assert said.splitlines()[-1] == lines[0], said
    assert unseen(said) <= {"\t", "\r"}
    assert "Traceback" not in said
    return lines[0]


@pytest.mark.parametrize(
    ("path", "options", "names", "pool"), COMMANDS, ids=[f"{c[0]}:{','.join(c[2])}" for c in COMMANDS]
)
def test_nonsense_ends_in_one_line(here, command, capsys, path, options, names, pool):
    rng = random.Random(f"{path}{names}")
    for name in names:
        for value in rng.sample([one for one in pool if (name, one) != ("seed", "0")], 4):
            refused(command, capsys, path, options | {name: value})


def rewritten(folder, table: str, split: str, change) -> None:
    """A table of somebody else: the same files with other columns, under the same record."""
    for path in store.shard_paths(folder, table, split):
        found = pq.read_table(path)
        metadata = found.schema.metadata
        pq.write_table(change(found).replace_schema_metadata(metadata), path)


def recast(column: str, values_of):
    def change(table: pa.Table) -> pa.Table:
        return table.set_column(table.schema.get_field_index(column), column, values_of(table[column]))

    return change


@pytest.mark.parametrize(
    ("table", "change", "said"),
    [
        ("subr_k5", recast("label", lambda c: c.cast(pa.float64())), "column 'label' holds double, expected int64"),
        ("subr_k5", recast("label", lambda c: c.cast(pa.uint8())), "column 'label' holds uint8, expected int64"),
        ("subr_k5", recast("label", lambda c: c.cast(pa.string())), "column 'label' holds string, expected int64"),
        ("subr_k5", recast("label", lambda c: pa.array([2, *c.to_pylist()[1:]])), "a label must be 0 or 1; one is 2"),
        ("subr_k5", recast("label", lambda c: pa.array([-1, *c.to_pylist()[1:]])), "a label must be 0 or 1; one is -1"),
        ("subr_k5", recast("label", lambda c: pa.array([None, *c.to_pylist()[1:]])), "column 'label' has 1 nulls"),
        ("subr_k5", recast("sample_id", lambda c: c.cast(pa.float64())), "column 'sample_id' holds double"),
        ("subr_k5", recast("prompt", lambda c: c.cast(pa.binary())), "column 'prompt' holds binary"),
        ("subr_k5", lambda table: table.drop_columns("prompt"), "has no column 'prompt'"),
        (
            "subr_k5",
            lambda table: table.rename_columns(["sample_id", "text", "completion", "label"]),
            "no column 'prompt'",
        ),
    ],
)
def test_a_table_of_somebody_else_is_refused(here, command, capsys, table, change, said):
    shutil.copytree("runs/smoke/data", "data")
    rewritten(here / "data", table, "test", change)
    assert said in refused(command, capsys, "evaluation/score.py", SCORE | {"dataset": "data"})


@pytest.mark.parametrize(
    ("copied", "name", "text", "option", "said"),
    [
        ("base", "model.safetensors", POINTER, "base", "model.safetensors is a pointer of Git LFS.*`git lfs pull`"),
        ("base", "tokenizer.json", POINTER, "base", "tokenizer.json is a pointer of Git LFS"),
        ("base", "model.safetensors", "", "base", "model.safetensors is empty"),
        ("base", "config.json", "", "base", "config.json is empty"),
        ("data", "interactions/train-00000-of-00001.parquet", POINTER, "dataset", "is a pointer of Git LFS"),
        ("data", "subr_k5/test-00000-of-00001.parquet", "", "dataset", "is not a readable Parquet file"),
        (
            "data",
            "subr_k5/test-00000-of-00001.parquet",
            "sample_id,label\n1,0\n",
            "dataset",
            "is not a readable Parquet",
        ),
    ],
)
def test_a_file_that_is_not_there_although_its_name_is(here, command, capsys, copied, name, text, option, said):
    import re

    shutil.copytree(f"runs/smoke/{copied}", "copy")
    (here / "copy" / name).write_text(text)
    assert re.search(said, refused(command, capsys, "evaluation/score.py", SCORE | {option: "copy"}))


def test_one_kind_of_folder_for_another(here, command, capsys):
    cases = {
        "base": ("runs/smoke/data", "It is a data set. Give it with --dataset."),
        "dataset": ("runs/smoke/base", "holds a model, not a data set"),
        "adapter": ("runs/smoke/base", "has no adapter_model.safetensors"),
    }
    for option, (folder, said) in cases.items():
        assert said in refused(command, capsys, "evaluation/score.py", SCORE | {option: folder})
    for option in ("base", "dataset"):
        said = refused(command, capsys, "evaluation/score.py", SCORE | {option: "/no/such"})
        assert "there is no such folder, nor is it a Hub id, owner/name" in said
        said = refused(command, capsys, "evaluation/score.py", SCORE | {option: "README.md"})
        assert "it is a file; expected a folder, or a Hub id" in said


@pytest.mark.parametrize("system", ["a/b", "../../x", "\x1b[31m", "x" * 300, "a\0b"])
def test_a_system_whose_name_is_none_for_a_file_needs_an_output(here, command, capsys, system):
    default = {name: value for name, value in SCORE.items() if name != "output"}
    said = refused(command, capsys, "evaluation/score.py", default | {"system": system})
    assert "cannot be the name of a file. Give --system with" in said


@pytest.mark.parametrize("name", ["a[b]", "a*b?", "{c} d", "#e%20f", "é 中", "a'b\"c", "-x", "a::b", "$HOME"])
def test_folders_of_any_name_are_read(here, command, name):
    for kind in ("data", "base"):
        shutil.copytree(f"runs/smoke/{kind}", here / f"{name} {kind}")
    options = SCORE | {"dataset": f"{name} data", "base": f"{name} base", "output": f"{name}.parquet"}
    assert command("evaluation/score.py", *(f"--{key}={value}" for key, value in options.items())) == 0
    assert (here / f"{name}.parquet").is_file()
