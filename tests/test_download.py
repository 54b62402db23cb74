"""Downloads from a server on this machine that cuts connections, resumes, lies and fails."""

import hashlib
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from rella_hub.corpora.raw.archive import Archive
from rella_hub.corpora.raw.download import ATTEMPTS, DOWNLOAD, download
from rella_hub.files import ownership

CONTENT = bytes(range(256)) * 40


class Server(ThreadingHTTPServer):
    """Serves CONTENT; `behavior` says how each request is answered, the last entry for all that follow."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Answer)
        self.behavior = ["whole"]
        self.ranges: list[str | None] = []  # of each request

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/ml.zip"


class Answer(BaseHTTPRequestHandler):
    def do_GET(self):
        server = self.server
        behavior = server.behavior[min(len(server.ranges), len(server.behavior) - 1)]
        asked = self.headers.get("Range")
        server.ranges.append(asked)
        if behavior.isdigit():
            self.send_error(int(behavior))
            return
        begin = int(asked.removeprefix("bytes=").removesuffix("-")) if asked and behavior != "no ranges" else 0
        if begin >= len(CONTENT):
            self.send_error(416)
            return
        body = CONTENT[begin:]
        self.send_response(206 if begin else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: len(body) // 2] if behavior == "cut" else body)

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    server = Server()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def archive_of(server, content=CONTENT, sha256=True) -> Archive:
    return Archive(
        url=server.url,
        md5=hashlib.md5(content).hexdigest(),
        sha256=hashlib.sha256(content).hexdigest() if sha256 else None,
        size=len(content),
    )


def leave_part(folder, content: bytes) -> None:
    """What a transfer of this command that broke off leaves."""
    ownership.note(folder, DOWNLOAD, {"ml.zip.part": None})
    (folder / "ml.zip.part").write_bytes(content)


def fetch(server, folder, **options):
    return download(archive_of(server, **options), folder, wait_seconds=0)


def names(folder):
    """Of all but the record of what is ours."""
    return sorted(p.name for p in folder.iterdir() if p.name != ownership.FILE)


@pytest.mark.parametrize("sha256", [True, False])
def test_whole_and_verified(server, tmp_path, sha256):
    path = fetch(server, tmp_path / "raw", sha256=sha256)
    assert path.read_bytes() == CONTENT
    assert names(tmp_path / "raw") == ["ml.zip"]


def test_what_is_there_is_not_fetched_again(server, tmp_path):
    fetch(server, tmp_path)
    fetch(server, tmp_path)
    assert len(server.ranges) == 1


def test_a_cut_connection_is_resumed_where_it_broke(server, tmp_path):
    server.behavior = ["cut", "cut", "whole"]
    assert fetch(server, tmp_path).read_bytes() == CONTENT
    half = len(CONTENT) // 2
    assert server.ranges == [None, f"bytes={half}-", f"bytes={half + half // 2}-"]


def test_the_next_run_goes_on_with_the_part(server, tmp_path):
    server.behavior = ["cut", *["503"] * (ATTEMPTS - 1), "whole"]
    with pytest.raises(ValueError, match=f"could not be fetched.*tried {ATTEMPTS} times.*--raw"):
        fetch(server, tmp_path)
    assert names(tmp_path) == ["ml.zip.part"]
    assert fetch(server, tmp_path).read_bytes() == CONTENT
    assert server.ranges[-1] == f"bytes={len(CONTENT) // 2}-"


def test_a_server_without_ranges_sends_all_again(server, tmp_path):
    server.behavior = ["cut", "no ranges"]
    assert fetch(server, tmp_path).read_bytes() == CONTENT


def test_a_part_that_is_whole_is_only_verified(server, tmp_path):
    leave_part(tmp_path, CONTENT)
    assert fetch(server, tmp_path).read_bytes() == CONTENT
    assert names(tmp_path) == ["ml.zip"]


def test_a_passing_failure_is_tried_again(server, tmp_path):
    server.behavior = ["503", "429", "500", "whole"]
    assert fetch(server, tmp_path).read_bytes() == CONTENT


def test_a_missing_file_is_asked_for_once(server, tmp_path):
    server.behavior = ["404"]
    with pytest.raises(ValueError, match=r"answered 404.*--raw"):
        fetch(server, tmp_path)
    assert len(server.ranges) == 1


def test_other_bytes_are_refused_and_removed(server, tmp_path):
    with pytest.raises(ValueError, match=r"sha256 is [0-9a-f]{64}, expected [0-9a-f]{64} \(10,240 bytes\)"):
        fetch(server, tmp_path, content=b"official")
    assert names(tmp_path) == []


def test_a_damaged_part_is_not_kept_for_ever(server, tmp_path):
    leave_part(tmp_path, b"x" * 100)
    with pytest.raises(ValueError, match="sha256 is"):
        fetch(server, tmp_path)
    assert fetch(server, tmp_path).read_bytes() == CONTENT


def test_a_part_of_somebody_else_is_left_alone(server, tmp_path):
    (tmp_path / "ml.zip.part").write_bytes(b"mine")
    with pytest.raises(ValueError, match=r"ml\.zip\.part was not written by this command"):
        fetch(server, tmp_path)
    assert (tmp_path / "ml.zip.part").read_bytes() == b"mine"
    assert server.ranges == []


def test_a_file_of_the_user_is_refused_and_left_alone(server, tmp_path):
    (tmp_path / "ml.zip").write_bytes(b"mine")
    with pytest.raises(ValueError, match=r"is not the official archive.*--raw"):
        fetch(server, tmp_path)
    assert (tmp_path / "ml.zip").read_bytes() == b"mine"
    assert server.ranges == []


def test_nobody_listens(tmp_path):
    archive = Archive("http://127.0.0.1:9/ml.zip", md5="0" * 32, sha256=None, size=None)
    with pytest.raises(ValueError, match=r"could not be fetched.*Without a network"):
        download(archive, tmp_path, wait_seconds=0)
