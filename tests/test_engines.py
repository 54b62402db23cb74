"""Where tasks run must not show in what comes out: threads of this process, and Ray workers beside it."""

import os
import shutil
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from builders import write_vectors

from rella_hub.corpora import load_corpus
from rella_hub.files.hashes import hash_file
from rella_hub.stages.arguments import EngineArguments, PromptArguments, RowArguments, ViewArguments
from rella_hub.stages.engines import engine_names, load_engine, local
from rella_hub.stages.prompt import build_prompts
from rella_hub.stages.view import build_views
from rella_hub.tables import store


def leave_a_mark(task: tuple[Path, int]) -> None:
    folder, number = task
    if number < 0:
        raise ValueError(f"task {number} is bad input, do this instead")
    (folder / str(number)).touch()


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_every_task_is_run_once(tmp_path, workers):
    local.run(leave_a_mark, [(tmp_path, n) for n in range(20)], workers, "marks")
    assert sorted(int(path.name) for path in tmp_path.iterdir()) == list(range(20))
    local.run(leave_a_mark, [], workers, "nothing")


def test_the_first_error_ends_it(tmp_path):
    tasks = [(tmp_path, -1), *((tmp_path, n) for n in range(500))]

    def slowly(task):
        leave_a_mark(task)
        time.sleep(0.01)

    with pytest.raises(ValueError, match="task -1 is bad input"):
        local.run(slowly, tasks, 2, "marks")
    assert len(list(tmp_path.iterdir())) < 500


def test_ctrl_c_ends_it(tmp_path):
    def interrupt(_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        local.run(interrupt, range(500), 2, "marks")


@pytest.mark.slow
def test_a_cluster_that_is_started_here_listens_on_this_machine_alone(tmp_path):
    """As a command starts it, in a process of its own, where Ray has not been imported before."""
    pytest.importorskip("ray", reason="Ray is not installed: the extra ray")
    code = (
        "import sys, psutil\n"
        "from pathlib import Path\n"
        "from rella_hub.stages.engines import ray_data\n"
        "from test_engines import leave_a_mark\n"
        "ray_data.run(leave_a_mark, [(Path(sys.argv[1]), 0)], 1, 'mark')\n"
        "this = psutil.Process()\n"
        "for process in (this, *this.children(recursive=True)):\n"
        "    for one in process.net_connections():\n"
        "        if one.status == psutil.CONN_LISTEN:\n"
        "            print('listens', one.laddr.ip)\n"
        "import ray\n"
        "from ray._raylet import AuthenticationMode, get_authentication_mode\n"
        "print('token', get_authentication_mode() == AuthenticationMode.TOKEN)\n"
    )
    paths = os.pathsep.join([str(Path(__file__).parents[1]), str(Path(__file__).parent)])
    environment = {key: value for key, value in os.environ.items() if not key.startswith("RAY_")}
    line = [sys.executable, "-c", code, str(tmp_path)]
    done = subprocess.run(
        line, env=environment | {"PYTHONPATH": paths}, capture_output=True, text=True, timeout=240, check=False
    )
    assert done.returncode == 0, done.stderr
    found = {line.split()[1].removeprefix("::ffff:") for line in done.stdout.splitlines() if line.startswith("listens")}
    assert found == {"127.0.0.1"}
    assert "token True" in done.stdout
    assert (tmp_path / "0").is_file()


def test_options_that_make_no_sense():
    assert engine_names() == ["local", "ray_data"]
    with pytest.raises(ValueError, match=r"no engine 'spark'. There are: local, ray_data"):
        EngineArguments(engine="spark").run(leave_a_mark, [], "marks")
    with pytest.raises(ValueError, match="--workers is 0; at least 1"):
        EngineArguments(workers=0).run(leave_a_mark, [], "marks")


@pytest.mark.slow
def test_two_ray_workers_write_the_same_bytes(ray, prepared, tmp_path, monkeypatch):
    """Every view and prompt of the invented corpus, in shards of 14 rows and blocks of a few users."""
    monkeypatch.setattr(store, "ROWS_PER_SHARD", 14)
    write_vectors(prepared)
    on_ray = replace(prepared, output=str(shutil.copytree(prepared.folder, tmp_path / "on-ray")))
    views, rows = ViewArguments(history_length=[3]), RowArguments(train_rows="50", test_rows="7")
    for where, engine in ((prepared, EngineArguments()), (on_ray, EngineArguments("ray_data", workers=2))):
        build_views(where, views, rows, engine)
        build_prompts(where, views, PromptArguments(), rows, engine)
    names = store.table_names(prepared.folder)
    assert (
        {"view_subr_k3", "view_reit_k3", "recency_k3", "reit_k3"} < set(names) == set(store.table_names(on_ray.folder))
    )
    for name in names:
        files = sorted(path.name for path in (prepared.folder / name).iterdir())
        assert files == sorted(path.name for path in (on_ray.folder / name).iterdir())
        for file in files:
            assert (prepared.folder / name / file).read_bytes() == (on_ray.folder / name / file).read_bytes()
    assert len(store.shard_paths(on_ray.folder, "reit_k3", "mixed")) == -(-100 // 14)
    assert not list(on_ray.folder.glob(".*"))


def test_errors_read_the_same_on_ray(ray, tmp_path):
    """With functions of this project, which a worker can import."""
    with pytest.raises(ValueError, match=r"^There is no corpus 'ml2m'\. There are: "):
        load_engine("ray_data").run(load_corpus, ["ml1m", "ml2m"], 2, "corpora")
    with pytest.raises(ValueError, match=r"FileNotFoundError: .*nowhere"):
        load_engine("ray_data").run(hash_file, [tmp_path / "nowhere"], 2, "hashes")
