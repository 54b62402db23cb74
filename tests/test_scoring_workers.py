"""Several workers score one split: processes of one launch, and actors of Ray; the file is that of one process."""

import os
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

REPOSITORY = Path(__file__).parents[1]
BASE, DATA, ADAPTER = "runs/smoke/base", "runs/smoke/data", "runs/smoke/rella"
LINE = ["--model", ADAPTER, "--dataset", DATA, "--config_name", "subr_k5", "--limit", "60", "--rows_per_chunk", "8"]


@pytest.fixture(scope="module")
def alone(smoke, command, tmp_path_factory) -> bytes:
    """The file of one process."""
    path = tmp_path_factory.mktemp("alone") / "rella.parquet"
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(smoke.folder)
        assert command("evaluation/score.py", *LINE, "--output", path) == 0
    return path.read_bytes()


def launched(smoke, *line) -> subprocess.CompletedProcess:
    with launch(smoke, *line) as running:
        said, complained = running.communicate(timeout=300)
    return subprocess.CompletedProcess(line, running.returncode, said, complained)


def launch(smoke, *line) -> subprocess.Popen:
    """Two processes, as `accelerate launch` starts them on a machine with GPUs."""
    launch = [
        "-m",
        "torch.distributed.run",
        "--nproc_per_node",
        "2",
        "--rdzv_backend",
        "c10d",
        "--rdzv_endpoint",
        "localhost:0",
    ]
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, *launch, str(REPOSITORY / "evaluation/score.py")]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen([*command, *map(str, line)], cwd=smoke.folder, env=environment, **pipes)


@pytest.mark.slow
def test_two_processes_of_one_launch_write_the_file_of_one(smoke, alone, tmp_path):
    done = launched(smoke, *LINE, "--output", tmp_path / "rella.parquet")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "rella.parquet").read_bytes() == alone
    assert [one.name for one in tmp_path.iterdir()] == ["rella.parquet"]
    assert done.stdout.count("rella.parquet: 60 scores") == 1
    again = launched(smoke, *LINE, "--output", tmp_path / "rella.parquet")
    assert again.returncode == 0, again.stderr
    assert "unchanged inputs, kept" in again.stdout


@pytest.mark.slow
def test_a_process_that_dies_ends_the_launch_and_loses_nothing(smoke, alone, tmp_path):
    output = tmp_path / "rella.parquet"
    with launch(smoke, *LINE, "--output", output) as running:
        parts = tmp_path / ".rella.parquet.parts"
        while len(list(parts.glob("chunk-*"))) < 2:
            assert running.poll() is None
            time.sleep(0.01)
        workers = [
            one for one in psutil.Process(running.pid).children(recursive=True) if "score.py" in " ".join(one.cmdline())
        ]
        workers[-1].kill()
        assert running.wait(60) != 0
    assert not output.exists()
    kept = len(list(parts.glob("chunk-*")))
    assert kept >= 2
    done = launched(smoke, *LINE, "--output", output)
    assert done.returncode == 0, done.stderr
    assert output.read_bytes() == alone
    assert [one.name for one in tmp_path.iterdir()] == ["rella.parquet"]


@pytest.mark.slow
def test_ray_actors_write_the_file_of_one_process(ray, smoke, alone, command, tmp_path, monkeypatch):
    monkeypatch.chdir(smoke.folder)
    monkeypatch.setenv("PYTHONPATH", str(REPOSITORY))
    try:
        line = [*LINE, "--engine", "ray_data", "--workers", 2, "--output", tmp_path / "rella.parquet"]
        assert command("evaluation/score.py", *line) == 0
    finally:
        ray.shutdown()
    assert (tmp_path / "rella.parquet").read_bytes() == alone


@pytest.mark.slow
def test_what_is_wrong_on_a_worker_of_ray_is_said_in_one_line(ray, smoke, command, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(smoke.folder)
    monkeypatch.setenv("PYTHONPATH", str(REPOSITORY))
    line = [*LINE, "--max_length", 20, "--engine", "ray_data", "--workers", 1, "--output", tmp_path / "rella.parquet"]
    try:
        assert command("evaluation/score.py", *line) == 2
    finally:
        ray.shutdown()
    (said,) = [one for one in capsys.readouterr().err.splitlines() if one.startswith("error")]
    assert "prompts are longer than max_length = 20 tokens" in said
    assert not (tmp_path / "rella.parquet").exists()
