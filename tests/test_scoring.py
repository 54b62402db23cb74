"""Scoring in chunks: whatever ends a run, the next one resumes it, and the file is that of a run that nobody disturbed."""

import contextlib
import errno
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from rella_hub.stages.arguments import FolderArguments, PromptArguments, RawArguments, ViewArguments
from rella_hub.stages.chunks.parts import Parts
from rella_hub.stages.prepare import prepare
from rella_hub.stages.prompt import build_prompts
from rella_hub.stages.view import build_views
from rella_hub.systems.score_options import RunOptions, SampleOptions
from rella_hub.systems.scoring import write_score_files
from rella_hub.systems.shards import Shard, join
from rella_hub.systems.targets import Target, record_of, samples_of
from rella_hub.tables import store
from rella_hub.tables.scores import read_scores

REPOSITORY = Path(__file__).parents[1]
SIZE = 4  # samples of a chunk: 55 make fourteen chunks, the last of which is not full
CHUNKS = 14


class Halves:
    """A system that gives what the number of a sample says, and may be ended at any chunk."""

    family, name, training_samples, tables, noted = "halves", "halves", None, (), {}

    def __init__(self, weights: str = "1", dies_at: int | None = None, error: BaseException | None = None):
        self.identity = {
            "base": "halves",
            "base_identity": {"name": "halves", "revision": weights},
            **{"dtype": "auto", "quantization": "none", "max_length": 9, "libraries": {}},
        }
        self.asked, self.tokens = 0, 0
        self._dies_at, self._error = dies_at, error or KeyboardInterrupt()

    def scores(self, rows: pa.Table) -> np.ndarray:
        if self.asked == self._dies_at:
            raise self._error
        self.asked += 1
        self.tokens += sum(map(len, rows["prompt"].to_pylist()))
        sample_id = rows["sample_id"].to_numpy()
        return np.where(sample_id % 2, 0.75, 0.25) + sample_id * 1e-7


@pytest.fixture(scope="module")
def data(raw_ml1m, tmp_path_factory) -> Path:
    """The prompts of the invented corpus."""
    where = FolderArguments(corpus="ml1m", output=str(tmp_path_factory.mktemp("data") / "ml1m"))
    views = ViewArguments(view=["recency"], history_length=[3])
    prepare(where, RawArguments(raw=str(raw_ml1m)))
    build_views(where, views)
    build_prompts(where, views, PromptArguments())
    return where.folder


@pytest.fixture
def score(data, tmp_path) -> Callable[..., Path]:
    """Score the training prompts; gives the file."""

    def run(system, name: str = "out", shard: str | None = None, folder: Path = data, size: int = SIZE, **options):
        samples = samples_of(SampleOptions(str(folder), "recency_k3", split="train"), system)
        chosen = Shard.parse(shard)
        path = tmp_path / f"{name}.parquet"
        record = record_of(system, samples)
        if chosen is not None:
            path, record = chosen.path(path), record | {"shard": chosen.record(len(samples.numbers), size)}
        write_score_files([Target(path, record)], samples, lambda numbers: system, RunOptions(**options), size)
        return path

    return run


@pytest.fixture
def undisturbed(score) -> bytes:
    return score(Halves(), "undisturbed").read_bytes()


def parts_of(path: Path) -> list[str]:
    return sorted(one.name for one in path.with_name(f".{path.name}.parts").glob("chunk-*"))


def test_every_sample_is_scored_once_in_stored_order(score, data):
    stored = store.read(data, "recency_k3", "train")
    found = pq.read_table(score(Halves()))
    assert found["sample_id"].to_pylist() == stored["sample_id"].to_pylist()
    assert found["label"].to_pylist() == stored["label"].to_pylist()
    tokens = json.loads(found.schema.metadata[b"rella"])["tokens"]
    assert tokens == sum(map(len, stored["prompt"].to_pylist()))


@pytest.mark.parametrize("size", [1, 7, 55, 1000])
def test_the_file_says_nothing_of_its_chunks(score, undisturbed, size):
    assert score(Halves(), size=size).read_bytes() == undisturbed


@pytest.mark.parametrize("seed", range(10))
def test_a_run_that_is_ended_again_and_again_gives_the_file_of_one_that_is_not(score, undisturbed, tmp_path, seed):
    draw, asked = random.Random(seed), 0
    while True:
        system = Halves(dies_at=draw.randrange(6))
        try:
            path = score(system)
        except KeyboardInterrupt:
            asked += system.asked
            assert not (tmp_path / "out.parquet").exists()
            assert len(parts_of(tmp_path / "out.parquet")) == asked
            continue
        break
    assert asked + system.asked == CHUNKS, "no chunk was computed twice"
    assert path.read_bytes() == undisturbed
    assert sorted(one.name for one in tmp_path.iterdir()) == ["out.parquet", "undisturbed.parquet"]


def test_an_interrupted_run_says_how_much_is_kept(score, capsys):
    with pytest.raises(KeyboardInterrupt):
        score(Halves(dies_at=3))
    assert "12 of 55 prompts are kept in " in capsys.readouterr().err
    score(Halves())
    assert "12 prompts are there already and are kept." in capsys.readouterr().out


def test_a_queue_that_ends_a_job_is_heard(score, capsys):
    class Slow(Halves):
        def scores(self, rows):
            if self.asked == 2:
                os.kill(os.getpid(), signal.SIGTERM)
                time.sleep(5)
            return super().scores(rows)

    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt):
        score(Slow())
    assert signal.getsignal(signal.SIGTERM) == before
    assert "8 of 55 prompts are kept" in capsys.readouterr().err


def test_an_error_before_the_first_chunk_leaves_nothing(score, tmp_path):
    with pytest.raises(ValueError, match="too long"):
        score(Halves(dies_at=0, error=ValueError("too long")))
    assert not list(tmp_path.iterdir())


def test_an_error_later_keeps_what_is_done(score, undisturbed, tmp_path, capsys):
    with pytest.raises(ValueError, match="too long"):
        score(Halves(dies_at=5, error=ValueError("too long")))
    assert "20 of 55 prompts are kept" in capsys.readouterr().out
    assert score(Halves()).read_bytes() == undisturbed


def test_a_full_disk_is_said_and_nothing_is_lost(score, undisturbed, monkeypatch, tmp_path):
    write = pq.write_table

    def full(table, where, **options):
        if "chunk-000004" in str(where):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        write(table, where, **options)

    with monkeypatch.context() as patched:
        patched.setattr(pq, "write_table", full)
        with pytest.raises(
            ValueError, match=r"^The disk of .* is full\. chunk-000004\.parquet was not written; free space"
        ):
            score(Halves())
    assert len(parts_of(tmp_path / "out.parquet")) == 4
    assert score(Halves()).read_bytes() == undisturbed


def test_two_runs_on_one_output_are_one_too_many(score, tmp_path):
    # By another process: one may enter a lock of its own again.
    line = (
        "import sys; from pathlib import Path; from rella_hub.files.writer import sole_writer\n"
        f"with sole_writer(Path({str(tmp_path / 'out.parquet')!r}), beside=True): print('held', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", line], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout.readline() == "held\n"
        with pytest.raises(ValueError, match=r"is being written by another command \(held by process \d+"):
            score(Halves())
        other.stdin.close()
    score(Halves())


def test_chunks_of_another_model_are_refused_or_overwritten(score, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        score(Halves("2", dies_at=3))
    said = r"holds chunks of a run that broke off and was made from other inputs: its base_identity\.revision is '2', asked for is '1'"
    with pytest.raises(ValueError, match=said):
        score(Halves("1"))
    assert len(parts_of(tmp_path / "out.parquet")) == 3, "what is refused stays"
    system = Halves("1")
    score(system, overwrite=True)
    assert system.asked == CHUNKS


def test_overwriting_resumes_too(score):
    with pytest.raises(KeyboardInterrupt):
        score(Halves(dies_at=3), overwrite=True)
    system = Halves()
    score(system, overwrite=True)
    assert system.asked == CHUNKS - 3


def test_chunks_of_another_size_are_refused(score):
    with pytest.raises(KeyboardInterrupt):
        score(Halves(dies_at=3))
    with pytest.raises(ValueError, match="its rows_per_chunk is 4, asked for is 5"):
        score(Halves(), size=5)


def test_a_chunk_that_somebody_put_there_is_refused(score, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        score(Halves(dies_at=3))
    with pytest.raises(KeyboardInterrupt):
        score(Halves("2", dies_at=3), "other")
    chunk = "chunk-000001.parquet"
    shutil.copy(tmp_path / ".other.parquet.parts" / chunk, tmp_path / ".out.parquet.parts" / chunk)
    with pytest.raises(ValueError, match=f"{chunk} is a chunk of another model or data set"):
        score(Halves())


@pytest.mark.parametrize("damage", [lambda data: b"", lambda data: data[:-20], lambda data: b"thesis"])
def test_a_damaged_chunk_is_computed_again(score, undisturbed, tmp_path, damage, capsys):
    with pytest.raises(KeyboardInterrupt):
        score(Halves(dies_at=3))
    chunk = tmp_path / ".out.parquet.parts/chunk-000001.parquet"
    chunk.write_bytes(damage(chunk.read_bytes()))
    system = Halves()
    assert score(system).read_bytes() == undisturbed
    assert system.asked == CHUNKS - 2
    assert "chunk-000001.parquet is damaged; its chunk is computed again." in capsys.readouterr().out


def test_what_somebody_else_put_into_the_folder_of_the_chunks_stays(score, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        score(Halves(dies_at=3))
    thesis = tmp_path / ".out.parquet.parts/thesis.txt"
    thesis.write_text("years of work")
    score(Halves())
    assert thesis.read_text() == "years of work"
    assert [one.name for one in thesis.parent.glob("chunk-*")] == []


def test_a_folder_of_that_name_that_is_not_ours_is_left_alone(score, tmp_path):
    thesis = tmp_path / ".out.parquet.parts/thesis.txt"
    thesis.parent.mkdir()
    thesis.write_text("years of work")
    with pytest.raises(ValueError, match="exists and is no parts of this project"):
        score(Halves())
    assert thesis.read_text() == "years of work"


def test_a_split_that_grew_in_between_is_said(score, data, tmp_path):
    grown = shutil.copytree(data, tmp_path / "ml1m")

    class Growing(Halves):
        def scores(self, rows):
            if self.asked == 5:
                (path,) = store.shard_paths(grown, "recency_k3", "train")
                table = pq.read_table(path)
                record = json.loads(table.schema.metadata[b"rella"]) | {"fingerprint": "another"}
                table = pa.concat_tables([table, table.slice(0, 3)])
                record["rows"]["train"] += 3
                pq.write_table(table.replace_schema_metadata({b"rella": json.dumps(record)}), path)
            return super().scores(rows)

    with pytest.raises(ValueError, match="recency_k3"):
        score(Growing(), folder=grown)
    assert not (tmp_path / "out.parquet").exists()


@pytest.mark.parametrize("shards", [1, 3, 14])
def test_shards_join_to_the_file_of_one_run(score, undisturbed, tmp_path, shards):
    paths = [str(score(Halves(), shard=f"{n}/{shards}")) for n in range(1, shards + 1)]
    random.Random(0).shuffle(paths)
    join(paths, None, overwrite=False)
    assert (tmp_path / "out.parquet").read_bytes() == undisturbed
    join(paths, None, overwrite=False)  # is up to date


def test_shards_that_are_missing_or_given_twice_or_foreign_are_refused(score, tmp_path):
    one, two, three = (score(Halves(), shard=f"{n}/3") for n in (1, 2, 3))
    whole, foreign = score(Halves(), "whole"), score(Halves("2"), "foreign", shard="3/3")
    other = score(Halves(), "finer", shard="2/4")
    for paths, said in (
        ([one, three], r"Of 3 shards 1 are missing: 2/3\. Score them first"),
        ([one, two, two, three], r"Shard 2/3 is given more than once"),
        (
            [one, two, foreign],
            r"is a shard of another run than .*: its base_identity\.revision is '1', asked for is '2'",
        ),
        ([one, other, three], r"is a shard of another run than"),
        ([one, two, whole], r"is a whole score file and no shard of one"),
        ([tmp_path / "nowhere"], r"There is no score file"),
    ):
        with pytest.raises(ValueError, match=said):
            join(list(map(str, paths)), str(tmp_path / "joined.parquet"), overwrite=False)
    assert not (tmp_path / "joined.parquet").exists()


def test_a_shard_is_no_score_file(score, command, tmp_path, capsys):
    shard = score(Halves(), shard="1/2")
    with pytest.raises(ValueError, match=r"is one shard of a score file\. Join all of them first"):
        read_scores(shard)
    assert command("evaluation/report.py", "--scores", shard, "--output", tmp_path / "report") == 2
    assert "Join all of them first: python evaluation/join_scores.py" in capsys.readouterr().err


def test_a_shard_under_the_name_of_the_whole_is_not_the_whole(score, tmp_path):
    shutil.copy(score(Halves(), shard="1/2"), tmp_path / "out.parquet")
    with pytest.raises(ValueError, match="was made from other inputs: its shard"):
        score(Halves())


def test_a_shard_resumes_too(score, undisturbed, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        score(Halves(dies_at=3), shard="2/2")
    system = Halves()
    paths = [score(system, shard="2/2"), score(Halves(), shard="1/2")]
    assert system.asked == 4
    join(list(map(str, paths)), None, overwrite=False)
    assert (tmp_path / "out.parquet").read_bytes() == undisturbed


@pytest.mark.parametrize("text", ["17/16", "0/3", "3", "3/", "-1/3", "a/b", "3/0", "1.5/2"])
def test_a_shard_that_cannot_be_is_refused(command, capsys, text):
    line = ["--base", "x", "--dataset", "y", "--config_name", "subr_k5", f"--shard={text}"]
    assert command("evaluation/score.py", *line) == 2
    assert f"--shard is {text!r}; expected one of 1/N to N/N" in capsys.readouterr().err


def test_more_shards_than_chunks_are_refused(score):
    with pytest.raises(ValueError, match=r"asks for 15 shards of 14 chunks\. Take at most 14 shards"):
        score(Halves(), shard="1/15")


SCORES_SLOWLY = """
import sys, time
sys.path.insert(0, {tests!r})
import test_scoring as t
class Slow(t.Halves):
    def scores(self, rows):
        time.sleep(0.03)
        return super().scores(rows)
s = t.samples_of(t.SampleOptions({data!r}, "recency_k3", split="train"), t.Halves())
t.write_score_files([t.Target(t.Path({out!r}), t.record_of(t.Halves(), s))], s, lambda n: Slow(), t.RunOptions(), t.SIZE)
"""


@pytest.mark.slow
def test_a_process_that_is_killed_at_any_moment_leaves_what_the_next_one_resumes(data, undisturbed, tmp_path):
    """kill -9, ten times at random moments after the first chunk."""
    draw = random.Random(0)
    code = SCORES_SLOWLY.format(tests=str(Path(__file__).parent), data=str(data), out=str(tmp_path / "out.parquet"))
    killed = 0
    while killed < 10:
        process = subprocess.Popen([sys.executable, "-c", code], cwd=REPOSITORY, stderr=subprocess.DEVNULL)
        before = len(parts_of(tmp_path / "out.parquet"))
        while process.poll() is None and len(parts_of(tmp_path / "out.parquet")) == before:
            time.sleep(0.002)
        time.sleep(draw.random() * 0.05)
        process.kill()
        process.wait()
        killed += 1
        if (tmp_path / "out.parquet").exists():
            break
    subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, check=True)
    assert killed > 3
    assert (tmp_path / "out.parquet").read_bytes() == undisturbed
    assert sorted(one.name for one in tmp_path.iterdir()) == ["out.parquet", "undisturbed.parquet"]


def test_a_folder_of_chunks_is_whole_or_new(tmp_path):
    """A process that is killed between making the folder and saying what it is for leaves one that the next takes."""
    parts = Parts(tmp_path / "out", {"a": 1}, rows=3, rows_per_chunk=2)
    parts.open(overwrite=False)
    (parts.folder / "inputs.json").unlink()
    parts.open(overwrite=False)
    assert parts.is_open()
    with contextlib.suppress(FileNotFoundError):
        parts.remove()
    assert not parts.folder.exists()
