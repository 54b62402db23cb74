"""A teacher behind an address: any server that speaks OpenAI's chat completions.

The key comes from the environment and goes into one header of a request, nowhere else; no redirection is followed, because it would take
the key along. A server that is busy, stalls, cuts its answer or sends nonsense is asked again; what refuses ends the run, which resumes.
"""

from __future__ import annotations

import http.client
import json
import os
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

from rella_hub.cli import refuse_without
from rella_hub.corpora import Corpus
from rella_hub.prompts.rationale import TEACHER
from rella_hub.stages.rationales.arguments import LANGUAGE_MODEL, TeacherArguments
from rella_hub.stages.teachers import Question, Written
from rella_hub.tables.checked import shown
from rella_hub.texts.shown import first_line

KEY = "OPENAI_API_KEY"
ATTEMPTS = 5
LONGEST_ANSWER = 4 * 1024**2  # bytes
BUSY = (408, 409, 425, 429)  # and all from 500
LOCAL = ("localhost", "127.0.0.1", "::1")
FIRST_WAIT, LONGEST_WAIT = 1.0, 60.0  # seconds


def teacher(options: TeacherArguments, corpus: Corpus) -> Endpoint:
    refuse_without("--teacher language_model", options, LANGUAGE_MODEL)
    if not options.endpoint or not options.model:
        raise ValueError("--teacher endpoint needs --endpoint, such as https://api.openai.com/v1, and --model.")
    if options.parallel_requests < 1 or (options.requests_per_minute is not None and options.requests_per_minute < 1):
        raise ValueError("--parallel_requests and --requests_per_minute must be at least 1.")
    address = urlsplit(options.endpoint)
    if address.scheme not in ("http", "https") or not address.hostname or address.username or address.query:
        raise ValueError(
            f"--endpoint is no address such as https://api.openai.com/v1. A key goes into {KEY}, not into it."
        )
    key = os.environ.get(KEY, "").strip()
    if key and address.scheme == "http" and address.hostname not in LOCAL:
        raise ValueError(
            f"--endpoint {options.endpoint} would send the key of {KEY} unencrypted. Give an https address."
        )
    return Endpoint(options, key)


class Nonsense(Exception):
    """An answer that is no chat completion."""


class Endpoint:
    def __init__(self, options: TeacherArguments, key: str, first_wait: float = FIRST_WAIT):
        self.form = options.form or TEACHER
        host = urlsplit(options.endpoint).hostname
        self.identity = {
            "kind": "endpoint",
            "name": options.model,
            "host": None if host in LOCAL else host,  # a server of this machine is a place of it
            "max_new_tokens": options.max_new_tokens,
        }
        self._options, self._first_wait = options, first_wait
        self._headers = {"Content-Type": "application/json", **({"Authorization": f"Bearer {key}"} if key else {})}
        self._opener = urllib.request.build_opener(_NoRedirection())
        self._pace = Pace(options.requests_per_minute)

    def written(self, questions: Sequence[Question]) -> list[Written]:
        with ThreadPoolExecutor(self._options.parallel_requests) as pool:
            asked = [pool.submit(self._ask, question) for question in questions]
            try:
                return [one.result() for one in asked]
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise

    def _ask(self, question: Question) -> Written:
        where = f"{self._options.endpoint}/chat/completions"
        for attempt in range(ATTEMPTS):
            self._pace.wait()
            pause = self._first_wait * 2**attempt
            try:
                return self._answer(where, question)
            except urllib.error.HTTPError as error:
                said = " ".join(error.read(4096).decode("utf-8", "replace").split())[:200]
                failure = f"it answered {error.code} {error.reason}: {said}"
                if error.code not in BUSY and error.code < 500:
                    raise ValueError(f"{where}: {failure} Check --endpoint, --model and {KEY}.") from error
                pause = max(pause, _seconds(error.headers.get("Retry-After")))
            except (OSError, http.client.HTTPException, Nonsense) as error:
                failure = f"{type(error).__name__}: {first_line(error)}"
            if attempt + 1 < ATTEMPTS:
                time.sleep(min(pause, LONGEST_WAIT))
        raise ValueError(
            f"{where} gave no rationale in {ATTEMPTS} attempts ({failure}). What was written is kept; the same command goes on from there."
        )

    def _answer(self, where: str, question: Question) -> Written:
        body = {
            "model": self._options.model,
            "messages": [{"role": "user", "content": question.prompt}],
            "temperature": 0,
            "max_tokens": self._options.max_new_tokens,
        }
        request = urllib.request.Request(where, json.dumps(body).encode(), self._headers)
        with self._opener.open(request, timeout=self._options.timeout_seconds) as answer:
            data = answer.read(LONGEST_ANSWER + 1)
            if answer.length:  # what the server announced and did not send
                raise http.client.IncompleteRead(data, answer.length)
        return completion(data)


def completion(data: bytes) -> Written:
    """What a chat completion says. Nonsense where it is none."""
    try:
        found = json.loads(data)
        choice, usage = found["choices"][0], found.get("usage") or {}
        text = choice["message"]["content"]
        counts = [usage.get(name) or 0 for name in ("prompt_tokens", "completion_tokens")]
    except (ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError) as error:
        raise Nonsense(f"no chat completion ({shown(data[:80].decode('utf-8', 'replace'))})") from error
    if not isinstance(text, str | None) or not all(isinstance(count, int) and 0 <= count < 2**31 for count in counts):
        raise Nonsense("a chat completion with a text that is none, or counts of tokens that are none")
    return Written(text or "", choice.get("finish_reason") != "length", *counts)


class Pace:
    """At most so many requests a minute, evenly, whoever sends them."""

    def __init__(self, per_minute: int | None):
        self._seconds = 60 / per_minute if per_minute else 0.0
        self._next, self._lock = time.monotonic(), threading.Lock()

    def wait(self) -> None:
        with self._lock:
            mine = max(self._next, time.monotonic())
            self._next = mine + self._seconds
        time.sleep(max(mine - time.monotonic(), 0))


class _NoRedirection(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *args, **kwargs) -> None:
        return None


def _seconds(header: str | None) -> float:
    try:
        return float(header or 0)
    except ValueError:
        return 0.0
