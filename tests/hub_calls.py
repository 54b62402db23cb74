"""A request to the test Hub as a call, its answer, what the Hub holds, and who may do what; and the table of routes."""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import parse_qs, unquote

from hub_repositories import Refusal, Repository

NO_TOKEN = "Invalid username or password."
REPO = r"/api/(?P<kind>model|dataset|space)s/(?P<namespace>[^/]+)/(?P<name>[^/]+)"
PAGE = r"/(?:(?P<kind>dataset|space)s/)?(?P<namespace>[^/]+)/(?P<name>[^/]+?)"


@dataclass(frozen=True)
class Call:
    """One request, its body read and its token looked up."""

    method: str
    query: str
    headers: dict[str, str]  # names in small letters
    body: bytes
    token: str | None
    role: str | None  # of the token: "read" or "write"

    @property
    def options(self) -> dict[str, list[str]]:
        return parse_qs(self.query)

    def flag(self, name: str) -> bool:
        return self.options.get(name, ["false"])[-1].lower() in ("1", "true")

    @property
    def json(self) -> dict:
        try:
            return json.loads(self.body or b"{}")
        except ValueError as error:
            raise Refusal(400, f"The body is no JSON: {error}") from None


@dataclass(frozen=True)
class Answer:
    body: bytes
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)


def as_json(value, status: int = 200, headers: dict | None = None) -> Answer:
    content = json.dumps(value, default=str).encode()
    return Answer(content, status, {"Content-Type": "application/json; charset=utf-8"} | (headers or {}))


@dataclass
class State:
    """All that the Hub holds."""

    user: str
    organizations: list[str]
    endpoint: str = ""
    repositories: dict[tuple[str, str], Repository] = field(default_factory=dict)
    collections: dict[str, dict] = field(default_factory=dict)  # by slug
    grants: dict[str, tuple[Repository, int]] = field(default_factory=dict)  # of uploads: key -> repository, size

    def owns(self, namespace: str) -> bool:
        return namespace == self.user or namespace in self.organizations

    def readable(self, call: Call, at: dict[str, str]) -> Repository:
        """The repository of a path, as far as the token may know of it."""
        key = (at.get("kind") or "model", f"{at['namespace']}/{at['name']}")
        found = self.repositories.get(key)
        if found is None or (found.private and not (call.role and self.owns(found.namespace))):
            if call.role is None:  # the Hub does not tell a stranger whether it is there
                raise Refusal(401, NO_TOKEN, "RepoNotFound")
            raise Refusal(404, "Repository not found", "RepoNotFound")
        return found

    def writable(self, call: Call, at: dict[str, str]) -> Repository:
        found = self.readable(call, at)
        self.may_write(call, found.namespace)
        return found

    def may_write(self, call: Call, namespace: str, what: str = "write to a repository") -> None:
        if call.role is None:
            raise Refusal(401, NO_TOKEN)
        if not self.owns(namespace):
            raise Refusal(403, f"You don't have the rights to {what} under the namespace {namespace!r}")
        if call.role != "write":
            raise Refusal(403, f"You must use a write token to {what}")


ROUTES: list[tuple[str, re.Pattern, Callable]] = []


def route(methods: str, path: str):
    """Register a function for requests whose undecoded path matches; named groups reach it decoded."""

    def register(function):
        ROUTES.extend((method, re.compile(path), function) for method in methods.split())
        return function

    return register


def respond(state: State, call: Call, path: str) -> Answer:
    for method, pattern, function in ROUTES:
        found = pattern.fullmatch(path) if method == call.method else None
        if found:
            at = {key: unquote(value) for key, value in found.groupdict().items() if value is not None}
            return function(state, call, at)
    raise Refusal(404, f"The test Hub knows no {call.method} {path}")


def stamp(date: datetime) -> str:
    return date.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
