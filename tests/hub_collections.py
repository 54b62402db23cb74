"""What the test Hub answers of collections."""

import re
import secrets
from datetime import UTC, datetime

from hub_calls import Answer, Call, State, as_json, route, stamp
from hub_repositories import Refusal

LISTED_ITEMS = 4  # of a collection in a list of collections
SLUG = r"/api/collections/(?P<slug>[^/]+/[^/]+)"


def collection(state: State, call: Call, at: dict, write: bool = False) -> dict:
    found = state.collections.get(at["slug"])
    if found is None or (found["private"] and not (call.role and state.owns(found["owner"]))):
        raise Refusal(404, "Collection not found")
    if write:
        state.may_write(call, found["owner"], "change a collection")
        found["lastUpdated"] = stamp(datetime.now(UTC))
    return found


def shown(found: dict) -> dict:
    items = [item | {"position": i} for i, item in enumerate(found["items"])]
    return found | {"items": items, "position": 0}


@route("POST", "/api/collections")
def create_collection(state: State, call: Call, at: dict) -> Answer:
    asked = call.json
    title, namespace = asked["title"], asked.get("namespace") or state.user
    state.may_write(call, namespace, "create a collection")
    check_description(asked)
    for slug, one in state.collections.items():
        if (one["title"], one["owner"]) == (title, namespace):
            raise Refusal(409, f"You already have a collection called {title!r}", slug=slug)
    words = re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")
    slug = f"{namespace}/{words}-{secrets.token_hex(12)}"
    state.collections[slug] = {
        "slug": slug,
        "title": title,
        "owner": namespace,
        "items": [],
        "lastUpdated": stamp(datetime.now(UTC)),
        "private": bool(asked.get("private")),
        "theme": "blue",
        "upvotes": 0,
        "description": asked.get("description"),
    }
    return as_json(shown(state.collections[slug]))


def check_description(asked: dict) -> None:
    if len(asked.get("description") or "") > 150:
        raise Refusal(400, "The description must be at most 150 characters long")


@route("GET", "/api/collections")
def list_collections(state: State, call: Call, at: dict) -> Answer:
    """Each with its first items only, and without the position that the client counts itself."""
    owners = call.options.get("owner", [])
    found = []
    for one in state.collections.values():
        hidden = one["private"] and not (call.role and state.owns(one["owner"]))
        if not hidden and (not owners or one["owner"] in owners):
            found.append(one | {"items": shown(one)["items"][:LISTED_ITEMS]})
    return as_json(found)


@route("GET", SLUG)
def get_collection(state: State, call: Call, at: dict) -> Answer:
    return as_json(shown(collection(state, call, at)))


@route("PATCH", SLUG)
def change_collection(state: State, call: Call, at: dict) -> Answer:
    found, asked = collection(state, call, at, write=True), call.json
    check_description(asked)
    found |= {key: asked[key] for key in ("title", "description", "private", "theme") if key in asked}
    state.collections[at["slug"]] = found
    return as_json({"success": True, "data": shown(found)})


@route("DELETE", SLUG)
def delete_collection(state: State, call: Call, at: dict) -> Answer:
    collection(state, call, at, write=True)
    del state.collections[at["slug"]]
    return as_json({})


@route("POST", f"{SLUG}/items")
def add_item(state: State, call: Call, at: dict) -> Answer:
    found, asked = collection(state, call, at, write=True), call.json["item"]
    if asked["type"] in ("model", "dataset", "space"):
        namespace, _, name = asked["id"].partition("/")
        state.readable(call, {"kind": asked["type"], "namespace": namespace, "name": name})
    if any((item["id"], item["type"]) == (asked["id"], asked["type"]) for item in found["items"]):
        raise Refusal(409, f"{asked['id']} is already in the collection")
    item = {"_id": secrets.token_hex(12), "id": asked["id"], "type": asked["type"]}
    if call.json.get("note"):
        item["note"] = {"text": call.json["note"], "html": call.json["note"]}
    found["items"].append(item)
    return as_json(shown(found))


@route("PATCH DELETE", f"{SLUG}/items/(?P<item>[^/]+)")
def change_item(state: State, call: Call, at: dict) -> Answer:
    items = collection(state, call, at, write=True)["items"]
    found = next((item for item in items if item["_id"] == at["item"]), None)
    if found is None:
        raise Refusal(404, "Item not found")
    place = items.index(found)
    items.remove(found)
    if call.method == "PATCH":
        asked = call.json
        if "note" in asked:
            found["note"] = {"text": asked["note"], "html": asked["note"]}
        items.insert(asked.get("position", place), found)
    return as_json({})
