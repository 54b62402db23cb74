"""Pushing a data set: one commit that holds what the folder holds, whatever the network, the token or another push does."""

import hashlib
import json
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import yaml
from builders import build_bookcrossing
from hub_server import HubServer

from rella_hub.cards.dataset.card import write_card
from rella_hub.cards.dataset.push import PushArguments, push
from rella_hub.files import ownership
from rella_hub.hub import publish, retry
from rella_hub.stages.arguments import FolderArguments, RawArguments
from rella_hub.stages.prepare import prepare
from rella_hub.tables import seal, store

REPOSITORY = Path(__file__).parents[1]
RAW = Path(__file__).parent / "fixtures" / "raw"
ID = ("dataset", "rella/bookcrossing")


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> FolderArguments:
    return build_bookcrossing(tmp_path_factory.mktemp("push"))


@pytest.fixture
def built(whole, tmp_path) -> FolderArguments:
    """A copy, to be changed."""
    return replace(whole, output=str(shutil.copytree(whole.folder, tmp_path / "rella" / "bookcrossing")))


@pytest.fixture
def hub(monkeypatch):
    """The client of this process talks to it; pauses are noted, not taken."""
    with HubServer() as hub:
        hub.pauses = []
        hub.use(monkeypatch)
        monkeypatch.setattr(retry.time, "sleep", hub.pauses.append)
        yield hub


def local_files(where: FolderArguments) -> dict[str, bytes]:
    """What is to be published: all but the record of what is ours."""
    files = [path for path in where.folder.rglob("*") if path.is_file() and path.name != ownership.FILE]
    return {str(path.relative_to(where.folder)): path.read_bytes() for path in files}


def on_hub(hub, revision: str = "main") -> dict[str, bytes]:
    return {path: data for path, data in hub.repositories[ID].files(revision).items() if path != ".gitattributes"}


def titles(hub) -> list[str]:
    return [commit.title for commit in hub.repositories[ID].commits]


def test_the_repository_holds_what_the_folder_holds(hub, built, capsys):
    address = push(built, PushArguments())
    assert on_hub(hub) == local_files(built)
    ours = [title for title in titles(hub) if title.startswith("BookCrossing")]
    assert len(ours) == 1, "one commit"
    said = capsys.readouterr().out
    assert f"dataset rella/bookcrossing (a new public repository): {len(local_files(built))} files to add" in said
    assert said.strip().endswith(address)
    (tag,) = hub.repositories[ID].tags
    assert re.fullmatch(r"data-[0-9a-f]{12}", tag)
    assert on_hub(hub, tag) == local_files(built)


def test_a_second_push_sends_nothing(hub, built, capsys):
    push(built, PushArguments())
    before, sent = titles(hub), dict(hub.uploaded)
    assert push(built, PushArguments()) is None
    assert titles(hub) == before
    assert dict(hub.uploaded) == sent
    assert "nothing to change" in capsys.readouterr().out


def test_only_what_changed_is_sent_and_deleted_configs_vanish(hub, built):
    push(built, PushArguments(revision_tag="v1.0"))
    repository = hub.repositories[ID]
    repository.commit({**repository.files("main"), "notes.md": b"of somebody else"}, "notes")
    sent = set(hub.uploaded)
    for name in ("recency_k3", "view_recency_k3"):
        shutil.rmtree(built.folder / name)
    write_card(built)
    push(built, PushArguments(revision_tag="v2.0"))
    assert set(hub.uploaded) == sent, "no shard was sent again"
    now = on_hub(hub)
    assert now.pop("notes.md") == b"of somebody else", "what is not ours stays"
    assert now == local_files(built)
    assert not any("recency_k3" in path for path in now)
    card = yaml.safe_load(now["README.md"].decode().split("---\n")[1])
    assert "recency_k3" not in [config["config_name"] for config in card["configs"]]
    assert any("recency_k3" in path for path in on_hub(hub, "v1.0")), "an old version stays what it was"


def test_a_dry_run_says_what_would_change_and_sends_nothing(hub, built, capsys, monkeypatch):
    monkeypatch.delenv("HF_TOKEN")  # not even a token is needed
    assert push(built, PushArguments(dry_run=True)) is None
    assert ID not in hub.repositories
    said = capsys.readouterr().out
    for path in local_files(built):
        assert f"  + {path}\n" in said
    assert "dry run: nothing was sent" in said
    assert all(request.method in ("GET", "HEAD") for request in hub.requests)


def test_a_tag_is_never_moved(hub, built):
    push(built, PushArguments(revision_tag="v1.0"))
    first = on_hub(hub, "v1.0")
    push(built, PushArguments(revision_tag="v1.0"))  # the same version
    shutil.rmtree(built.folder / "recency_k3")
    write_card(built)
    with pytest.raises(ValueError, match=r"has the tag v1.0 at .*give them another --revision_tag"):
        push(built, PushArguments(revision_tag="v1.0"))
    assert on_hub(hub, "v1.0") == first


@pytest.fixture
def movielens(tmp_path) -> FolderArguments:
    where = FolderArguments(corpus="ml1m", output=str(tmp_path / "rella" / "ml1m"))
    prepare(where, RawArguments(raw=str(RAW / "ml1m")))
    return where


def test_what_must_not_be_passed_on_is_private(hub, movielens, capsys):
    push(movielens, PushArguments())
    repository = hub.repositories["dataset", "rella/ml1m"]
    assert repository.private
    assert "MovieLens-1M is pushed privately: GroupLens allows" in capsys.readouterr().out
    assert b"may stand on the Hub as a private repository only" in repository.files("main")["README.md"]


def test_a_public_repository_does_not_get_it_by_accident(hub, movielens):
    hub.add_repository("dataset", "rella/ml1m", {"README.md": b"# mine\n"})
    with pytest.raises(ValueError, match=r"rella/ml1m is public, and this push must be private"):
        push(movielens, PushArguments())
    assert hub.repositories["dataset", "rella/ml1m"].files("main")["README.md"] == b"# mine\n"


def test_a_repository_that_somebody_makes_public_meanwhile_gets_nothing(hub, movielens, monkeypatch):
    plan = publish.make_plan

    def plan_and_be_overtaken(*arguments):
        made = plan(*arguments)
        hub.add_repository("dataset", "rella/ml1m", {})
        return made

    monkeypatch.setattr(publish, "make_plan", plan_and_be_overtaken)
    with pytest.raises(ValueError, match=r"made public by somebody else while this push began.*Nothing was sent"):
        push(movielens, PushArguments())
    assert not hub.uploaded


def test_a_repository_that_is_made_public_right_before_the_commit_shows_nothing(hub, movielens, monkeypatch):
    upload = publish._upload

    def upload_and_be_overtaken(*arguments):
        sent = upload(*arguments)
        hub.repositories["dataset", "rella/ml1m"].private = False
        return sent

    monkeypatch.setattr(publish, "_upload", upload_and_be_overtaken)
    with pytest.raises(ValueError, match=r"was made public by somebody else.*Nothing was sent that can be seen"):
        push(movielens, PushArguments())
    assert set(hub.repositories["dataset", "rella/ml1m"].files()) == {".gitattributes"}


def make_public(hub) -> None:
    hub.repositories["dataset", "rella/ml1m"].private = False


def test_a_repository_that_becomes_public_during_the_commit_is_made_private_again(hub, movielens):
    hub.before_commit = lambda: make_public(hub)
    with pytest.raises(ValueError, match=r"so what must be private could be seen. It has been made private again"):
        push(movielens, PushArguments(collection="ReLLa"))
    repository = hub.repositories["dataset", "rella/ml1m"]
    assert repository.private
    assert not repository.tags
    assert not hub.collections


def test_where_it_cannot_be_made_private_again_the_files_go_and_it_is_said_loudly(hub, movielens):
    hub.before_commit = lambda: make_public(hub)
    hub.fail("PUT", "/settings", status=403, times=None)
    with pytest.raises(ValueError, match=r"ITS HISTORY STILL HOLDS THEM. Delete the repository on the Hub now"):
        push(movielens, PushArguments())
    assert set(hub.repositories["dataset", "rella/ml1m"].files()) == {".gitattributes"}


# Only what the build wrote is sent.


def edit(path: Path) -> None:
    """As an editor does it: read, change, write with everything that the file says of itself."""
    table = pq.read_table(path)
    pq.write_table(table.slice(0, len(table) - 1), path)
    pq.write_table(table.take(list(range(len(table)))[::-1]), path)


def flip(path: Path, place: float) -> None:
    data = bytearray(path.read_bytes())
    data[int(place * len(data))] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize(
    "change",
    [
        edit,
        lambda path: flip(path, 0.05),
        lambda path: path.write_bytes(path.read_bytes() + b"more"),
        lambda path: shutil.copy(path.with_name("test-00000-of-00001.parquet"), path),
        lambda path: path.write_bytes(path.read_bytes().replace(b"rella_sha256", b"rella_sha257")),
    ],
    ids=["edited", "a bit", "appended", "another file", "without its hash, and other than on the card"],
)
def test_a_file_that_was_changed_after_the_build_is_not_sent(hub, built, change):
    path = sorted((built.folder / "recency_k5").glob("validation-*"))[0]
    change(path)
    with pytest.raises(ValueError, match=r"[Bb]uild it again|was changed since it was built"):
        push(built, PushArguments())
    assert ID not in hub.repositories
    assert not hub.uploaded


def test_any_byte_of_a_table_counts(built):
    path = sorted((built.folder / "users").glob("*.parquet"))[0]
    whole = path.read_bytes()
    for place in range(0, len(whole), 41):
        flip(path, place / len(whole))
        with path.open("rb") as stream:
            assert not seal.read(stream).intact
        path.write_bytes(whole)
    with path.open("rb") as stream:
        read = seal.read(stream)
    assert (read.intact, read.sha256) == (True, hashlib.sha256(whole).hexdigest())


def test_a_folder_of_an_earlier_version_is_held_against_its_card(hub, built):
    for path in built.folder.rglob("*.parquet"):
        path.write_bytes(path.read_bytes().replace(b"rella_sha256", b"rella_sha257"))
    with pytest.raises(
        ValueError, match=r"carries no hash of its own.*write the card \(python dataset_builders/card.py\)"
    ):
        push(built, PushArguments())
    write_card(built)
    push(built, PushArguments())
    assert on_hub(hub) == local_files(built)


def test_what_lies_beside_the_tables_is_not_sent(hub, built, tmp_path):
    expected = local_files(built)
    for name in ("notes.parquet", "passwords.txt", ".env", "train-0-of-1.parquet"):
        (built.folder / "users" / name).write_bytes(b"mine")
        (built.folder / name).write_bytes(b"mine")
    (built.folder / "drafts").mkdir()
    (built.folder / "drafts" / "train.parquet").write_bytes(b"mine")
    push(built, PushArguments())
    assert on_hub(hub) == expected


@pytest.mark.parametrize("level", ["a file", "a table"])
def test_what_a_link_leads_to_outside_the_folder_is_not_sent(hub, built, tmp_path, level):
    table = built.folder / "users"
    linked = table if level == "a table" else sorted(table.glob("*.parquet"))[0]
    elsewhere = linked.rename(tmp_path / "elsewhere")
    linked.symlink_to(elsewhere)
    with pytest.raises(ValueError, match=r"is a link that leads out of .*, so it is nothing that was made here"):
        push(built, PushArguments())
    assert not hub.uploaded


def test_a_snapshot_of_the_hub_may_be_pushed_on(hub, built, tmp_path):
    """Its files are links to the blobs beside it."""
    snapshot, blobs = tmp_path / "cache/snapshots" / ("0" * 40), tmp_path / "cache/blobs"
    blobs.mkdir(parents=True)
    for number, path in enumerate(sorted(path for path in built.folder.rglob("*") if path.is_file())):
        link = snapshot / path.relative_to(built.folder)
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(path.rename(blobs / str(number)))
    push(replace(built, output=str(snapshot)), PushArguments(name="bookcrossing"))
    sent = set(on_hub(hub))
    assert sent == set(local_files(replace(built, output=str(snapshot))))


def test_what_was_checked_is_what_is_sent(hub, built, monkeypatch):
    """A file that is changed between the check and the sending stops the push."""
    plan, path = publish.make_plan, sorted((built.folder / "users").glob("*.parquet"))[0]

    def plan_and_change(*arguments):
        made = plan(*arguments)
        flip(path, 0.1)
        return made

    monkeypatch.setattr(publish, "make_plan", plan_and_change)
    with pytest.raises(ValueError, match=r"was changed while it was being pushed. Nothing of this push can be seen"):
        push(built, PushArguments())
    assert not [title for title in titles(hub) if title.startswith("BookCrossing")]


def test_a_table_of_another_corpus_is_not_sent_with_this_one(hub, built, movielens):
    shutil.copytree(movielens.folder / "samples", built.folder / "more")
    with pytest.raises(ValueError, match=r"more is of the corpus 'ml1m', the others of 'bookcrossing'"):
        push(built, PushArguments())


def test_another_folder_is_another_repository(hub, built):
    other = replace(built, output=str(built.folder.rename(built.folder.with_name("released-labels"))))
    push(other, PushArguments())
    assert ID not in hub.repositories
    card = hub.repositories["dataset", "rella/released-labels"].files("main")["README.md"].decode()
    assert 'load_dataset("rella/released-labels", "recency_k5")' in card


def test_a_dry_run_without_a_token_does_not_claim_to_see_private_repositories(hub, movielens, monkeypatch, capsys):
    push(movielens, PushArguments())
    monkeypatch.delenv("HF_TOKEN")
    push(movielens, PushArguments(dry_run=True))
    assert "(not there, or private and not to be seen without a token)" in capsys.readouterr().out


def test_a_tag_that_git_would_not_take(hub, built):
    with pytest.raises(ValueError, match=r"--revision_tag is 'a b'; a tag has letters"):
        push(built, PushArguments(revision_tag="a b"))


def test_who_holds_permission_says_so_on_the_card(hub, movielens):
    push(movielens, PushArguments(permission="GroupLens, by letter of 1 May 2026"))
    repository = hub.repositories["dataset", "rella/ml1m"]
    assert not repository.private
    card = repository.files("main")["README.md"].decode()
    assert "Published with permission to redistribute, as stated by who published it: GroupLens, by letter" in card
    assert "private repository only" not in card


def test_another_namespace_and_name_stand_on_the_card(hub, built):
    push(built, PushArguments(namespace="tester", name="books"))
    card = hub.repositories["dataset", "tester/books"].files("main")["README.md"].decode()
    assert 'load_dataset("tester/books", "recency_k5")' in card


def test_a_collection_takes_it(hub, built):
    for _ in range(2):
        push(built, PushArguments(collection="ReLLa"))
    (collection,) = hub.collections.values()
    assert [(item["type"], item["id"]) for item in collection["items"]] == [("dataset", "rella/bookcrossing")]


@pytest.mark.parametrize(
    ("token", "namespace", "said"),
    [
        (None, "rella", r"There is no Hub token. Log in with `hf auth login`.*write permission for rella"),
        ("read-token", "rella", r"of tester lacks write permission for rella \(its role is 'read'\)"),
        ("nonsense", "rella", r"the Hub does not know the token"),
        ("write-token", "somebody", r"may write to tester, rella, not to somebody"),
    ],
)
def test_a_token_that_does_not_do_is_said_before_anything_is_sent(hub, built, monkeypatch, token, namespace, said):
    monkeypatch.delenv("HF_TOKEN")
    if token:
        monkeypatch.setenv("HF_TOKEN", token)
    with pytest.raises(ValueError, match=said) as raised:
        push(built, PushArguments(namespace=namespace))
    assert "token" not in (token or "") or token not in str(raised.value), "a token is never printed"
    assert not hub.repositories
    assert not hub.uploaded


def test_the_server_dies_between_two_shards_and_the_next_run_finishes(hub, built):
    """What had arrived is not sent again."""
    large = sorted(path for path in local_files(built) if path.endswith(".parquet"))
    fault = hub.fail("PUT", ".", skip=len(large) // 2, die=True)
    with pytest.raises(ValueError, match="Run the same command again"):
        push(built, PushArguments())
    assert fault.hits == 1
    arrived = {oid: size for oid, size in hub.uploaded.items() if size}
    assert len(arrived) >= len(large) // 2
    assert not [title for title in titles(hub) if title.startswith("BookCrossing")], "nobody sees half a release"
    hub.revive()
    push(built, PushArguments())
    assert on_hub(hub) == local_files(built)
    assert {oid: hub.uploaded[oid] for oid in arrived} == arrived, "nothing twice"


def test_a_busy_hub_is_asked_again_when_it_says(hub, built):
    hub.fail("GET", "whoami", status=429, headers={"Retry-After": "7"})
    hub.fail("POST", "/commit/", status=503, times=2)
    push(built, PushArguments())
    assert on_hub(hub) == local_files(built)
    assert 7 in hub.pauses
    assert len([title for title in titles(hub) if title.startswith("BookCrossing")]) == 1


@pytest.mark.parametrize("where", ["whoami", "/tree/", "/preupload/", "/commit/", "objects/batch"])
def test_a_dropped_connection_is_no_end(hub, built, where):
    push(built, PushArguments(revision_tag="v0"))
    shutil.rmtree(built.folder / "recency_k3")
    write_card(built)
    hub.fail("GET|POST", where, drop="before")
    push(built, PushArguments(revision_tag="v1"))
    assert on_hub(hub) == local_files(built)


def test_a_commit_whose_answer_is_lost_is_made_once(hub, built):
    hub.fail("POST", "/commit/", drop="after")
    address = push(built, PushArguments())
    assert on_hub(hub) == local_files(built)
    assert len([title for title in titles(hub) if title.startswith("BookCrossing")]) == 1
    assert hub.repositories[ID].commits[-1].oid in address or hub.repositories[ID].commits[0].oid in address


def test_of_two_pushes_at_once_one_wins_and_the_other_says_so(hub, built):
    push(built, PushArguments())
    before = on_hub(hub)
    repository = hub.repositories[ID]
    hub.before_commit = lambda: repository.commit({**repository.files("main"), "README.md": b"# theirs\n"}, "theirs")
    shutil.rmtree(built.folder / "recency_k3")
    write_card(built)
    with pytest.raises(ValueError, match=r"Somebody else changed rella/bookcrossing.*Nothing of this push can be seen"):
        push(built, PushArguments())
    assert on_hub(hub) == {**before, "README.md": b"# theirs\n"}


def test_ctrl_c_leaves_the_hub_as_it_was(hub, built, monkeypatch):
    push(built, PushArguments())
    before, commits = on_hub(hub), titles(hub)
    with (built.folder / "users" / "train-00000-of-00001.parquet").open("ab") as file:
        file.write(b"")
    shutil.rmtree(built.folder / "recency_k3")
    write_card(built)

    def interrupt():
        raise KeyboardInterrupt

    monkeypatch.setattr("rella_hub.hub.publish._upload", lambda *_: interrupt())
    with pytest.raises(KeyboardInterrupt):
        push(built, PushArguments())
    assert (on_hub(hub), titles(hub)) == (before, commits)


def test_a_card_that_the_hub_refuses_is_said(hub, built, monkeypatch):
    monkeypatch.setattr("rella_hub.cards.dataset.push._card", lambda *_: "---\nlicense: mine-alone\n---\n# x\n")
    with pytest.raises(ValueError, match=r"Invalid metadata in README.md.\n- \"license\" must be one of"):
        push(built, PushArguments())
    assert not [title for title in titles(hub) if title.startswith("BookCrossing")]


def test_the_command_and_what_it_pushed_by_id(hub, whole, tmp_path):
    """As a user does it, with nothing of the folder left behind: push, then load plain, streaming and by tag."""
    environment = hub.environment(tmp_path / "home") | {"PYTHONPATH": str(REPOSITORY)}
    command = [sys.executable, str(REPOSITORY / "dataset_builders/push.py"), "--corpus", "bookcrossing"]
    command += ["--output", str(whole.folder), "--revision_tag", "v1.0"]
    pushed = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
    assert pushed.returncode == 0, pushed.stderr
    assert re.search(rf"{re.escape(hub.endpoint)}/datasets/rella/bookcrossing/commit/\w{{40}}\n$", pushed.stdout)
    assert "write-token" not in pushed.stdout + pushed.stderr
    code = (
        "import json, sys\n"
        "from datasets import load_dataset\n"
        "plain = load_dataset('rella/bookcrossing', 'recency_k5', revision='v1.0')\n"
        "streamed = load_dataset('rella/bookcrossing', 'recency_k5', streaming=True)\n"
        "print(json.dumps([{s: list(rows) for s, rows in d.items()} for d in (plain, streamed)]))\n"
    )
    empty = tmp_path / "elsewhere"
    empty.mkdir()
    done = subprocess.run([sys.executable, "-c", code], env=environment, cwd=empty, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    expected = {s: store.read(whole.folder, "recency_k5", s).to_pylist() for s in store.SPLITS}
    assert json.loads(done.stdout.splitlines()[-1]) == [expected, expected]


@pytest.mark.slow
def test_the_metrics_are_spaces_that_evaluate_loads(hub, tmp_path):
    environment = hub.environment(tmp_path / "home") | {"PYTHONPATH": str(REPOSITORY)}
    command = [sys.executable, str(REPOSITORY / "evaluation/push_metrics.py"), "--collection", "ReLLa"]
    pushed = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
    assert pushed.returncode == 0, pushed.stderr
    names = ["accuracy", "auc", "group_auc", "hit_ratio", "log_loss", "ndcg", "valid_ratio"]
    assert sorted(id for type, id in hub.repositories if type == "space") == [f"rella/{name}" for name in names]
    for name in names:
        files = hub.repositories["space", f"rella/{name}"].files("main")
        assert files[f"{name}.py"] == next((REPOSITORY / "rella_hub/metrics").rglob(f"{name}.py")).read_bytes()
        assert {"README.md", "app.py", "requirements.txt"} < set(files)
        assert yaml.safe_load(files["README.md"].decode().split("---\n")[1])["sdk"] == "gradio"
    grouped = hub.repositories["space", "rella/group_auc"].files("main")["README.md"].decode()
    assert 'users=[7, 7, 8, 8, 8, 8, 9])  # {"group_auc": 0.75}' in grouped
    (collection,) = hub.collections.values()
    assert len(collection["items"]) == len(names)
    code = "import evaluate; print(evaluate.load('rella/auc').compute(predictions=[.1, .4, .4, .8], references=[0, 0, 1, 1]))"
    done = subprocess.run([sys.executable, "-c", code], env=environment, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "{'auc': 0.875}"
