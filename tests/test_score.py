"""The command that scores: zero-shot and adapter, each sample once, with a record of what the scores were made from."""

import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer

from rella_hub.language_models.load import adapter_identity, base_identity
from rella_hub.language_models.p_yes import p_yes
from rella_hub.language_models.tokens import answer_tokens, encode_prompts
from rella_hub.tables import store
from rella_hub.tables.scores import RECORD_KEYS, read_scores

REPOSITORY = Path(__file__).parents[1]
BASE, DATA, ADAPTER = "runs/smoke/base", "runs/smoke/data", "runs/smoke/rella/adapter"
LIMIT = 60


def arguments(output: Path, *options, config: str = "subr_k5") -> list[str]:
    line = ["--base", BASE, "--dataset", DATA, "--config_name", config, "--limit", LIMIT, "--output", output, *options]
    return [str(word) for word in line]


@pytest.fixture
def score(command, smoke, monkeypatch, tmp_path) -> Callable[..., int]:
    """Score in this process, in the folder of the smoke run, into `tmp_path`; gives the exit code."""
    monkeypatch.chdir(smoke.folder)

    def run(name: str, *options, config: str = "subr_k5") -> int:
        return command("evaluation/score.py", *arguments(tmp_path / f"{name}.parquet", *options, config=config))

    return run


@pytest.fixture(scope="module")
def scored(smoke, command, tmp_path_factory) -> Path:
    """A folder with the scores of the base model, taken in a process of its own, and of the adapter."""
    folder = tmp_path_factory.mktemp("scores")
    line = [sys.executable, str(REPOSITORY / "evaluation/score.py"), *arguments(folder / "zero_shot.parquet")]
    done = subprocess.run(line, cwd=smoke.folder, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert f"zero_shot.parquet: {LIMIT} scores, " in done.stdout
    with pytest.MonkeyPatch.context() as patched:
        patched.chdir(smoke.folder)
        assert command("evaluation/score.py", *arguments(folder / "rella.parquet", "--adapter", ADAPTER)) == 0
    return folder


def test_scores_are_those_of_a_plain_forward_pass(scored, smoke):
    """Loaded with transformers and peft alone, one prompt at a time, all logits."""
    rows = {row["sample_id"]: row for row in store.read(smoke.folder / DATA, "subr_k5", "test").to_pylist()}
    tokenizer = AutoTokenizer.from_pretrained(smoke.folder / BASE)
    base = AutoModelForCausalLM.from_pretrained(smoke.folder / BASE)
    no, yes = (tokenizer("else.\n" + answer)["input_ids"][-2] for answer in ("No.", "Yes."))
    for system in ("zero_shot", "rella"):
        scores = read_scores(scored / f"{system}.parquet")
        model = base if system == "zero_shot" else PeftModel.from_pretrained(base, smoke.folder / ADAPTER)
        for sample_id, label, score in list(zip(scores.sample_id, scores.label, scores.score, strict=True))[:20]:
            ids = tokenizer(rows[sample_id]["prompt"], return_tensors="pt")["input_ids"]
            with torch.no_grad():
                pair = model.eval()(ids).logits[0, -1, [no, yes]].double()
            assert score == pytest.approx(pair.softmax(dim=0)[1].item(), abs=1e-5)
            assert label == rows[sample_id]["label"]


def test_scores_are_those_of_p_yes(scored, smoke):
    stored = store.read(smoke.folder / DATA, "subr_k5", "test").to_pylist()
    tokenizer = AutoTokenizer.from_pretrained(smoke.folder / BASE)
    scores = read_scores(scored / "zero_shot.parquet")
    prompts = [
        row["prompt"] for row in sorted(stored, key=lambda r: r["sample_id"]) if row["sample_id"] in scores.sample_id
    ]
    ids, answers = encode_prompts(tokenizer, prompts, None), answer_tokens(tokenizer, prompts[0], ("No.", "Yes."))
    expected = p_yes(AutoModelForCausalLM.from_pretrained(smoke.folder / BASE), ids, answers)
    assert scores.score == pytest.approx(expected, abs=1e-6)


def test_the_adapter_changes_every_score(scored):
    zero_shot, rella = (read_scores(scored / f"{name}.parquet") for name in ("zero_shot", "rella"))
    assert zero_shot.sample_id.tolist() == rella.sample_id.tolist()
    assert np.abs(zero_shot.score - rella.score).min() > 1e-5


def test_the_record_says_everything(scored, smoke, monkeypatch):
    monkeypatch.chdir(smoke.folder)
    provenance = store.provenance(Path(DATA), "subr_k5")
    for system, adapter in (("zero_shot", None), ("rella", ADAPTER)):
        record = read_scores(scored / f"{system}.parquet").record
        assert record.keys() >= set(RECORD_KEYS)
        expected = {
            "system": system,
            "base": BASE,
            "base_identity": base_identity(BASE),
            "adapter": adapter,
            "adapter_identity": adapter_identity(adapter) if adapter else None,
            "dataset": DATA,
            "config_name": "subr_k5",
            "split": "test",
            "corpus": "demo",
            "limit": LIMIT,
            "seed": 0,
            "max_length": 2048,
            "dtype": "auto",
            "quantization": "none",
            "prompts_fingerprint": provenance["fingerprint"],
        }
        assert {key: record[key] for key in expected} == expected
        assert record["libraries"] == {name: version(name) for name in ("torch", "transformers", "peft", "tokenizers")}
        assert Path(record["dataset_folder"]).resolve() == (smoke.folder / DATA).resolve()
        assert record["tokens"] > LIMIT * 20
        assert "seconds" not in record, "the same scores would make another file"


def test_a_second_run_is_kept(scored, score, tmp_path, capsys):
    output = tmp_path / "zero_shot.parquet"
    output.write_bytes((scored / "zero_shot.parquet").read_bytes())
    before = output.stat().st_mtime_ns
    assert score("zero_shot") == 0
    assert f"{output}: unchanged inputs, kept." in capsys.readouterr().out
    assert score("zero_shot", "--tokens_per_batch", 500) == 0, "how many are scored at once is no input"
    assert output.stat().st_mtime_ns == before


@pytest.mark.parametrize(
    ("option", "value", "difference"),
    [
        ("adapter", ADAPTER, f"its adapter is None, asked for is '{ADAPTER}'"),
        ("seed", 1, "its seed is 0, asked for is 1"),
        ("limit", 61, "its limit is 60, asked for is 61"),
        ("split", "validation", "its split is 'test', asked for is 'validation'"),
        ("dtype", "bfloat16", "its dtype is 'auto', asked for is 'bfloat16'"),
        ("quantization", "8bit", "its quantization is 'none', asked for is '8bit'"),
        ("system", "another", "its system is 'zero_shot', asked for is 'another'"),
    ],
)
def test_scores_of_something_else_are_refused(scored, score, tmp_path, capsys, option, value, difference):
    output = tmp_path / "zero_shot.parquet"
    output.write_bytes((scored / "zero_shot.parquet").read_bytes())
    before = output.read_bytes()
    assert score("zero_shot", f"--{option}", value) == 2
    said = f"was made from other inputs: {difference}. Pass --overwrite true to replace it, or another --output."
    assert said in capsys.readouterr().err
    assert output.read_bytes() == before


def test_overwrite_replaces_them(scored, score, tmp_path):
    output = tmp_path / "zero_shot.parquet"
    output.write_bytes((scored / "zero_shot.parquet").read_bytes())
    assert score("zero_shot", "--seed", 1, "--overwrite", "true") == 0
    assert read_scores(output).record["seed"] == 1


def test_a_file_that_holds_no_scores_is_refused(score, tmp_path, capsys):
    (tmp_path / "thesis.parquet").write_text("years of work")
    assert score("thesis") == 2
    assert "is not a readable Parquet file" in capsys.readouterr().err
    assert (tmp_path / "thesis.parquet").read_text() == "years of work"


def test_both_views_score_the_same_samples(score, tmp_path):
    for config in ("recency_k5", "subr_k5"):
        assert score(config, "--seed", 3, config=config) == 0
    assert score("other_seed", "--seed", 4) == 0
    recency, subr, other = (
        read_scores(tmp_path / f"{name}.parquet") for name in ("recency_k5", "subr_k5", "other_seed")
    )
    assert recency.sample_id.tolist() == subr.sample_id.tolist()
    assert recency.label.tolist() == subr.label.tolist()
    assert recency.score.tolist() != subr.score.tolist()
    assert subr.sample_id.tolist() != other.sample_id.tolist()


def test_without_a_limit_every_sample_is_scored_once(score, smoke, tmp_path):
    assert score("all", "--limit", 10**6, "--split", "validation") == 0
    table = pq.read_table(tmp_path / "all.parquet")
    stored = store.read(smoke.folder / DATA, "subr_k5", "validation")
    assert table["sample_id"].to_pylist() == stored["sample_id"].to_pylist()
    assert table["label"].to_pylist() == stored["label"].to_pylist()
    assert len(set(table["sample_id"].to_pylist())) == len(table) > 1000


def test_the_system_is_named_after_its_adapter(score, tmp_path, smoke):
    def named(*options) -> str:
        assert score("named", *options, "--limit", 5, "--overwrite", "true") == 0
        return read_scores(tmp_path / "named.parquet").record["system"]

    assert named() == "zero_shot"
    assert named("--adapter", ADAPTER) == "rella"
    assert named("--adapter", ADAPTER, "--system", "ours") == "ours"
    (tmp_path / "ml1m-rella-vicuna").symlink_to(smoke.folder / ADAPTER)
    assert named("--adapter", tmp_path / "ml1m-rella-vicuna") == "ml1m-rella-vicuna"


def test_the_default_file_is_named_after_what_it_holds(command, smoke, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    line = ["--base", smoke.folder / BASE, "--dataset", smoke.folder / DATA, "--config_name", "subr_k5", "--limit", 5]
    assert command("evaluation/score.py", *line) == 0
    assert command("evaluation/score.py", *line, "--adapter", smoke.folder / ADAPTER, "--split", "validation") == 0
    for name in ("zero_shot_subr_k5_test", "rella_subr_k5_validation"):
        assert len(read_scores(tmp_path / f"runs/demo/scores/{name}.parquet").score) == 5


def test_samples_of_one_class_are_reported_as_such(score, command, tmp_path, capsys):
    """Scoring one sample is fine; a report of it says why it has no AUC."""
    assert score("one", "--limit", 1) == 0
    assert command("evaluation/report.py", "--scores", tmp_path / "one.parquet", "--output", tmp_path / "report") == 2
    said = capsys.readouterr().err
    assert "all 1 labels are" in said
    assert "a larger --limit" in said


def test_scores_can_be_reported(scored, command, smoke, monkeypatch, tmp_path, capsys):
    monkeypatch.chdir(smoke.folder)
    files = [scored / "zero_shot.parquet", scored / "rella.parquet"]
    assert command("evaluation/report.py", "--scores", *files, "--output", tmp_path / "report", "--resamples", 50) == 0
    report = (tmp_path / "report/report.md").read_text()
    names = [line.split("|")[1].strip() for line in report.splitlines() if line.startswith("| ")]
    assert names[2:] == ["zero_shot", "rella", "history_mean", "item_mean", "both_means"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--base", "nowhere"], "The base model 'nowhere' cannot be loaded"),
        (["--dataset", "nowhere"], "The data set 'nowhere' is neither a folder here"),
        (["--adapter", "nowhere"], "The adapter 'nowhere' cannot be reached"),
        (["--config_name", "subr_k7"], "has no 'subr_k7'"),
        (["--split", "mixed"], "--split is 'mixed'; expected one of train, validation, test"),
        (["--limit", "0"], "limit is 0; at least 1 row is needed"),
        (["--max_length", "20"], "prompts are longer than max_length = 20 tokens"),
        (["--dtype", "float8"], "--dtype is 'float8'"),
        (["--quantization", "3bit"], "--quantization is '3bit'"),
        (["--base_revision", "v1"], "runs/smoke/base is a folder here, which has no revision 'v1'"),
        (["--dataset_revision", "v1"], "runs/smoke/data is a folder here, which has no revision 'v1'"),
        (["--adapter_revision", "v1"], "--adapter_revision v1 has no effect without --adapter"),
        (["--model_revision", "v1"], "--model_revision v1 has no effect without --model"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_wrong_options_end_in_one_clear_line_and_no_file(score, tmp_path, capsys, options, said):
    assert score("wrong", *options) == 2
    error = capsys.readouterr().err
    assert said in error
    assert "Traceback" not in error
    assert not list(tmp_path.iterdir())


def test_a_seed_that_chooses_nothing_is_refused(command, smoke, monkeypatch, tmp_path, capsys):
    monkeypatch.chdir(smoke.folder)
    whole = ["--base", BASE, "--dataset", DATA, "--config_name", "subr_k5", "--output", tmp_path / "scores.parquet"]
    assert command("evaluation/score.py", *whole, "--seed", 1) == 2
    assert "--seed 1 has no effect without --limit" in capsys.readouterr().err


@pytest.mark.parametrize(("option", "value"), [("dtype", "float32"), ("quantization", "8bit"), ("max_length", "9")])
def test_options_of_a_language_model_are_not_those_of_a_ctr_model(command, capsys, tmp_path, option, value):
    (tmp_path / "model").mkdir()
    (tmp_path / "model/features.json").write_text("{}")
    system = ["--model", tmp_path, "--dataset", "rella/ml1m", "--config_name", "subr_k30"]
    assert command("evaluation/score.py", *system, f"--{option}", value) == 2
    assert f"--{option} {value} is an option of the family adapter, and {tmp_path} is of the family ctr" in (
        capsys.readouterr().err
    )
