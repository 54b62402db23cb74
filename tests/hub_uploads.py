"""What the test Hub does with an upload: the card, the mode of each file, LFS objects, the commit."""

import base64
import hashlib
import json
import secrets

import hub_cards
from hub_calls import PAGE, REPO, Answer, Call, State, as_json, route
from hub_repositories import REGULAR_LIMIT, Blob, Commit, Refusal, Repository, check_path, check_tree, is_text


@route("POST", "/api/validate-yaml")
def validate_yaml(state: State, call: Call, at: dict) -> Answer:
    asked = call.json
    errors, warnings = hub_cards.check_card(asked["content"], asked.get("repoType") or "model")
    status = 400 if errors else 200
    if call.headers.get("accept") == "text/plain":  # RepoCard.validate shows the text as it is
        return Answer("\n".join(errors or warnings).encode(), status, {"Content-Type": "text/plain; charset=utf-8"})
    found = {"errors": [{"message": one} for one in errors], "warnings": [{"message": one} for one in warnings]}
    return as_json(found, status)


@route("POST", f"{REPO}/preupload/(?P<revision>[^/]+)")
def preupload(state: State, call: Call, at: dict) -> Answer:
    repository = state.writable(call, at)
    refuse_pull_requests(call)
    head = branch_head(repository, at["revision"])
    found = []
    for file in call.json["files"]:
        path, sample = file["path"], base64.b64decode(file.get("sample", ""))
        lfs = repository.wants_lfs(path, file["size"], sample, at["revision"])
        one = {"path": path, "uploadMode": "lfs" if lfs else "regular", "shouldIgnore": False}
        found.append(one | ({"oid": head.files[path].etag} if path in head.files else {}))
    return as_json({"files": found, "commitOid": head.oid})


def refuse_pull_requests(call: Call) -> None:
    if call.flag("create_pr"):
        raise Refusal(400, "The test Hub takes no pull requests")


def branch_head(repository: Repository, revision: str) -> Commit:
    if revision not in repository.branches:
        raise Refusal(404, f"Invalid rev id: {revision}", "RevisionNotFound")
    return repository.branches[revision]


@route("POST", rf"{PAGE}\.git/info/lfs/objects/batch")
def lfs_batch(state: State, call: Call, at: dict) -> Answer:
    repository = state.writable(call, at)
    objects = []
    for one in call.json["objects"]:
        found = {"oid": one["oid"], "size": one["size"]}
        if one["oid"] not in repository.objects:
            key = secrets.token_hex(8)
            state.grants[key] = (repository, one["size"])
            upload = {"href": f"{state.endpoint}/lfs/{one['oid']}?grant={key}"}
            verify = {"href": f"{state.endpoint}{repository.url}.git/info/lfs/objects/verify"}
            found |= {"authenticated": True, "actions": {"upload": upload, "verify": verify}}
        objects.append(found)
    return as_json({"transfer": "basic", "objects": objects})


@route("PUT", "/lfs/(?P<oid>[0-9a-f]{64})")
def put_object(state: State, call: Call, at: dict) -> Answer:
    """As a storage host: no token, only the key that the batch gave out."""
    repository, size = state.grants.get(call.options.get("grant", [""])[0], (None, 0))
    if repository is None:
        raise Refusal(403, "The signature of the upload does not match")
    if len(call.body) != size or hashlib.sha256(call.body).hexdigest() != at["oid"]:
        raise Refusal(
            400, f"XAmzContentSHA256Mismatch: {len(call.body)} bytes do not match {at['oid']} of {size} bytes"
        )
    repository.objects[at["oid"]] = call.body
    return Answer(b"")


@route("POST", rf"{PAGE}\.git/info/lfs/objects/verify")
def verify_object(state: State, call: Call, at: dict) -> Answer:
    repository, asked = state.writable(call, at), call.json
    if len(repository.objects.get(asked["oid"], b"")) != asked["size"]:
        raise Refusal(404, f"Object {asked['oid']} of {asked['size']} bytes is not there")
    return as_json({})


@route("POST", f"{REPO}/commit/(?P<revision>[^/]+)")
def commit_files(state: State, call: Call, at: dict) -> Answer:
    """All or nothing: the new tree is complete and checked before it becomes a commit."""
    repository, branch = state.writable(call, at), at["revision"]
    refuse_pull_requests(call)
    head = branch_head(repository, branch)
    try:
        lines = [json.loads(line) for line in call.body.splitlines() if line]
    except ValueError:
        raise Refusal(400, "The body is no NDJSON") from None
    if not lines or lines[0].get("key") != "header" or not lines[0]["value"].get("summary"):
        raise Refusal(400, "A commit starts with a header that holds a summary")
    header = lines[0]["value"]
    if "parentCommit" in header and not head.oid.startswith(header["parentCommit"]):
        raise Refusal(412, "A commit has happened since. Please refresh and try again.")
    files = dict(head.files)
    for line in lines[1:]:
        apply_operation(files, line["key"], line["value"], repository, head)
    check_tree(files)
    made = repository.apply(files, header["summary"], header.get("description", ""), state.user, branch)
    url = f"{state.endpoint}{repository.url}/commit/{made.oid}"
    return as_json({"success": True, "commitOid": made.oid, "commitUrl": url, "hookOutput": ""})


def apply_operation(files: dict[str, Blob], key: str, value: dict, repository: Repository, head: Commit) -> None:
    """Change the tree by one line of a commit."""
    path = value["path"]
    rejected = "Your push was rejected because"
    check_path(path.rstrip("/") if key == "deletedFolder" else path)
    if key == "file":
        content = base64.b64decode(value["content"]) if value.get("encoding") == "base64" else value["content"].encode()
        if len(content) > REGULAR_LIMIT:
            raise Refusal(400, f"{rejected} it contains files larger than 10 MiB. Offending files: {path}")
        if not is_text(content):
            raise Refusal(400, f"{rejected} it contains binary files. Offending files: {path}")
        if path == "README.md" and (errors := hub_cards.check_card(content.decode(), repository.type)[0]):
            raise Refusal(400, "Invalid metadata in README.md.\n" + "\n".join(f"- {one}" for one in errors))
        files[path] = Blob(content)
    elif key == "lfsFile":
        content = repository.objects.get(value["oid"])
        if content is None or len(content) != value.get("size", len(content)):
            raise Refusal(
                400, f"{rejected} an LFS pointer pointed to a file that does not exist. Offending files: {path}"
            )
        files[path] = Blob(content, lfs=True)
    elif key == "deletedFile":
        if path not in head.files:
            raise Refusal(404, f"A file with this name doesn't exist: {path}", "EntryNotFound")
        files.pop(path, None)
    elif key == "deletedFolder":
        if not head.under(path):
            raise Refusal(404, f"A file with this name doesn't exist: {path}", "EntryNotFound")
        for name in head.under(path):
            files.pop(name, None)
    else:
        raise Refusal(400, f"Unknown operation: {key!r}")
