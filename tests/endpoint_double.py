"""A server on this machine that speaks OpenAI's chat completions, and fails, stalls, cuts or talks nonsense when it is told to."""

import json
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

GOOD = "Step 1: The user likes the sea and ships.\nStep 2: 1. Adventure\nStep 3: Adventure: Tidal Pirate"


def chat(text: str | None, reason: str = "stop") -> bytes:
    found = {
        "choices": [{"message": {"role": "assistant", "content": text}, "finish_reason": reason}],
        "usage": {"prompt_tokens": 7, "completion_tokens": 3},
    }
    return json.dumps(found).encode()


class Double(ThreadingHTTPServer):
    """`faults` are used up one a request, then `answer(prompt)` is given; `asked` are the bodies and headers that came."""

    daemon_threads = True

    def __init__(self, answer, faults=()):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answer, self.faults, self.asked, self.lock = answer, list(faults), [], threading.Lock()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1"


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with self.server.lock:
            self.server.asked.append((self.path, body, dict(self.headers)))
            fault = self.server.faults.pop(0) if self.server.faults else None
        data = self.server.answer(body["messages"][0]["content"])
        if fault == "stall":
            time.sleep(1.5)
        elif fault == "cut":
            self._send(200, data, announced=len(data) + 100)
        elif fault == "nonsense":
            self._send(200, b"<html>busy</html>")
        elif fault == "redirect":
            self._send(302, b"", Location="http://127.0.0.1:9/elsewhere")
        elif isinstance(fault, int):
            self._send(fault, b'{"error": "not now"}', **({"Retry-After": "0"} if fault == 429 else {}))
        else:
            self._send(200, data)

    def _send(self, code: int, data: bytes, announced: int | None = None, **headers: str) -> None:
        self.send_response(code)
        for name, value in {"Content-Length": str(announced or len(data)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *args) -> None:
        """Nothing is said."""


@contextmanager
def serving(answer=lambda prompt: chat(GOOD), faults=()):
    server = Double(answer, faults)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
