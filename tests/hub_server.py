"""A Hub on this machine: what the unmodified clients push to and pull from when HF_ENDPOINT, or `endpoint=`, names it.

    with HubServer() as hub:
        subprocess.run(command, env=hub.environment(tmp_path))
        assert "README.md" in hub.repositories["dataset", "rella/ml1m"].files("v1")

It is written from what the clients send and from what the Hub documents, so it shows how the clients fare, not that the real
Hub would agree. Pull requests, Xet, multipart uploads, pages of long listings and searches are left out.
"""

import contextlib
import os
import socket
import threading
import time
import traceback
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote

import hub_answers  # noqa: F401  the three register what they answer
import hub_collections  # noqa: F401
import hub_uploads  # noqa: F401
import pytest
from hub_calls import Answer, Call, State, as_json, respond
from hub_faults import Fault, Faults, corrupted
from hub_repositories import Refusal, Repository
from huggingface_hub import constants

INVALID_TOKEN = "Invalid credentials in Authorization header"


@dataclass(frozen=True)
class Request:
    """A line of the log; `status` is None where the connection was cut before an answer."""

    method: str
    path: str  # decoded, with the query
    status: int | None
    received: int  # bytes of the body


class HubServer:
    """The server and what a test may ask of it; a context manager."""

    def __init__(self, user: str = "tester", organizations: tuple[str, ...] = ("rella",)):
        self.state = State(user, list(organizations))
        self.tokens = {"write-token": "write", "read-token": "read"}  # all of the one user
        self.requests: list[Request] = []
        self.uploaded: Counter[str] = Counter()  # bytes received of each LFS object, those of failed attempts too
        self.before_commit: Callable[[], object] | None = None  # run once, right before the next commit is applied
        self.errors: list[str] = []  # tracebacks of the server's own mistakes
        self.faults = Faults()
        self.lock = threading.RLock()
        self._port = 0
        self._server: _Server | None = None

    def __enter__(self) -> "HubServer":
        self.revive()
        self.state.endpoint = self.endpoint
        return self

    def __exit__(self, kind, error, trace) -> None:
        self.die()
        if error is None and self.errors:
            raise RuntimeError("The test Hub itself failed:\n" + "\n".join(self.errors))

    def use(self, patch: pytest.MonkeyPatch, token: str | None = "write-token") -> None:
        """Let the clients of this process reach this Hub and no other, whatever the tests' environment forbade them."""
        for name, value in {
            "ENDPOINT": self.endpoint,
            "HUGGINGFACE_CO_URL_TEMPLATE": self.endpoint + "/{repo_id}/resolve/{revision}/{filename}",
            "HF_HUB_OFFLINE": False,
            "HF_HUB_DISABLE_XET": True,
        }.items():
            patch.setattr(constants, name, value)
        if token:
            patch.setenv("HF_TOKEN", token)

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    @property
    def repositories(self) -> dict[tuple[str, str], Repository]:
        """By (type, id)."""
        return self.state.repositories

    @property
    def collections(self) -> dict[str, dict]:
        """By slug."""
        return self.state.collections

    def environment(self, home: Path, token: str | None = "write-token") -> dict[str, str]:
        """The variables of a subprocess: this Hub, this token, caches in `home`, nothing inherited that points elsewhere."""
        foreign = ("HF_", "HUGGING_FACE_", "TRANSFORMERS_", "DATASETS_")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
        kept |= {"HF_ENDPOINT": self.endpoint, "HF_HOME": str(home), "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}
        kept |= {f"HF_HUB_DISABLE_{what}": "1" for what in ("XET", "TELEMETRY", "PROGRESS_BARS")}
        return kept | ({"HF_TOKEN": token} if token else {})

    def add_repository(self, type: str, id: str, files: dict[str, bytes] | None = None, **options) -> Repository:
        """A repository that is there from the start, with its files in one commit."""
        repository = self.repositories[type, id] = Repository(type, id, **options)
        if files:
            repository.commit(files, "files")
        return repository

    def fail(self, method: str, pattern: str, **what) -> Fault:
        """Make the next request that matches fail; see `Fault` for what can happen to it."""
        if not set(what) - {"times", "skip", "headers", "message"}:
            raise ValueError(
                f"fail({method!r}, {pattern!r}): expected one of status, drop, cut, corrupt, delay and die."
            )
        return self.faults.add(Fault(method, pattern, **what))

    def count(self, method: str, part: str) -> int:
        """The requests so far, whose path holds that part."""
        return sum(one.method == method and part in one.path for one in list(self.requests))

    def die(self) -> None:
        """Cut all connections and refuse new ones."""
        server, self._server = self._server, None
        if server:
            server.shutdown()
            server.server_close()
            server.cut_all()

    def revive(self) -> None:
        """Listen, on the port of the first time."""
        if self._server is None:
            self._server = _Server(self, self._port)
            self._port = self._server.server_address[1]
            threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def answer(self, call: Call, path: str) -> Answer:
        """One request, alone: the state changes in one step or not at all."""
        try:
            if "/commit/" in path and call.method == "POST":
                hook, self.before_commit = self.before_commit, None
                if hook:
                    hook()
            if call.token and call.role is None:
                raise Refusal(401, INVALID_TOKEN)
            with self.lock:
                return respond(self.state, call, path)
        except Refusal as refusal:
            return as_refusal(refusal)
        except Exception:
            self.errors.append(f"{call.method} {path}\n{traceback.format_exc()}")
            return as_json({"error": "The test Hub itself failed"}, 500)


def as_refusal(refusal: Refusal) -> Answer:
    line = refusal.message.splitlines()[0].encode("latin-1", "replace").decode("latin-1")
    headers = refusal.headers | {"X-Error-Message": line}
    if refusal.code:
        headers["X-Error-Code"] = refusal.code
    return as_json({"error": refusal.message} | refusal.body, refusal.status, headers)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def __init__(self, hub: HubServer, port: int):
        self.hub = hub
        self.connections: set[socket.socket] = set()
        super().__init__(("127.0.0.1", port), _Handler)

    def process_request(self, request, client_address) -> None:
        self.connections.add(request)
        super().process_request(request, client_address)

    def cut_all(self) -> None:
        for connection in list(self.connections):
            cut(connection)

    def handle_error(self, request, client_address) -> None:
        """A client that hangs up is no error of the server."""


def cut(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):  # already gone
        connection.shutdown(socket.SHUT_RDWR)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def finish(self) -> None:
        self.server.connections.discard(self.connection)
        super().finish()

    def log_message(self, *_) -> None:
        """The log is kept in `HubServer.requests`."""

    def do_GET(self) -> None:
        hub, raw = self.server.hub, self.path
        path, _, query = raw.partition("?")
        fault = hub.faults.take(self.command, unquote(raw)) or Fault("", "")
        time.sleep(fault.delay)
        if fault.die or fault.drop == "before":
            return self.hang_up(raw, 0, hub.die if fault.die else None)
        received = self.read_body(fault.cut)
        if path.startswith("/lfs/"):
            with hub.lock:
                hub.uploaded[path.removeprefix("/lfs/")] += len(received)
        if fault.cut is not None and self.has_body:
            return self.hang_up(raw, len(received))
        if fault.corrupt and self.has_body:
            received = corrupted(received)
        token = self.headers.get("Authorization", "").removeprefix("Bearer ").strip() or None
        headers = {name.lower(): value for name, value in self.headers.items()}
        call = Call(self.command, query, headers, received, token, hub.tokens.get(token))
        ordered = as_json({"error": fault.message}, fault.status or 500, fault.headers)
        answer = ordered if fault.status else hub.answer(call, path)
        if fault.drop == "after":
            return self.hang_up(raw, len(received))
        hub.requests.append(Request(self.command, unquote(raw), answer.status, len(received)))
        self.send(answer, fault)

    do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_GET

    @property
    def has_body(self) -> bool:
        return "chunked" in self.headers.get("Transfer-Encoding", "") or int(self.headers.get("Content-Length", 0)) > 0

    def read_body(self, limit: int | None) -> bytes:
        """All of it, or its first bytes where a fault cuts it."""
        if "chunked" in self.headers.get("Transfer-Encoding", ""):
            parts = []
            while size := int(self.rfile.readline().split(b";")[0], 16):
                parts.append(self.rfile.read(size))
                self.rfile.readline()
                if limit is not None and sum(map(len, parts)) >= limit:
                    return b"".join(parts)[:limit]
            self.rfile.readline()
            return b"".join(parts)
        size = int(self.headers.get("Content-Length", 0))
        return self.rfile.read(size if limit is None else min(size, limit))

    def hang_up(self, raw: str, received: int, first: Callable | None = None) -> None:
        self.server.hub.requests.append(Request(self.command, unquote(raw), None, received))
        self.close_connection = True
        if first:
            first()
        cut(self.connection)

    def send(self, answer: Answer, fault: Fault) -> None:
        body = corrupted(answer.body) if fault.corrupt and not self.has_body else answer.body
        self.send_response(answer.status)
        for name, value in ({"Content-Length": str(len(body))} | answer.headers).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "HEAD":
            return
        if fault.cut is not None and not self.has_body:
            self.wfile.write(body[: fault.cut])
            self.close_connection = True
            cut(self.connection)
        else:
            self.wfile.write(body)
