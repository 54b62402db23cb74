"""The test Hub against the unmodified clients: what they push comes back, what it refuses they report, faults reach them."""

import hashlib
import json
import re
import subprocess
import sys
import time
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

import huggingface_hub
import pytest
from hub_cards import check_card
from hub_server import HubServer
from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi
from huggingface_hub.errors import (
    BadRequestError,
    EntryNotFoundError,
    GatedRepoError,
    HfHubHTTPError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.utils import get_session

CARD = b"---\nlicense: mit\ntags: [ctr]\n---\n# Card\n"
TABLE = bytes(range(256)) * 40  # not a table, but sent as one: the name decides
DATASET = {"repo_id": "rella/ml1m", "repo_type": "dataset"}


@pytest.fixture
def hub(monkeypatch):
    """A Hub that the clients of this process may reach, whatever the tests' environment forbade them."""
    with HubServer() as hub:
        hub.use(monkeypatch, token=None)
        yield hub


@pytest.fixture
def api(hub):
    return HfApi(endpoint=hub.endpoint, token="write-token")


@pytest.fixture
def reader(hub):
    return HfApi(endpoint=hub.endpoint, token="read-token")


@pytest.fixture
def stranger(hub):
    return HfApi(endpoint=hub.endpoint, token=False)


@pytest.fixture
def waits(monkeypatch):
    """The seconds that the client would have waited between its attempts."""
    waits = []
    clock = SimpleNamespace(sleep=waits.append, time=time.time)
    monkeypatch.setattr("huggingface_hub.utils._http.time", clock)
    monkeypatch.setattr("huggingface_hub.file_download.time", clock)
    return waits


@pytest.fixture
def ml1m(hub):
    """A data set with a card, a table and a note."""
    return hub.add_repository(
        "dataset", "rella/ml1m", {"README.md": CARD, "a/b/t.parquet": TABLE, "a/note.txt": b"one"}
    )


def refused(status: int, error=HfHubHTTPError, match: str | None = None):
    """The client raises its error, whose answer had that status."""
    return pytest.raises(error, match=match, check=lambda raised: raised.response.status_code == status)


def post(hub, path, **what):
    return get_session().post(hub.endpoint + path, headers={"Authorization": "Bearer write-token"}, **what)


def post_commit(hub, *operations, parent=None):
    header = {"summary": "by hand"} | ({"parentCommit": parent} if parent else {})
    lines = [{"key": "header", "value": header}, *operations]
    body = b"".join(json.dumps(line).encode() + b"\n" for line in lines)
    return post(hub, "/api/datasets/rella/ml1m/commit/main", content=body)


# Who may do what.


def test_whoami_knows_the_tokens(api, reader, stranger, hub, ml1m):
    found = api.whoami()
    assert (found["name"], [one["name"] for one in found["orgs"]]) == ("tester", ["rella"])
    assert found["auth"]["accessToken"]["role"] == "write"
    assert reader.whoami()["auth"]["accessToken"]["role"] == "read"
    with refused(401, match="Invalid user token"):
        HfApi(endpoint=hub.endpoint, token="hf_wrong").whoami()
    stranger.dataset_info("rella/ml1m")
    with refused(401, match="Invalid credentials"):  # a wrong token is worse than none
        HfApi(endpoint=hub.endpoint, token="hf_wrong").dataset_info("rella/ml1m")


def test_create_repo_and_delete_repo(api, reader, hub):
    for kind in ("model", "dataset", "space"):
        sdk = "static" if kind == "space" else None
        url = api.create_repo("rella/new", repo_type=kind, private=kind == "model", space_sdk=sdk)
        assert (url.repo_id, url.repo_type) == ("rella/new", kind)
        assert hub.repositories[kind, "rella/new"].private == (kind == "model")
    assert api.create_repo("mine").repo_id == "tester/mine"
    with refused(409, match="already created"):
        api.create_repo("rella/new")
    assert api.create_repo("rella/new", exist_ok=True).repo_id == "rella/new"
    with refused(403, match="write token"):
        reader.create_repo("rella/other")
    with refused(403, match="namespace 'stranger'"):
        api.create_repo("stranger/other")
    with refused(403):
        reader.delete_repo("rella/new")
    api.delete_repo("rella/new")
    assert ("model", "rella/new") not in hub.repositories
    with refused(404, RepositoryNotFoundError):
        api.delete_repo("rella/new")
    api.delete_repo("rella/new", missing_ok=True)


def test_private_repositories_are_hidden(api, reader, stranger, hub, ml1m, tmp_path):
    api.update_repo_settings("rella/ml1m", repo_type="dataset", private=True)
    assert ml1m.private
    assert reader.dataset_info("rella/ml1m").private is True
    with refused(401, RepositoryNotFoundError):
        stranger.dataset_info("rella/ml1m")
    with refused(401, RepositoryNotFoundError):
        stranger.hf_hub_download(**DATASET, filename="README.md", cache_dir=tmp_path)
    hub.add_repository("dataset", "stranger/secret", private=True)
    with refused(404, RepositoryNotFoundError):
        api.dataset_info("stranger/secret")
    api.update_repo_settings("rella/ml1m", repo_type="dataset", private=False)
    assert stranger.dataset_info("rella/ml1m").private is False
    with refused(403):
        reader.update_repo_settings("rella/ml1m", repo_type="dataset", private=True)


def test_gated_repositories_are_listed_but_not_read(reader, stranger, hub, tmp_path):
    gated = hub.add_repository("model", "stranger/llama", {"config.json": b"{}"}, gated="manual")
    assert reader.model_info("stranger/llama").gated == "manual"
    for api, status in ((reader, 403), (stranger, 401)):
        with refused(status, GatedRepoError):
            api.hf_hub_download("stranger/llama", "config.json", cache_dir=tmp_path)
    gated.accepted.add("read-token")
    reader.hf_hub_download("stranger/llama", "config.json", cache_dir=tmp_path)


def test_read_tokens_write_nothing(reader, ml1m, hub):
    for action in (
        lambda: reader.upload_file(**DATASET, path_or_fileobj=b"x", path_in_repo="x.txt"),
        lambda: reader.create_tag("rella/ml1m", tag="v1", repo_type="dataset"),
        lambda: reader.create_branch("rella/ml1m", branch="dev", repo_type="dataset"),
    ):
        with refused(403, match="write token"):
            action()
    assert len(ml1m.commits) == 2
    assert not ml1m.tags
    assert list(ml1m.branches) == ["main"]


# Upload.


def test_upload_folder_sends_nothing_the_hub_has(api, hub, tmp_path):
    files = {
        "README.md": CARD,
        "subr/train.parquet": TABLE,
        "same/train.parquet": TABLE,
        "figures/loss.png": b"\x89PNG" * 9,
    }
    files |= {"empty.parquet": b"", "config.json": b"{}", "odd.dat": b"\0\1", "words.txt": "naïve".encode()}
    for path, content in files.items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_bytes(content)
    api.create_repo("rella/ml1m", repo_type="dataset")
    made = api.upload_folder(**DATASET, folder_path=tmp_path, commit_message="All of it")
    repository = hub.repositories["dataset", "rella/ml1m"]
    assert {k: v for k, v in repository.files().items() if k != ".gitattributes"} == files
    assert [(one.oid, one.title) for one in repository.commits[:-1]] == [(made.oid, "All of it")]
    assert made.repo_url.repo_id == "rella/ml1m"
    lfs = {path for path, blob in repository.at("main").files.items() if blob.lfs}
    assert lfs == {"subr/train.parquet", "same/train.parquet", "figures/loss.png", "odd.dat"}
    sizes = {hashlib.sha256(files[path]).hexdigest(): len(files[path]) for path in lfs}
    sizes[hashlib.sha256(TABLE).hexdigest()] *= 2  # two new files of one commit: the client sends each of them
    assert hub.uploaded == sizes

    sent = sum(one.received for one in hub.requests if one.method == "PUT")
    again = api.upload_folder(**DATASET, folder_path=tmp_path, commit_message="Once more")
    assert (again.oid, len(repository.commits)) == (made.oid, 2)
    (tmp_path / "moved.parquet").write_bytes(TABLE)  # known content under another name
    (tmp_path / "config.json").write_bytes(b"{1}")
    (tmp_path / "subr/train.parquet").unlink()
    api.upload_folder(**DATASET, folder_path=tmp_path, delete_patterns="*.parquet")
    assert sum(one.received for one in hub.requests if one.method == "PUT") == sent
    assert "subr/train.parquet" not in repository.files()
    assert repository.files()["moved.parquet"] == TABLE
    assert repository.files()["config.json"] == b"{1}"
    assert repository.files(made.oid)["config.json"] == b"{}"


def test_commits_are_whole_and_know_their_parent(api, ml1m):
    head = ml1m.commits[0].oid
    made = api.create_commit(
        **DATASET,
        operations=[
            CommitOperationDelete("a/", is_folder=True),
            CommitOperationAdd("new.txt", b"new"),
            CommitOperationAdd("new.parquet", TABLE[::-1]),
        ],
        commit_message="Swap",
        commit_description="Why",
        parent_commit=head,
    )
    assert set(ml1m.files()) == {".gitattributes", "README.md", "new.txt", "new.parquet"}
    assert (ml1m.commits[0].oid, ml1m.commits[0].parent.oid, ml1m.commits[0].message) == (made.oid, head, "Why")
    with refused(412, match="A commit has happened since"):
        api.upload_file(**DATASET, path_or_fileobj=b"late", path_in_repo="late.txt", parent_commit=head)
    for gone, folder in (("nowhere.txt", False), ("nowhere/", True)):
        with refused(404, EntryNotFoundError, "A file with this name doesn't exist"):
            api.create_commit(
                **DATASET,
                operations=[CommitOperationAdd("half.txt", b"half"), CommitOperationDelete(gone, is_folder=folder)],
                commit_message="Never",
            )
    with refused(404, RevisionNotFoundError):
        api.upload_file(**DATASET, path_or_fileobj=b"x", path_in_repo="x.txt", revision="nowhere")
    with refused(400, BadRequestError, "is a file and cannot hold"):
        api.upload_file(**DATASET, path_or_fileobj=b"x", path_in_repo="new.txt/x.txt")
    assert ml1m.commits[0].oid == made.oid


def test_another_client_may_push_in_between(api, ml1m, hub):
    head = ml1m.commits[0].oid
    hub.before_commit = lambda: ml1m.commit({"theirs.txt": b"theirs", "a/note.txt": None})
    with refused(412):
        api.upload_file(**DATASET, path_or_fileobj=b"ours", path_in_repo="ours.txt", parent_commit=head)
    assert "ours.txt" not in ml1m.files()
    hub.before_commit = lambda: api.upload_file(**DATASET, path_or_fileobj=b"2", path_in_repo="theirs.txt")
    api.upload_file(**DATASET, path_or_fileobj=b"ours", path_in_repo="ours.txt")
    assert (ml1m.files()["theirs.txt"], ml1m.files()["ours.txt"]) == (b"2", b"ours")
    assert hub.before_commit is None
    assert "a/note.txt" not in ml1m.files()


def test_commits_by_hand_are_refused(ml1m, hub):
    """What no client of today would send."""
    oid = hashlib.sha256(b"never sent").hexdigest()
    lost = {"key": "lfsFile", "value": {"path": "t.parquet", "algo": "sha256", "oid": oid, "size": 10}}
    short = {"key": "lfsFile", "value": {"path": "t.parquet", "oid": hashlib.sha256(TABLE).hexdigest(), "size": 10}}
    binary = {"key": "file", "value": {"path": "x", "content": "AAE=", "encoding": "base64"}}
    card = {"key": "file", "value": {"path": "README.md", "content": "---\nlicense: none\n---\n", "encoding": "utf-8"}}
    above = {"key": "file", "value": {"path": "../x", "content": "x", "encoding": "utf-8"}}
    for operation, said in (
        (lost, "pointer pointed to a file that does not exist"),
        (short, "pointer pointed to a file that does not exist"),
        (binary, "binary files"),
        (card, '"license" must be one of'),
        (above, "Invalid path"),
        ({"key": "rename", "value": {"path": "x"}}, "Unknown operation"),
    ):
        answer = post_commit(hub, operation)
        assert (answer.status_code, said in answer.json()["error"]) == (400, True), operation
    assert post(hub, "/api/datasets/rella/ml1m/commit/main", content=b"{}").status_code == 400
    assert len(ml1m.commits) == 2
    fine = {"key": "file", "value": {"path": "x", "content": "eA==", "encoding": "base64"}}
    assert post_commit(hub, fine, parent=ml1m.commits[0].oid[:12]).status_code == 200
    assert ml1m.files()["x"] == b"x"


def test_objects_need_a_key_and_their_hash(ml1m, hub):
    content = b"some weights"
    oid = hashlib.sha256(content).hexdigest()
    asked = {"operation": "upload", "transfers": ["basic"], "objects": [{"oid": oid, "size": len(content)}]}
    batch = "/datasets/rella/ml1m.git/info/lfs/objects/batch"
    actions = post(hub, batch, json=asked).json()["objects"][0]["actions"]
    href = actions["upload"]["href"]
    assert get_session().put(href.split("?")[0], content=content).status_code == 403
    for wrong in (b"some weightz", b"some"):
        assert get_session().put(href, content=wrong).status_code == 400
    verify = {"oid": oid, "size": len(content)}
    assert post(hub, actions["verify"]["href"].removeprefix(hub.endpoint), json=verify).status_code == 404
    assert get_session().put(href, content=iter([content[:5], content[5:]])).status_code == 200  # in chunks
    assert post(hub, actions["verify"]["href"].removeprefix(hub.endpoint), json=verify).status_code == 200
    assert "actions" not in post(hub, batch, json=asked).json()["objects"][0]
    assert hub.uploaded[oid] == 12 + 12 + 4 + 12


GOOD = "license: mit\nconfigs:\n- config_name: a\n  data_files:\n  - {split: train, path: a/*}\nsize_categories: [n<1K]"


@pytest.mark.parametrize(
    ("kind", "head", "said"),
    [
        ("dataset", GOOD, None),
        ("dataset", GOOD.replace("mit", "[mit, other]"), None),
        ("dataset", GOOD.replace("mit", "MIT"), '"license" must be one of'),
        ("dataset", GOOD.replace("mit", "[mit, free]"), r'"license\[1\]" must be one of'),
        ("dataset", "license: mit\nlicense: mit", "duplicated mapping key"),
        ("dataset", "license: [mit", "YAML metadata error"),
        ("dataset", "- mit", "must be of type object"),
        ("dataset", "license_name: My Terms", "license_name"),
        ("dataset", "size_categories: 1000", "size_categories"),
        ("dataset", "size_categories: [n<1k]", "size_categories"),
        ("dataset", GOOD.replace("config_name: a", "name: a"), "config_name"),
        ("dataset", "configs:\n- config_name: a", "data_files"),
        ("dataset", "configs: {config_name: a}", "must be an array"),
        ("dataset", GOOD.replace("path: a/*", "paths: a/*"), r"data_files\[0\].path"),
        ("dataset", "language: English", "language"),
        ("dataset", "tags: ctr", '"tags" must be an array'),
        ("model", "base_model: rella/tiny", None),
        ("model", "base_model: runs/smoke/base", "Use a model id from"),
        ("model", "base_model: ./base", "Use a model id from"),
        (
            "model",
            "model-index:\n- name: a\n  results:\n  - task: {type: t}\n    metrics: [{type: m}]",
            r"dataset.name",
        ),
        ("space", "sdk: static\ncolorFrom: red", None),
        ("space", "sdk: flask", "sdk"),
        ("space", "colorTo: mauve", "colorTo"),
    ],
)
def test_cards_are_checked(kind, head, said):
    errors, warnings = check_card(f"---\n{head}\n---\n# Title\n", kind)
    assert not warnings
    if said is None:
        assert errors == []
    else:
        assert any(re.search(said, error) for error in errors), errors


def test_clients_show_what_is_wrong_with_a_card(api, ml1m, hub):
    with pytest.raises(ValueError, match=r'Invalid metadata in README.md.\n- "license" must be one of'):
        api.upload_file(**DATASET, path_or_fileobj=b"---\nlicense: none\n---\n", path_in_repo="README.md")
    with pytest.warns(UserWarning, match="empty or missing yaml metadata"):
        api.upload_file(**DATASET, path_or_fileobj=b"# No head\n", path_in_repo="README.md")
    card = huggingface_hub.DatasetCard("---\nsize_categories: huge\n---\n# Title\n")
    with pytest.raises(ValueError, match="size_categories"):
        card.push_to_hub("rella/ml1m", token="write-token")
    assert (len(ml1m.commits), ml1m.files()["README.md"]) == (3, b"# No head\n")


# Listings, names of commits, downloads.


def test_listings(api, ml1m):
    first = ml1m.commits[0].oid
    ml1m.created -= timedelta(days=1)
    ml1m.commit({"a/note.txt": b"two"}, "change a note")
    tree = {one.path: one for one in api.list_repo_tree(**DATASET, recursive=True, expand=True)}
    assert set(tree) == {".gitattributes", "README.md", "a", "a/b", "a/b/t.parquet", "a/note.txt"}
    table = tree["a/b/t.parquet"]
    assert (table.size, table.lfs.sha256) == (len(TABLE), hashlib.sha256(TABLE).hexdigest())
    assert tree["README.md"].lfs is None
    assert tree["README.md"].blob_id == hashlib.sha1(b"blob %d\0" % len(CARD) + CARD).hexdigest()
    assert (tree["a"].last_commit.title, tree["a/b"].last_commit.oid) == ("change a note", first)
    assert [one.path for one in api.list_repo_tree(**DATASET)] == ["a", ".gitattributes", "README.md"]
    assert [one.path for one in api.list_repo_tree(**DATASET, path_in_repo="a")] == ["a/b", "a/note.txt"]
    assert [one.path for one in api.get_paths_info(**DATASET, paths=["a", "none", "README.md"])] == ["a", "README.md"]
    with refused(404, EntryNotFoundError):
        list(api.list_repo_tree(**DATASET, path_in_repo="none"))
    found = api.dataset_info("rella/ml1m", files_metadata=True)
    assert (found.sha, found.card_data.license, found.tags) == (ml1m.commits[0].oid, "mit", ["ctr", "license:mit"])
    assert {one.rfilename: one.size for one in found.siblings}["a/b/t.parquet"] == len(TABLE)
    assert timedelta(hours=23) < found.last_modified - found.created_at < timedelta(hours=25)
    assert api.dataset_info("rella/ml1m", expand=["sha"]).siblings is None
    assert [one.title for one in api.list_repo_commits(**DATASET)] == ["change a note", "files", "initial commit"]


def test_tags_and_branches(api, ml1m):
    first = ml1m.commits[0].oid
    api.create_tag("rella/ml1m", tag="v1.0", repo_type="dataset")
    with refused(409):
        api.create_tag("rella/ml1m", tag="v1.0", repo_type="dataset")
    api.create_branch("rella/ml1m", branch="dev/one", repo_type="dataset", revision="v1.0")
    with refused(409):
        api.create_branch("rella/ml1m", branch="dev/one", repo_type="dataset")
    api.upload_file(**DATASET, path_or_fileobj=b"dev", path_in_repo="dev.txt", revision="dev/one")
    api.upload_file(**DATASET, path_or_fileobj=b"main", path_in_repo="main.txt")
    api.upload_file(**DATASET, path_or_fileobj=b"more", path_in_repo="more.txt", revision="dev/one")
    assert {"dev.txt"} == set(ml1m.at("dev/one").parent.files) - set(ml1m.files(first))
    assert "dev.txt" in ml1m.files("dev/one")
    assert "dev.txt" not in ml1m.files()
    api.create_tag("rella/ml1m", tag="v1.1", repo_type="dataset", revision="dev/one")
    refs = api.list_repo_refs(**DATASET)
    assert {one.name: one.target_commit for one in refs.tags} == ml1m.tags
    assert ml1m.tags == {"v1.0": first, "v1.1": ml1m.branches["dev/one"].oid}
    assert {one.name for one in refs.branches} == {"main", "dev/one"}
    for revision in ("v1.0", "main", first, "dev/one"):
        assert api.dataset_info("rella/ml1m", revision=revision).sha == ml1m.at(revision).oid
    api.delete_tag("rella/ml1m", tag="v1.0", repo_type="dataset")
    api.delete_branch("rella/ml1m", branch="dev/one", repo_type="dataset")
    assert (list(ml1m.tags), list(ml1m.branches)) == (["v1.1"], ["main"])
    for gone in (api.delete_tag, lambda repo, tag, repo_type: api.dataset_info(repo, revision=tag)):
        with refused(404, RevisionNotFoundError):
            gone("rella/ml1m", tag="v1.0", repo_type="dataset")
    with refused(404, RevisionNotFoundError):
        api.create_tag("rella/ml1m", tag="v2", revision="nowhere", repo_type="dataset")


def test_downloads_by_any_name_of_a_commit(api, ml1m, hub, tmp_path):
    ml1m.tags["v1"] = ml1m.commits[0].oid
    ml1m.commit({"README.md": CARD + b"More\n", "a/b/t.parquet": TABLE[::-1]})

    def fetch(name, revision):
        return api.hf_hub_download(**DATASET, filename=name, revision=revision, cache_dir=tmp_path)

    for revision, card, table in (("v1", CARD, TABLE), ("main", CARD + b"More\n", TABLE[::-1])):
        for name, content in (("README.md", card), ("a/b/t.parquet", table)):
            assert Path(fetch(name, revision)).read_bytes() == content
    with refused(404, EntryNotFoundError):
        fetch("none.txt", "main")
    with refused(404, RevisionNotFoundError):
        fetch("README.md", "nowhere")
    with refused(404, RepositoryNotFoundError):
        api.hf_hub_download("rella/none", "README.md", cache_dir=tmp_path)
    assert not api.file_exists(**DATASET, filename="none.txt")
    assert api.file_exists(**DATASET, filename="README.md")

    folder = api.snapshot_download(**DATASET, revision="v1", cache_dir=tmp_path / "whole")
    fetched = hub.count("GET", "/resolve/")
    assert fetched == 4 + 4
    assert api.snapshot_download(**DATASET, revision="v1", cache_dir=tmp_path / "whole") == folder
    assert hub.count("GET", "/resolve/") == fetched
    assert Path(folder, "a/b/t.parquet").read_bytes() == TABLE


def test_resolve_has_the_headers_and_ranges_of_the_hub(ml1m, hub):
    url = f"{hub.endpoint}/datasets/rella/ml1m/resolve/main/a/b/t.parquet"
    head = get_session().head(url)
    sha256 = hashlib.sha256(TABLE).hexdigest()
    assert head.headers["X-Repo-Commit"] == ml1m.commits[0].oid
    assert head.headers["ETag"] == head.headers["X-Linked-Etag"] == f'"{sha256}"'
    assert head.headers["X-Linked-Size"] == head.headers["Content-Length"] == str(len(TABLE))
    assert head.headers["Accept-Ranges"] == "bytes"
    size = len(TABLE)
    for asked, start, stop in (("0-9", 0, 10), ("5-", 5, size), ("-7", size - 7, size), ("10-999999", 10, size)):
        answer = get_session().get(url, headers={"Range": f"bytes={asked}"})
        assert (answer.status_code, answer.content) == (206, TABLE[start:stop])
        assert answer.headers["Content-Range"] == f"bytes {start}-{stop - 1}/{size}"
    assert get_session().get(url, headers={"Range": f"bytes={size}-"}).status_code == 416
    regular = get_session().head(url.replace("a/b/t.parquet", "README.md")).headers
    assert regular["ETag"].strip('"') == ml1m.at("main").files["README.md"].git_oid
    assert "X-Linked-Etag" not in regular
    missing = get_session().head(url + ".none").headers
    assert (missing["X-Error-Code"], missing["X-Repo-Commit"]) == ("EntryNotFound", ml1m.commits[0].oid)


def test_collections(api, reader, stranger, hub, ml1m):
    made = api.create_collection("ReLLa, all of it", namespace="rella", description="d", exists_ok=True)
    assert made.slug.startswith("rella/rella-all-of-it-")
    assert api.create_collection("ReLLa, all of it", namespace="rella", exists_ok=True).slug == made.slug
    with refused(409):
        api.create_collection("ReLLa, all of it", namespace="rella")
    with refused(403):
        reader.create_collection("Another", namespace="rella")
    with refused(400):
        api.create_collection("Long", namespace="rella", description="d" * 151)
    with refused(404):
        api.add_collection_item(made.slug, "rella/none", "model")
    for i in range(5):
        hub.add_repository("model", f"rella/m{i}")
        api.add_collection_item(made.slug, f"rella/m{i}", "model", note="first" if i == 0 else None)
    found = api.add_collection_item(made.slug, "rella/ml1m", "dataset")
    assert [one.item_id for one in found.items] == [*(f"rella/m{i}" for i in range(5)), "rella/ml1m"]
    assert (found.items[0].note, found.items[5].item_type) == ("first", "dataset")
    with refused(409):
        api.add_collection_item(made.slug, "rella/ml1m", "dataset")
    assert len(api.add_collection_item(made.slug, "rella/ml1m", "dataset", exists_ok=True).items) == 6
    api.update_collection_item(made.slug, found.items[5].item_object_id, position=0, note="data")
    api.delete_collection_item(made.slug, found.items[0].item_object_id)
    assert [(i["id"], i.get("note", {}).get("text")) for i in hub.collections[made.slug]["items"][:2]] == [
        ("rella/ml1m", "data"),
        ("rella/m1", None),
    ]
    assert api.update_collection_metadata(made.slug, private=True, title="New").title == "New"
    listed = list(api.list_collections(owner="rella"))
    assert [(one.slug, len(one.items)) for one in listed] == [(made.slug, 4)]  # the Hub cuts the items of a list
    assert len(api.get_collection(made.slug).items) == 5
    assert list(stranger.list_collections(owner="rella")) == []
    with refused(404):
        stranger.get_collection(made.slug)
    api.delete_collection(made.slug)
    assert hub.collections == {}


# Faults.


def upload(api, content=TABLE + b"new", name="new.parquet", **options):
    return api.upload_file(**DATASET, path_or_fileobj=content, path_in_repo=name, **options)


def download(api, folder, name="a/b/t.parquet"):
    return Path(api.hf_hub_download(**DATASET, filename=name, cache_dir=folder)).read_bytes()


def test_statuses_that_clients_wait_out(api, ml1m, hub, waits, tmp_path):
    limited = hub.fail("POST", "/preupload/", status=429, headers={"Retry-After": "7"}, times=2)
    broken = hub.fail("PUT", "/lfs/", status=503)
    upload(api)
    assert (limited.hits, broken.hits) == (2, 1)
    assert waits == [8.0, 8.0, 1]
    assert ml1m.files()["new.parquet"] == TABLE + b"new"
    hub.fail("GET", "/resolve/", status=429, headers={"Retry-After": "3"})
    assert download(api, tmp_path) == TABLE
    assert waits[3:] == [4.0]


@pytest.mark.parametrize("status", [401, 403, 409, 412, 500, 502])
def test_statuses_that_clients_raise(api, ml1m, hub, waits, status):
    fault = hub.fail("POST", "/commit/", status=status, message="by order")
    with pytest.raises(HfHubHTTPError) as raised:
        upload(api)
    assert (raised.value.response.status_code, fault.hits, waits) == (status, 1, [])
    assert "by order" in str(raised.value)
    assert len(ml1m.commits) == 2
    upload(api)
    assert len(ml1m.commits) == 3


@pytest.mark.parametrize(("drop", "applied"), [("before", False), ("after", True)])
def test_a_commit_whose_answer_never_comes(api, ml1m, hub, waits, drop, applied):
    hub.fail("POST", "/commit/", drop=drop)
    with pytest.raises(Exception, match=r"(?i)disconnect|reset|broken|closed") as raised:
        upload(api)
    assert not isinstance(raised.value, HfHubHTTPError)
    assert ("new.parquet" in ml1m.files()) == applied
    assert hub.requests[-1].status is None
    upload(api)
    assert len(ml1m.commits) == 3
    assert set(hub.uploaded.values()) == {len(TABLE) + 3}


@pytest.mark.parametrize(("chunk", "then"), [(10 * 1024 * 1024, 200), (512, 206)])
def test_downloads_that_break_off_are_resumed(api, ml1m, hub, waits, tmp_path, monkeypatch, chunk, then):
    """From the last whole chunk: a file of less than one starts anew."""
    monkeypatch.setattr(huggingface_hub.constants, "DOWNLOAD_CHUNK_SIZE", chunk)
    hub.fail("GET", "/resolve/", cut=1000)
    assert download(api, tmp_path) == TABLE
    assert [one.status for one in hub.requests if one.method == "GET"] == [200, then]
    hub.fail("GET", "/resolve/", cut=10, times=None)
    with pytest.raises(Exception, match="peer closed connection"):
        download(api, tmp_path, "README.md")


def test_uploads_that_break_off_are_sent_again(api, ml1m, hub, waits):
    hub.fail("PUT", "/lfs/", cut=100)
    hub.fail("PUT", "/lfs/", drop="after")
    upload(api)
    assert len(waits) == 2
    assert ml1m.files()["new.parquet"] == TABLE + b"new"
    assert list(hub.uploaded.values()) == [100 + 2 * (len(TABLE) + 3)]


def test_bytes_that_change_on_the_way(api, ml1m, hub, waits, tmp_path):
    """The server finds them by the hash; the client, on its way down, looks at the length alone."""
    hub.fail("PUT", "/lfs/", corrupt=True)
    with pytest.raises(RuntimeError, match=r"Error while uploading 'new\.parquet'"):
        upload(api)
    assert "new.parquet" not in ml1m.files()
    hub.fail("GET", "/resolve/", corrupt=True)
    got = download(api, tmp_path)
    assert len(got) == len(TABLE)
    assert sum(a != b for a, b in zip(got, TABLE, strict=True)) == 1


def test_faults_wait_their_turn(api, ml1m, hub):
    late = hub.fail("GET", "/api/datasets/rella/ml1m$", delay=0.2, skip=1)
    api.dataset_info("rella/ml1m")
    assert late.hits == 0
    started = time.monotonic()
    api.dataset_info("rella/ml1m")
    assert time.monotonic() - started >= 0.2
    assert late.hits == 1
    hub.fail("GET", "/api/", status=500, times=None)
    for _ in range(2):
        with refused(500):
            api.dataset_info("rella/ml1m")
    hub.faults.clear()
    api.dataset_info("rella/ml1m")
    with pytest.raises(ValueError, match="expected one of"):
        hub.fail("GET", "/api/", times=2)
    with pytest.raises(ValueError, match="drop="):
        hub.fail("GET", "/api/", drop="sometimes")


def test_a_server_that_dies_and_comes_back(api, ml1m, hub, waits, monkeypatch):
    hub.fail("PUT", "/lfs/", die=True)
    with pytest.raises(RuntimeError, match="Error while uploading"):
        upload(api)
    assert len(waits) == 5
    with pytest.raises(Exception, match="refused"):
        api.whoami()
    hub.revive()
    upload(api)
    assert ml1m.files()["new.parquet"] == TABLE + b"new"
    api.whoami()
    hub.die()
    with pytest.raises(Exception, match=r"(?i)disconnect|reset|refused"):  # open connections are cut too
        api.whoami()
    monkeypatch.setattr("huggingface_hub.utils._http.time.sleep", lambda _: hub.revive())
    upload(api, name="again.parquet", content=b"\0again")  # comes back while the client waits
    assert ml1m.files()["again.parquet"] == b"\0again"


def test_the_environment_of_a_subprocess_points_here_alone(hub, monkeypatch, tmp_path):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_DATASETS_CACHE", "elsewhere")
    for token in ("write-token", None):
        found = hub.environment(tmp_path, token=token)
        assert (found["HF_ENDPOINT"], found["HF_HOME"], found.get("HF_TOKEN")) == (hub.endpoint, str(tmp_path), token)
        assert not {"HF_HUB_OFFLINE", "HF_DATASETS_CACHE"} & set(found)
        assert found["PATH"]


def test_mistakes_of_the_server_come_to_light(monkeypatch):
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    hub = HubServer()
    with pytest.raises(RuntimeError, match="KeyError"), hub:
        assert post(hub, "/api/repos/create", json={}).status_code == 500
    with suppress(ZeroDivisionError), hub:
        1 / 0  # noqa: B018  not hidden by the server's own complaint


# The libraries, in a process of their own: they read HF_ENDPOINT when they are imported.

LIBRARIES = """
import json, sys
import torch
from datasets import Dataset, DatasetDict, load_dataset
from huggingface_hub import DatasetCard, HfApi
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM

found = {}
rows = Dataset.from_dict({"prompt": ["a", "b", "c"], "label": [0, 1, 1]})
splits = DatasetDict(train=rows, test=rows.select([0]))
splits.push_to_hub("rella/ml1m", config_name="subr_k5", set_default=True, private=True)
splits.push_to_hub("rella/ml1m", config_name="recency_k5")
HfApi().create_tag("rella/ml1m", tag="v1", repo_type="dataset")
rows.select([2]).push_to_hub("rella/ml1m", config_name="recency_k5", split="train")
found["plain"] = load_dataset("rella/ml1m", split="train")["prompt"][:]
found["config"] = load_dataset("rella/ml1m", "recency_k5", split="train")["prompt"][:]
found["revision"] = load_dataset("rella/ml1m", "recency_k5", split="train", revision="v1")["prompt"][:]
found["streaming"] = [row["label"] for row in load_dataset("rella/ml1m", split="train", streaming=True)]

card = DatasetCard.load("rella/ml1m")
card.data.license = "other"
card.push_to_hub("rella/ml1m")
found["license"] = DatasetCard.load("rella/ml1m").data.license
found["configs"] = [one["config_name"] for one in card.data.to_dict()["configs"]]

torch.manual_seed(0)
shape = dict(vocab_size=20, hidden_size=16, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2)
base = LlamaForCausalLM(LlamaConfig(**shape))
base.push_to_hub("rella/tiny")
loaded = AutoModelForCausalLM.from_pretrained("rella/tiny")
found["same_model"] = all(torch.equal(a, b) for a, b in zip(base.parameters(), loaded.parameters(), strict=True))
adapter = get_peft_model(loaded, LoraConfig(r=2, target_modules=["q_proj"], init_lora_weights=False))
adapter.push_to_hub("rella/lora")
weights = {name: value for name, value in adapter.state_dict().items() if "lora_" in name}
again = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained("rella/tiny"), "rella/lora").state_dict()
found["same_adapter"] = len(weights) == 2 and all(torch.equal(value, again[name]) for name, value in weights.items())
json.dump(found, sys.stdout)
"""


@pytest.mark.slow
def test_the_libraries_push_and_pull(tmp_path):
    with HubServer() as hub:
        done = subprocess.run(
            [sys.executable, "-c", LIBRARIES],
            env=hub.environment(tmp_path / "home"),
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert done.returncode == 0, done.stderr[-4000:]
        assert json.loads(done.stdout) == {
            "plain": ["a", "b", "c"],
            "config": ["c"],
            "revision": ["a", "b", "c"],
            "streaming": [0, 1, 1],
            "license": "other",
            "configs": ["recency_k5", "subr_k5"],
            "same_model": True,
            "same_adapter": True,
        }
        data = hub.repositories["dataset", "rella/ml1m"]
        assert data.private
        assert {"subr_k5/train-00000-of-00001.parquet", "recency_k5/train-00000-of-00001.parquet"} <= set(data.files())
        assert b"license: other" in data.files()["README.md"]
        model = hub.repositories["model", "rella/tiny"]
        assert model.at("main").files["model.safetensors"].lfs
        assert "adapter_config.json" in hub.repositories["model", "rella/lora"].files()
