"""--dry_run says what a command would cost, and writes nothing."""

import re

import pytest

from rella_hub.stages.dry_run import Estimate, duration, sample_of, size

BASE, DATA, ADAPTER = "runs/smoke/base", "runs/smoke/data", "runs/smoke/rella/adapter"
ON = ["--base", BASE, "--dataset", DATA, "--config_name", "subr_k5"]


@pytest.fixture
def dry(command, smoke, monkeypatch, tmp_path, capsys):
    """The words of a dry run that must write nothing at all."""

    def run(path: str, *options) -> str:
        monkeypatch.chdir(smoke.folder)
        before = {one: one.stat().st_mtime_ns for one in smoke.folder.rglob("*")}
        capsys.readouterr()
        assert command(path, *options, "--dry_run", "true") == 0
        assert {one: one.stat().st_mtime_ns for one in smoke.folder.rglob("*")} == before
        assert not list(tmp_path.iterdir())
        said = capsys.readouterr().out
        assert re.search(r"memory: [\d.,]+ .B of weights in float32, and [\d.,]+ .B at the peak for all else", said)
        assert re.search(r"time: .* by one process at [\d.,]+ .*/s \([\d,]+ tokens/s\)", said)
        return said

    return run


def tokens_in(said: str) -> int:
    return int(re.search(r"tokens: ([\d,]+)", said)[1].replace(",", ""))


def test_scoring(dry, tmp_path):
    said = dry("evaluation/score.py", *ON, "--output", tmp_path / "out.parquet")
    assert "prompts: 2,770\n" in said
    assert 2770 * 50 < tokens_in(said) < 2770 * 500


def test_scoring_a_choice(dry, tmp_path):
    assert "prompts: 40\n" in dry("evaluation/score.py", *ON, "--limit", 40, "--output", tmp_path / "out.parquet")


def test_comparing(dry, tmp_path):
    line = [*ON, "--adapters", ADAPTER, "--limit", 40, "--output", tmp_path / "out"]
    assert "prompts: 40\n" in dry("evaluation/compare.py", *line)


def test_tuning(dry, tmp_path):
    line = ["--base", BASE, "--dataset", DATA, "--config_name", "reit_k5", "--num_shots", 400, "--num_train_epochs", 3]
    line += ["--per_device_train_batch_size", 4, "--gradient_accumulation_steps", 2, "--quantization", "none"]
    said = dry("training/sft.py", *line, "--output_dir", tmp_path / "run")
    assert "rows: 800 in each of 3 epochs" in said
    assert 800 * 50 < tokens_in(said) < 800 * 500


def test_embedding(dry):
    said = dry("dataset_builders/embed.py", "--corpus", "demo", "--output", DATA, "--overwrite", "true")
    assert "item descriptions: 192\n" in said


@pytest.mark.parametrize("rows", [1, 255, 256, 257, 1000, 3_700_000])
def test_a_sample_stands_in_a_few_places_of_all(rows):
    numbers = [number for one in sample_of(rows) for number in one]
    assert len(set(numbers)) == len(numbers) == min(rows, 256)
    assert min(numbers) == 0
    assert max(numbers) == rows - 1


def test_what_is_measured_is_carried_to_all():
    found = Estimate("prompt", 1000, 100, 5000, 2.0, 4_000_000, "float32", 2_500_000_000, times=2)
    assert found.lines() == [
        "prompts: 1,000 in each of 2 epochs",
        "tokens: 50,000 (50 a prompt), by a sample of 100",
        "memory: 4.0 MB of weights in float32, and 2.5 GB at the peak for all else, by a sample of 100",
        "time: 40 s by one process at 50.0 prompts/s (2,500 tokens/s), by a sample of 100",
    ]


@pytest.mark.parametrize(
    ("seconds", "said"), [(9.6, "10 s"), (90, "2 min"), (3599, "60 min"), (13 * 3600 + 120, "13 h 2 min")]
)
def test_durations(seconds, said):
    assert duration(seconds) == said


def test_sizes():
    assert [size(n) for n in (12_000, 4_200_000, 14_000_000_000)] == ["12 kB", "4.2 MB", "14.0 GB"]
