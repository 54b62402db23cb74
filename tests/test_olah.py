"""A second opinion on what is pushed: olah, a mirror of the Hub by others, serves it from a git work tree, and it loads by id.

olah is installed from the package registry into an environment of its own, because its dependencies are not ours.
"""

import json
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest
from builders import build_bookcrossing
from hub_server import HubServer

from rella_hub.cards.dataset.push import PushArguments, push
from rella_hub.tables import store

pytestmark = pytest.mark.slow
DATA_SET = "rella/bookcrossing"
CONFIG = """
[basic]
host = "127.0.0.1"
port = {port}
repos-path = "{folder}/repos"
hf-scheme = "http"
hf-netloc = "127.0.0.1:9"
hf-lfs-netloc = "127.0.0.1:9"
mirror-scheme = "http"
mirror-netloc = "127.0.0.1:{port}"
mirror-lfs-netloc = "127.0.0.1:{port}"
mirrors-path = ["{folder}/mirrors"]

[accessibility]
offline = true
"""


@pytest.fixture(scope="module")
def pushed(tmp_path_factory) -> dict[str, bytes]:
    """The files that push.py sent to a Hub."""
    with HubServer() as hub, pytest.MonkeyPatch.context() as patch:
        hub.use(patch)
        push(build_bookcrossing(tmp_path_factory.mktemp("push")), PushArguments())
        return hub.repositories["dataset", DATA_SET].files("main")


@pytest.fixture(scope="module")
def endpoint(pushed, tmp_path_factory):
    folder = tmp_path_factory.mktemp("olah")
    subprocess.run([sys.executable, "-m", "venv", folder / "venv"], check=True)
    pip = [folder / "venv/bin/pip", "install", "--quiet", "--disable-pip-version-check", "olah"]
    if subprocess.run(pip, capture_output=True).returncode:
        pytest.skip("olah cannot be installed: there is no package registry")
    tree = folder / "mirrors/datasets" / DATA_SET
    for path, data in pushed.items():
        if path != ".gitattributes":  # olah serves the files of git itself
            (tree / path).parent.mkdir(parents=True, exist_ok=True)
            (tree / path).write_bytes(data)
    git = ["git", "-C", str(tree), "-c", "user.name=t", "-c", "user.email=t@t", "-c", "init.defaultBranch=main"]
    for command in (["init", "--quiet"], ["add", "--all"], ["commit", "--quiet", "--message", "pushed"]):
        subprocess.run([*git, *command], check=True)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    (folder / "olah.toml").write_text(CONFIG.format(port=port, folder=folder))
    log = (folder / "log").open("wb")
    server = subprocess.Popen(
        [folder / "venv/bin/olah-cli", "-c", folder / "olah.toml"], cwd=folder, stdout=log, stderr=log
    )
    endpoint = f"http://127.0.0.1:{port}"
    try:
        _wait_for(endpoint, server, folder / "log")
        yield endpoint
    finally:
        server.terminate()
        server.wait(10)


def _wait_for(endpoint: str, server: subprocess.Popen, log: Path) -> None:
    for _ in range(120):
        assert server.poll() is None, log.read_text()
        try:
            with urllib.request.urlopen(f"{endpoint}/api/datasets/{DATA_SET}/revision/main", timeout=5):
                return
        except OSError:
            time.sleep(0.5)
    raise AssertionError(log.read_text())


def test_what_was_pushed_loads_by_id_from_another_server(endpoint, whole, tmp_path):
    code = (
        "import json, sys\n"
        "from datasets import load_dataset\n"
        "from huggingface_hub import snapshot_download\n"
        "snapshot_download('rella/bookcrossing', repo_type='dataset', revision='main')\n"
        "plain = load_dataset('rella/bookcrossing', 'recency_k5')\n"
        "streamed = load_dataset('rella/bookcrossing', 'recency_k3', streaming=True)\n"
        "print(json.dumps([{s: list(rows) for s, rows in d.items()} for d in (plain, streamed)]))\n"
    )
    environment = HubServer().environment(tmp_path / "home", token=None) | {"HF_ENDPOINT": endpoint}
    done = subprocess.run([sys.executable, "-c", code], env=environment, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    expected = [
        {s: store.read(whole.folder, name, s).to_pylist() for s in store.SPLITS}
        for name in ("recency_k5", "recency_k3")
    ]
    assert json.loads(done.stdout.splitlines()[-1]) == expected
