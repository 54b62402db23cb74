"""Ask again where a server is busy or a connection breaks, and never where the answer was no."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import TypeVar

from huggingface_hub.errors import HfHubHTTPError, HTTPError, OfflineModeIsEnabled

from rella_hub.cli.redaction import redacted

ATTEMPTS = 5
PASSING = (408, 429, 500, 502, 503, 504)  # what a server says when it may well say something else a little later
LONGEST_WAIT = 300.0  # seconds; what Retry-After may ask for at most

T = TypeVar("T")


def retrying(what: str, call: Callable[[], T], wait_seconds: float = 1.0) -> T:
    """The answer of `call`, which is made again, after a pause that doubles or that the server names, up to `ATTEMPTS` times."""
    for attempt in range(ATTEMPTS):
        try:
            return call()
        except (HTTPError, ConnectionError, TimeoutError) as error:
            if attempt + 1 == ATTEMPTS or not _is_passing(error):
                raise
            pause = _asked_pause(error) or wait_seconds * 2**attempt
            print(f"{what}: {_first_line(error)} Again in {pause:g} s.", file=sys.stderr, flush=True)
            time.sleep(pause)
    raise AssertionError("the last attempt returns or raises")


def status_of(error: BaseException) -> int | None:
    """The HTTP status of an error of the client, None where no answer came."""
    response = getattr(error, "response", None)
    return getattr(response, "status_code", None)


def _is_passing(error: BaseException) -> bool:
    status = status_of(error)
    return status in PASSING if status is not None else not isinstance(error, (HfHubHTTPError, OfflineModeIsEnabled))


def _asked_pause(error: BaseException) -> float | None:
    response = getattr(error, "response", None)
    asked = response.headers.get("Retry-After", "") if response is not None else ""
    return min(float(asked), LONGEST_WAIT) if asked.isdecimal() else None


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return redacted(lines[0]) if lines else type(error).__name__
