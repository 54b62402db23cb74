"""Pulling by Hub id: verified, cached, offline after the first time."""

import errno
from pathlib import Path

import pytest
from hub_server import HubServer
from huggingface_hub import constants

from dataset_builders.embeddings import encode
from dataset_builders.hub import download
from dataset_builders.tables import hub as data_sets

FILES = {
    "README.md": b"---\nlicense: mit\n---\n# books\n",
    "users/train-00000-of-00001.parquet": bytes(range(256)) * 40,
    "notes.txt": b"small\n" * 50,
}
PATTERNS = ["*.md", "users/*", "*.txt"]


@pytest.fixture
def hub(monkeypatch, tmp_path):
    with HubServer() as hub:
        monkeypatch.setattr(constants, "ENDPOINT", hub.endpoint)
        monkeypatch.setattr(
            constants, "HUGGINGFACE_CO_URL_TEMPLATE", hub.endpoint + "/{repo_id}/resolve/{revision}/{filename}"
        )
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
        monkeypatch.setattr("huggingface_hub.utils._http.time.sleep", lambda _: None)
        hub.add_repository("dataset", "rella/books", FILES)
        yield hub


def pulled(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_every_byte_comes_once(hub):
    assert pulled(download.snapshot("rella/books", "dataset", PATTERNS)) == FILES
    before = hub.count("GET", "/resolve/")
    assert pulled(download.snapshot("rella/books", "dataset", PATTERNS)) == FILES
    assert hub.count("GET", "/resolve/") == before == len(FILES)


def test_only_what_is_asked_for_comes(hub):
    assert set(pulled(download.snapshot("rella/books", "dataset", ["users/*"]))) == {
        "users/train-00000-of-00001.parquet"
    }


def test_a_revision(hub):
    repository = hub.repositories["dataset", "rella/books"]
    first = repository.commits[-1].oid if repository.commits[-1].files.get("README.md") else repository.commits[0].oid
    repository.commit({**FILES, "notes.txt": b"other\n"}, "second")
    assert pulled(download.snapshot("rella/books", "dataset", PATTERNS))["notes.txt"] == b"other\n"
    assert pulled(download.snapshot("rella/books", "dataset", PATTERNS, revision=first)) == FILES


@pytest.mark.parametrize("path", FILES)
def test_a_file_that_came_damaged_is_fetched_again(hub, path):
    fault = hub.fail("GET", f"/resolve/.*{Path(path).name}", corrupt=True)
    assert pulled(download.snapshot("rella/books", "dataset", PATTERNS)) == FILES
    assert fault.hits == 1


def test_a_file_that_always_comes_damaged_is_refused(hub):
    hub.fail("GET", "/resolve/.*parquet", corrupt=True, times=None)
    with pytest.raises(ValueError, match=r"of rella/books came damaged twice: its hash is not the one"):
        download.snapshot("rella/books", "dataset", PATTERNS)


def test_a_connection_cut_in_mid_transfer_is_taken_up(hub):
    fault = hub.fail("GET", "/resolve/.*parquet", cut=1000)
    assert pulled(download.snapshot("rella/books", "dataset", PATTERNS)) == FILES
    assert fault.hits == 1


def test_offline_after_the_first_time(hub, monkeypatch):
    download.snapshot("rella/books", "dataset", PATTERNS)
    hub.die()
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert pulled(download.snapshot("rella/books", "dataset", PATTERNS)) == FILES
    with pytest.raises(ValueError, match=r"."):
        download.snapshot("rella/films", "dataset", PATTERNS)


def test_what_is_found_whole_is_not_hashed_again(hub, monkeypatch):
    download.snapshot("rella/books", "dataset", PATTERNS)

    def never(_):
        raise AssertionError("hashed again")

    monkeypatch.setattr(download, "_is_whole", never)
    download.snapshot("rella/books", "dataset", PATTERNS)


def test_a_full_disk_is_said(monkeypatch):
    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(download, "snapshot_download", full)
    with pytest.raises(ValueError, match=r"The disk is full, so rella/books could not be downloaded. Free space"):
        download.snapshot("rella/books", "dataset", PATTERNS)


def test_a_data_set_that_is_not_there(hub):
    with pytest.raises(ValueError, match=r"'rella/films' is neither a folder here nor to be had .*--corpus films"):
        data_sets.resolve("rella/films", ["users"])
    with pytest.raises(ValueError, match=r"rella/books has no 'items'. It has: users"):
        data_sets.resolve("rella/books", ["items"])


def test_a_private_data_set_needs_a_token(hub, monkeypatch):
    hub.add_repository("dataset", "rella/secret", FILES, private=True)
    monkeypatch.delenv("HF_TOKEN", raising=False)
    with pytest.raises(ValueError, match="neither a folder here nor to be had from the Hub"):
        data_sets.resolve("rella/secret", ["users"])
    monkeypatch.setenv("HF_TOKEN", "read-token")
    assert (data_sets.resolve("rella/secret", ["users"]) / "users").is_dir()


def test_an_encoder_of_the_hub_is_pinned_by_its_commit_and_verified(hub, tiny_encoder):
    files = {path.name: path.read_bytes() for path in tiny_encoder.iterdir()}
    repository = hub.add_repository("model", "rella/encoder", files)
    first = encode.encoder_revision("rella/encoder")
    assert first == repository.commits[0].oid
    repository.commit({**files, "notes.txt": b"second"}, "second")
    assert encode.encoder_revision("rella/encoder") == repository.commits[0].oid != first
    assert encode.encoder_revision("rella/encoder", first) == first
    assert (encode.encode(encode.load_encoder("rella/encoder"), ["the movie"]) != 0).any()


def test_an_encoder_that_comes_damaged_is_refused(hub, tiny_encoder):
    hub.add_repository("model", "rella/encoder", {path.name: path.read_bytes() for path in tiny_encoder.iterdir()})
    hub.fail("GET", "/resolve/.*safetensors", corrupt=True, times=None)
    with pytest.raises(ValueError, match=r"The encoder 'rella/encoder' cannot be loaded: .*came damaged twice"):
        encode.load_encoder("rella/encoder")
