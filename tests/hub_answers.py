"""What the test Hub answers of repositories: who asks, settings, listings, branches and tags, and the files themselves."""

import hashlib
import re
from urllib.parse import parse_qs

import hub_cards
import yaml
from hub_calls import NO_TOKEN, PAGE, REPO, Answer, Call, State, as_json, route, stamp
from hub_repositories import Blob, Commit, Refusal, Repository, check_name


@route("GET", "/api/whoami-v2")
def whoami(state: State, call: Call, at: dict) -> Answer:
    if call.role is None:
        raise Refusal(401, NO_TOKEN)
    organizations = [{"type": "org", "name": name, "roleInOrg": "admin"} for name in state.organizations]
    access = {"accessToken": {"displayName": "test", "role": call.role}, "type": "access_token"}
    return as_json({"type": "user", "name": state.user, "fullname": state.user, "orgs": organizations, "auth": access})


@route("POST", "/api/repos/create")
def create_repo(state: State, call: Call, at: dict) -> Answer:
    asked = call.json
    namespace, kind = asked.get("organization") or state.user, asked.get("type") or "model"
    state.may_write(call, namespace, f"create a {kind}")
    check_name(asked["name"])
    key = (kind, f"{namespace}/{asked['name']}")
    if key in state.repositories:
        url = state.endpoint + state.repositories[key].url
        raise Refusal(409, f"You already created this {kind} repo: {key[1]}", url=url)
    private = asked.get("visibility") == "private" or bool(asked.get("private"))
    state.repositories[key] = Repository(*key, private=private)
    return as_json({"url": state.endpoint + state.repositories[key].url, "name": key[1]})


@route("DELETE", "/api/repos/delete")
def delete_repo(state: State, call: Call, at: dict) -> Answer:
    asked = call.json
    where = {"kind": asked.get("type"), "namespace": asked.get("organization") or state.user, "name": asked["name"]}
    gone = state.writable(call, where)
    del state.repositories[gone.type, gone.id]
    return as_json({})


@route("PUT", f"{REPO}/settings")
def change_settings(state: State, call: Call, at: dict) -> Answer:
    repository, asked = state.writable(call, at), call.json
    if "visibility" in asked or "private" in asked:
        repository.private = asked.get("visibility") == "private" or bool(asked.get("private"))
    repository.gated = asked.get("gated", repository.gated)
    return as_json({"private": repository.private, "gated": repository.gated})


@route("GET", f"{REPO}/auth-check")
def auth_check(state: State, call: Call, at: dict) -> Answer:
    check_gate(state.readable(call, at), call, state)
    return as_json({})


@route("GET", f"{REPO}(?:/revision/(?P<revision>[^/]+))?")
def info(state: State, call: Call, at: dict) -> Answer:
    repository = state.readable(call, at)
    commit = repository.at(at.get("revision", "main"))
    found = describe(repository, commit, blobs=call.flag("blobs"))
    expand = call.options.get("expand", []) + call.options.get("expand[]", [])
    return as_json({k: v for k, v in found.items() if not expand or k in {"_id", "id", *expand}})


def describe(repository: Repository, commit: Commit, blobs: bool) -> dict:
    readme = commit.files.get("README.md", Blob(b"")).content.decode("utf-8", "replace")
    try:
        card = hub_cards.head(readme)
    except yaml.YAMLError:
        card = None
    card = card if isinstance(card, dict) else {}
    tags = [one for one in card.get("tags") or [] if isinstance(one, str)]
    for key in ("license", "language", "size_categories", "base_model"):
        values = card.get(key) or []
        tags += [f"{key}:{value}" for value in (values if isinstance(values, list) else [values])]
    siblings = [sibling(path, blob, blobs) for path, blob in commit.files.items()]
    found = {
        "_id": hashlib.sha1(f"{repository.type} {repository.id}".encode()).hexdigest()[:24],
        "id": repository.id,
        "author": repository.namespace,
        "sha": commit.oid,
        "lastModified": stamp(commit.date),
        "createdAt": stamp(repository.created),
        "private": repository.private,
        "gated": repository.gated,
        "disabled": False,
        "downloads": 0,
        "likes": 0,
        "tags": tags,
        "cardData": card or None,
        "siblings": siblings,
        "usedStorage": sum(map(len, repository.objects.values())),
    }
    if repository.type == "model":
        found |= {"modelId": repository.id}
        found |= {key: card[key] for key in ("library_name", "pipeline_tag") if key in card}
    return found


def sibling(path: str, blob: Blob, blobs: bool) -> dict:
    size = len(blob.content)
    found = {"rfilename": path} | ({"size": size, "blobId": blob.git_oid} if blobs else {})
    if blobs and blob.lfs:
        found["lfs"] = {"size": size, "sha256": blob.sha256, "pointerSize": len(blob.pointer)}
    return found


# Listings.


def entry(path: str, blob: Blob) -> dict:
    found = {"type": "file", "path": path, "size": len(blob.content), "oid": blob.git_oid}
    if blob.lfs:
        found["lfs"] = {"oid": blob.sha256, "size": len(blob.content), "pointerSize": len(blob.pointer)}
    return found


def folder_entry(path: str, commit: Commit) -> dict:
    listing = "".join(f"{name} {blob.git_oid}\n" for name, blob in commit.under(path).items())
    return {"type": "directory", "path": path, "size": 0, "oid": hashlib.sha1(listing.encode()).hexdigest()}


def expanded(found: list[dict], commit: Commit) -> list[dict]:
    for one in found:
        last = commit.last_change(one["path"])
        one["lastCommit"] = {"id": last.oid, "title": last.title, "date": stamp(last.date)}
        if one["type"] == "file":
            one["securityFileStatus"] = {"status": "safe", "avScan": None, "pickleImportScan": None}
    return found


@route("GET", f"{REPO}/tree/(?P<revision>[^/]+)(?:/(?P<folder>.+))?")
def tree(state: State, call: Call, at: dict) -> Answer:
    commit, folder = state.readable(call, at).at(at["revision"]), at.get("folder", "").strip("/")
    files = commit.under(folder)
    if folder and not files:
        raise Refusal(404, f"{folder} does not exist on {at['revision']!r}", "EntryNotFound")
    depth = folder.count("/") + 1 if folder else 0
    folders = {"/".join(path.split("/")[:i]) for path in files for i in range(depth + 1, path.count("/") + 1)}
    found = [folder_entry(path, commit) for path in folders] + [entry(path, blob) for path, blob in files.items()]
    if not call.flag("recursive"):
        found = [one for one in found if one["path"].count("/") == depth]
    found.sort(key=lambda one: (one["type"], one["path"]))
    return as_json(expanded(found, commit) if call.flag("expand") else found)


@route("POST", f"{REPO}/paths-info/(?P<revision>[^/]+)")
def paths_info(state: State, call: Call, at: dict) -> Answer:
    commit, asked = state.readable(call, at).at(at["revision"]), parse_qs(call.body.decode())
    found = []
    for path in asked.get("paths", []):  # the Hub leaves out what is not there
        if path in commit.files:
            found.append(entry(path, commit.files[path]))
        elif commit.under(path):
            found.append(folder_entry(path, commit))
    return as_json(expanded(found, commit) if asked.get("expand", ["false"])[0].lower() == "true" else found)


@route("GET", f"{REPO}/refs")
def refs(state: State, call: Call, at: dict) -> Answer:
    repository = state.readable(call, at)
    branches = {name: commit.oid for name, commit in repository.branches.items()}
    found = {"converts": [], "pullRequests": []}
    for key, kind, named in (("branches", "heads", branches), ("tags", "tags", repository.tags)):
        found[key] = [{"name": n, "ref": f"refs/{kind}/{n}", "targetCommit": oid} for n, oid in named.items()]
    return as_json(found)


@route("GET", f"{REPO}/commits/(?P<revision>[^/]+)")
def commits(state: State, call: Call, at: dict) -> Answer:
    repository = state.readable(call, at)
    return as_json(
        [
            {
                "id": one.oid,
                "title": one.title,
                "message": one.message,
                "authors": [{"user": one.author}],
                "date": stamp(one.date),
            }
            for one in repository.log(repository.at(at["revision"]))
        ]
    )


@route("POST", f"{REPO}/tag/(?P<revision>[^/]+)")
def create_tag(state: State, call: Call, at: dict) -> Answer:
    repository, tag = state.writable(call, at), call.json["tag"]
    if tag in repository.tags:
        raise Refusal(409, f"Tag reference exists already: {tag}")
    repository.tags[tag] = repository.at(at["revision"]).oid
    return as_json({})


@route("DELETE", f"{REPO}/tag/(?P<tag>[^/]+)")
def delete_tag(state: State, call: Call, at: dict) -> Answer:
    if state.writable(call, at).tags.pop(at["tag"], None) is None:
        raise Refusal(404, f"Invalid rev id: {at['tag']}", "RevisionNotFound")
    return as_json({})


@route("POST", f"{REPO}/branch/(?P<branch>[^/]+)")
def create_branch(state: State, call: Call, at: dict) -> Answer:
    repository = state.writable(call, at)
    if at["branch"] in repository.branches:
        raise Refusal(409, f"Reference already exists: refs/heads/{at['branch']}")
    if at["branch"].startswith("refs/"):
        raise Refusal(400, f"Invalid reference for a branch: {at['branch']}")
    repository.branches[at["branch"]] = repository.at(call.json.get("startingPoint") or "main")
    return as_json({})


@route("DELETE", f"{REPO}/branch/(?P<branch>[^/]+)")
def delete_branch(state: State, call: Call, at: dict) -> Answer:
    repository = state.writable(call, at)
    if at["branch"] == "main":
        raise Refusal(403, "Cannot delete the main branch")
    if repository.branches.pop(at["branch"], None) is None:
        raise Refusal(404, f"Invalid rev id: {at['branch']}", "RevisionNotFound")
    return as_json({})


# Files.


def check_gate(repository: Repository, call: Call, state: State) -> None:
    inside = call.role and (state.owns(repository.namespace) or call.token in repository.accepted)
    if repository.gated and not inside:
        message = f"Access to {repository.type} {repository.id} is restricted. You must have access to it."
        raise Refusal(401 if call.role is None else 403, message, "GatedRepo")


@route("GET HEAD", rf"{PAGE}/resolve/(?P<revision>[^/]+)/(?P<path>.+)")
def resolve(state: State, call: Call, at: dict) -> Answer:
    repository = state.readable(call, at)
    check_gate(repository, call, state)
    commit = repository.at(at["revision"])
    headers = {"X-Repo-Commit": commit.oid, "Accept-Ranges": "bytes"}
    blob = commit.files.get(at["path"])
    if blob is None:
        raise Refusal(404, f"{at['path']} does not exist on {at['revision']!r}", "EntryNotFound", headers)
    headers |= {"ETag": f'"{blob.etag}"', "Content-Type": "application/octet-stream"}
    headers |= {"Content-Disposition": f'inline; filename="{at["path"].rsplit("/", 1)[-1]}"'}
    if blob.lfs:
        headers |= {"X-Linked-Etag": f'"{blob.sha256}"', "X-Linked-Size": str(len(blob.content))}
    return part_of(blob.content, call.headers.get("range"), headers)


def part_of(content: bytes, asked: str | None, headers: dict[str, str]) -> Answer:
    """The bytes of a Range header; all of them where it asks for none, or for several parts."""
    found = re.fullmatch(r"bytes=(\d*)-(\d*)", asked or "")
    if not found or found.groups() == ("", ""):
        return Answer(content, headers=headers)
    size = len(content)
    first, last = found.groups()
    start = int(first) if first else max(size - int(last), 0)
    stop = min(int(last) + 1, size) if first and last else size
    if start >= stop:
        raise Refusal(416, "Range not satisfiable", headers={"Content-Range": f"bytes */{size}"})
    return Answer(content[start:stop], 206, headers | {"Content-Range": f"bytes {start}-{stop - 1}/{size}"})
