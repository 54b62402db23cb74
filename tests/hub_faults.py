"""Faults on demand: what a client meets when the Hub, or the way to it, is in trouble."""

import re
import threading
from dataclasses import dataclass, field


@dataclass
class Fault:
    """What happens to the next requests that match; `hits` counts those it happened to."""

    method: str  # a regular expression for the whole method, such as "GET|HEAD"
    pattern: str  # a regular expression found anywhere in the decoded path and query
    times: int | None = 1  # None: for good
    skip: int = 0  # let so many matching requests pass first
    status: int | None = None  # answered instead of the request being done
    headers: dict[str, str] = field(default_factory=dict)
    message: str = "fault on demand"
    drop: str | None = None  # "before": cut without reading the body; "after": done, but the answer is lost
    cut: int | None = None  # cut after so many bytes of the body: the request's if it has one, else the answer's
    corrupt: bool = False  # one byte of that body changed, its length kept
    delay: float = 0.0  # seconds before anything else happens
    die: bool = False  # the server is gone until it is revived
    hits: int = 0

    def __post_init__(self):
        if self.drop not in (None, "before", "after"):
            raise ValueError(f"drop={self.drop!r}: expected 'before' or 'after'.")

    @property
    def armed(self) -> bool:
        return self.times is None or self.hits < self.times


class Faults:
    """The faults in the order they were asked for; a request meets the first that matches it."""

    def __init__(self):
        self._faults: list[Fault] = []
        self._lock = threading.Lock()

    def add(self, fault: Fault) -> Fault:
        with self._lock:
            self._faults.append(fault)
        return fault

    def clear(self) -> None:
        with self._lock:
            self._faults.clear()

    def take(self, method: str, path: str) -> Fault | None:
        with self._lock:
            for fault in self._faults:
                if fault.armed and re.fullmatch(fault.method, method) and re.search(fault.pattern, path):
                    if fault.skip:
                        fault.skip -= 1
                        continue
                    fault.hits += 1
                    return fault
        return None


def corrupted(body: bytes) -> bytes:
    """The same with one bit in the middle changed."""
    middle = len(body) // 2
    return body[:middle] + bytes([body[middle] ^ 1]) + body[middle + 1 :] if body else body
