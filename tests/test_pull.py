"""Pulling by Hub id: verified, cached, offline after the first time."""

import errno
import json
from dataclasses import replace
from pathlib import Path

import pytest
from hub_server import HubServer
from huggingface_hub import constants

from rella_hub.hub import client, download, models
from rella_hub.hub import resolve as data_sets
from rella_hub.vectors import encode

FILES = {
    "README.md": b"---\nlicense: mit\n---\n# books\n",
    "users/train-00000-of-00001.parquet": bytes(range(256)) * 40,
    "notes.txt": b"small\n" * 50,
}
PATTERNS = ["*.md", "users/*", "*.txt"]


@pytest.fixture
def hub(monkeypatch, tmp_path):
    with HubServer() as hub:
        hub.use(monkeypatch, token=None)
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
    with pytest.raises(ValueError, match=r"HF_HUB_OFFLINE"):
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


# A server that means ill.


def answer_with(monkeypatch, hub, change) -> None:
    """change(path, answer) gives the answer that is sent instead."""
    answer = hub.answer
    monkeypatch.setattr(hub, "answer", lambda call, path: change(path, answer(call, path)))


def changed_json(answer, change):
    return (
        replace(answer, body=json.dumps(change(json.loads(answer.body))).encode()) if answer.status == 200 else answer
    )


@pytest.mark.parametrize(
    "name",
    [
        "../../../canary",
        "/tmp/canary",
        "users/../../../canary",
        "users/.git/config",
        "users/.GIT/hooks/pre-commit",
        "users//x",
        "users/./x",
        "users\\..\\x",
        "C:/x",
        "users/a\nb.parquet",
        "users/\x1b[31m.parquet",
        "users/" + "x" * 2_000,
        "",
        None,
        ["users"],
    ],
)
def test_a_listing_with_a_name_that_no_repository_holds(hub, monkeypatch, name):
    def lie(path, answer):
        return (
            changed_json(answer, lambda entries: [*entries, {**entries[-1], "path": name}])
            if "/tree/" in path
            else answer
        )

    answer_with(monkeypatch, hub, lie)
    with pytest.raises(ValueError, match=r"which no repository holds. It is not read") as raised:
        download.snapshot("rella/books", "dataset", PATTERNS)
    assert str(raised.value).isprintable()
    assert not hub.count("GET", "/resolve/")


def test_names_that_differ_in_their_letters_size_alone(hub, monkeypatch):
    hub.repositories["dataset", "rella/books"].commit({"Users/Train-00000-of-00001.parquet": b"x"})
    with pytest.raises(ValueError, match=r"in small and large letters. It is not read"):
        download.snapshot("rella/books", "dataset", PATTERNS)


def test_a_listing_without_end(hub, monkeypatch):
    monkeypatch.setattr(client, "MOST_FILES", 100)
    pages = iter(range(10**6))

    def lie(path, answer):
        if "/tree/" not in path:
            return answer
        page = next(pages)
        assert page < 60, "the reader goes on and on"
        entries = [{"type": "file", "path": f"users/{page}-{n}.txt", "size": 1, "oid": "0" * 40} for n in range(7)]
        link = f'<{hub.endpoint}{path}?recursive=true&cursor={page}>; rel="next"'
        return replace(answer, body=json.dumps(entries).encode(), headers={**answer.headers, "Link": link})

    answer_with(monkeypatch, hub, lie)
    with pytest.raises(ValueError, match=r"lists more than 100 files. It is not read"):
        download.snapshot("rella/books", "dataset", PATTERNS)


@pytest.mark.parametrize("header", ["ETag", "X-Linked-Etag", "X-Repo-Commit"])
@pytest.mark.parametrize("value", ['"../../../../canary"', '"/tmp/canary"', '".."', '"a/b"', "W/../x"])
def test_a_hash_that_is_a_path_writes_nothing(hub, monkeypatch, tmp_path, header, value):
    """The library makes the name of a file of the one, and that of a folder of the other."""

    def lie(path, answer):
        return replace(answer, headers={**answer.headers, header: value}) if "/resolve/" in path else answer

    answer_with(monkeypatch, hub, lie)
    with pytest.raises(ValueError, match=rf"answers with the {header} .* which is none. The file is not read"):
        download.snapshot("rella/books", "dataset", PATTERNS)
    assert not [path for path in tmp_path.rglob("*") if "canary" in path.name]


def test_a_commit_that_is_a_path(hub, monkeypatch):
    def lie(path, answer):
        return changed_json(answer, lambda info: {**info, "sha": "../../x"}) if "/revision/" in path else answer

    answer_with(monkeypatch, hub, lie)
    with pytest.raises(ValueError, match=r"says that its commit is '../../x', which is none"):
        download.snapshot("rella/books", "dataset", PATTERNS)


def test_a_file_without_an_etag_is_not_taken(hub, monkeypatch):
    def lie(path, answer):
        kept = {key: value for key, value in answer.headers.items() if "etag" not in key.lower()}
        return replace(answer, headers=kept) if "/resolve/" in path else answer

    answer_with(monkeypatch, hub, lie)
    with pytest.raises(ValueError, match=r"(?i)etag"):
        download.snapshot("rella/books", "dataset", PATTERNS)


def test_a_file_that_is_larger_than_was_stated_is_not_written_to_its_end(hub, monkeypatch, tmp_path):
    stated = len(FILES["users/train-00000-of-00001.parquet"])
    answer = hub.answer

    def lie(call, path):
        found = answer(call, path)
        if not path.endswith(".parquet"):
            return found
        body = found.body if call.method == "HEAD" else found.body * 2_000
        return replace(found, body=body, headers={**found.headers, "X-Linked-Size": str(stated)})

    monkeypatch.setattr(hub, "answer", lie)
    with pytest.raises(ValueError, match=rf"sends more than the {stated:,} bytes that it may have. It is not read"):
        download.snapshot("rella/books", "dataset", PATTERNS)
    assert sum(path.stat().st_size for path in tmp_path.rglob("*") if path.is_file()) < 10 * stated


def test_an_answer_without_end_is_not_kept(hub, monkeypatch):
    monkeypatch.setattr(client, "LARGEST_ANSWER", 10_000)
    answer_with(monkeypatch, hub, lambda path, answer: replace(answer, body=b" " * 20_000 + answer.body))
    with pytest.raises(ValueError, match="sends more than the 10,000 bytes"):
        download.snapshot("rella/books", "dataset", PATTERNS)


def test_an_answer_that_is_nested_without_end(hub, monkeypatch):
    answer_with(monkeypatch, hub, lambda path, answer: replace(answer, body=b"[" * 200_000))
    with pytest.raises(ValueError, match="nested too deeply"):
        download.snapshot("rella/books", "dataset", PATTERNS)


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("file:///etc/passwd", "to an address of 'file'"),
        ("ftp://hub.example/x", "to an address of 'ftp'"),
        ("http://169.254.169.254/latest/meta-data", "to 169.254.169.254, a machine of this network"),
        ("http://10.0.0.1/x", "to 10.0.0.1, a machine of this network"),
        ("http://[::1]/x", "to ::1, a machine of this network"),
        ("http://localhost:1/x", "to localhost, a machine of this network"),
    ],
)
def test_a_redirection_into_this_network_is_not_followed(hub, monkeypatch, target, said):
    def lie(path, answer):
        return (
            replace(answer, status=302, body=b"", headers={**answer.headers, "Location": target})
            if "/resolve/" in path
            else answer
        )

    answer_with(monkeypatch, hub, lie)
    with pytest.raises(ValueError, match=said):
        download.snapshot("rella/books", "dataset", PATTERNS)


def test_an_encoder_of_the_hub_is_pinned_by_its_commit_and_verified(hub, tiny_encoder):
    files = {path.name: path.read_bytes() for path in tiny_encoder.iterdir()}
    repository = hub.add_repository("model", "rella/encoder", files)
    first = encode.encoder_revision("rella/encoder")
    assert first == repository.commits[0].oid
    repository.commit({**files, "notes.txt": b"second"}, "second")
    assert encode.encoder_revision("rella/encoder") == repository.commits[0].oid != first
    assert encode.encoder_revision("rella/encoder", first) == first
    assert (encode.encode(encode.load_encoder("rella/encoder"), ["the movie"]) != 0).any()


def test_what_a_record_names_is_not_downloaded_but_what_is_cached_is_found(hub, tiny_encoder):
    files = {path.name: path.read_bytes() for path in tiny_encoder.iterdir()} | {"more/weights.bin": b"x"}
    commit = hub.add_repository("model", "rella/encoder", files).commits[0].oid
    assert not models.is_cached("rella/encoder", commit)
    assert not hub.requests
    encode.load_tokenizer("rella/encoder", commit)
    assert models.is_cached("rella/encoder", commit)
    assert not models.is_cached(str(tiny_encoder), commit)
    assert not models.is_cached("../x", commit)


def test_an_encoder_that_comes_damaged_is_refused(hub, tiny_encoder):
    hub.add_repository("model", "rella/encoder", {path.name: path.read_bytes() for path in tiny_encoder.iterdir()})
    hub.fail("GET", "/resolve/.*safetensors", corrupt=True, times=None)
    with pytest.raises(ValueError, match=r"The encoder 'rella/encoder' cannot be loaded: .*came damaged twice"):
        encode.load_encoder("rella/encoder")
