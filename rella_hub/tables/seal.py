"""A file of a table carries the SHA-256 of its own bytes, so that a change after the build is seen before anything is published.

The hash stands in the metadata at the end of the Parquet file and is taken over all of it, with 64 zeros in its own place.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

KEY = "rella_sha256"
NOT_YET = "0" * 64
_PLACE = re.compile(
    rb"rella_sha256\x18\x40([0-9a-f]{64})"
)  # as Parquet's metadata holds a key and a text of 64 letters
_MAGIC = b"PAR1"
_LARGEST_END = 64 * 1024**2  # bytes
_BLOCK = 4 * 1024**2


@dataclass(frozen=True)
class Read:
    """What one reading of a file found."""

    sha256: str  # of its bytes
    intact: bool | None  # None: the file carries no hash


def seal(path: Path) -> None:
    """Put the hash into a file that was written with `NOT_YET` under `KEY`."""
    with path.open("r+b") as stream:
        place = _place(stream)
        assert place is not None, f"{path} has no place for its hash"
        assert place[1] == NOT_YET, f"{path} is sealed already"
        digest = _digests(stream, place[0])[1]
        stream.seek(place[0])
        stream.write(digest.encode())


def read(stream: BinaryIO) -> Read:
    """Hash an open file, once, and hold it against the hash that it carries."""
    place = _place(stream)
    whole, zeroed = _digests(stream, place[0] if place else None)
    return Read(whole, None if place is None else zeroed == place[1])


def _place(stream: BinaryIO) -> tuple[int, str] | None:
    """Where the hash stands, and the hash; None where there is no such place, or more than one."""
    size = stream.seek(0, 2)
    if size < 12:
        return None
    stream.seek(size - 8)
    length, magic = int.from_bytes(stream.read(4), "little"), stream.read(4)
    if magic != _MAGIC or length > min(size - 12, _LARGEST_END):
        return None
    stream.seek(size - 8 - length)
    found = list(_PLACE.finditer(stream.read(length)))
    return (size - 8 - length + found[0].start(1), found[0][1].decode()) if len(found) == 1 else None


def _digests(stream: BinaryIO, place: int | None) -> tuple[str, str]:
    """SHA-256 of the bytes, and of the same with 64 zeros at `place`."""
    whole, zeroed = hashlib.sha256(), hashlib.sha256()
    stream.seek(0)
    position = 0
    while block := stream.read(_BLOCK):
        whole.update(block)
        if place is not None:
            begin, end = max(place - position, 0), min(place + len(NOT_YET) - position, len(block))
            zeroed.update(block if begin >= end else block[:begin] + b"0" * (end - begin) + block[end:])
        position += len(block)
    return whole.hexdigest(), zeroed.hexdigest()
