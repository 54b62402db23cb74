"""Open a raw archive, zip or unpacked folder, without trusting it.

Members are read by their name, in blocks, never extracted. An archive with a path that climbs out of it, or a member that claims
more bytes than any real one or unpacks to hundreds of times its size, is refused before anything is inflated.
"""

from __future__ import annotations

import hashlib
import struct
import zipfile
import zlib
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

LARGEST_MEMBER = 4 * 1024**3  # bytes; the largest real one, ratings.csv of MovieLens-25M, has 0.7 GB
LARGEST_WHOLE = 512 * 1024**2  # bytes of a file that is read at once; the largest real one, BX-Books.csv, has 0.08 GB
LARGEST_UNCHECKED = 64 * 1024**2  # bytes; a member below does no harm, however small it is packed
LARGEST_RATIO = 100  # of unpacked to packed; tables of ratings pack to a third or a tenth
BLOCK = 16 * 1024**2
PACKINGS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # zipfile unpacks the others without a limit on what comes out
# What zipfile raises for damaged bytes, depending on where they are. UnicodeDecodeError, of a member's name, is a ValueError.
DAMAGE = (zipfile.BadZipFile, zlib.error, struct.error, EOFError, RuntimeError, OSError, OverflowError, ValueError)


@dataclass(frozen=True)
class Archive:
    """An official archive: where it lies and what its bytes must be (None: not published)."""

    url: str
    md5: str
    sha256: str | None
    size: int | None

    @property
    def file_name(self) -> str:
        return self.url.rsplit("/", 1)[1]


class RawFiles(ABC):
    """The files of one raw archive, whatever holds them: `read(name)` gives a file's bytes, `blocks(name)` the same piece by piece."""

    def __init__(self, path: Path, sha256: str, status: str):
        self.path = path
        self.sha256 = sha256  # of the archive, or over the files of a folder
        self.status = status  # official | not official | unverified (an unpacked folder has no published checksum)

    def read(self, name: str) -> bytes:
        """The bytes of the one file of that name; ValueError when it is missing, double or damaged."""
        parts, size = [], 0
        for block in self.blocks(name):
            size += len(block)
            if size > LARGEST_WHOLE:
                raise ValueError(
                    f"{self.path}: {name} has more than {LARGEST_WHOLE:,} bytes, more than any real one. Not read."
                )
            parts.append(block)
        return b"".join(parts)

    def blocks(self, name: str) -> Iterator[bytes]:
        """The same bytes in blocks that fit into memory, whatever the file's size."""
        with self._open(name) as stream:
            while True:
                try:
                    block = stream.read(BLOCK)
                except DAMAGE as error:
                    raise ValueError(
                        f"{self.path}: {name} cannot be unpacked ({error}). Get the archive again."
                    ) from error
                if not block:
                    return
                yield block

    @abstractmethod
    def _open(self, name: str) -> IO[bytes]:
        """The one file of that name, to be read; ValueError when it is missing, double or larger than any real one."""


class _Zip(RawFiles):
    def __init__(self, path: Path, archive: zipfile.ZipFile, sha256: str, status: str):
        super().__init__(path, sha256, status)
        self._archive = archive

    def _open(self, name: str) -> IO[bytes]:
        members = [m for m in self._archive.infolist() if PurePosixPath(m.filename).name == name and not m.is_dir()]
        if len(members) != 1:
            held = ", ".join(sorted(PurePosixPath(m.filename).name for m in self._archive.infolist())[:12])
            raise ValueError(f"{self.path} must hold {name} once, it holds it {len(members)} times. It holds: {held}.")
        size, packed = members[0].file_size, members[0].compress_size
        if size > LARGEST_MEMBER:
            raise ValueError(f"{self.path}: {name} claims {size:,} bytes, more than any real one. Not read.")
        if size > LARGEST_UNCHECKED and size > LARGEST_RATIO * packed:
            raise ValueError(
                f"{self.path}: {name} claims to unpack from {packed:,} to {size:,} bytes, as no table of ratings does. Not read."
            )
        if members[0].compress_type not in PACKINGS:
            raise ValueError(
                f"{self.path}: {name} is packed by method {members[0].compress_type}; only stored and deflated files are read. Pack "
                f"the archive anew, or give its unpacked folder."
            )
        try:
            return self._archive.open(members[0])
        except DAMAGE as error:
            raise ValueError(f"{self.path}: {name} cannot be unpacked ({error}). Get the archive again.") from error


class _Folder(RawFiles):
    def _open(self, name: str) -> IO[bytes]:
        path = self.path / name
        if not path.is_file():
            raise ValueError(
                f"{self.path} has no file {name}. It holds: {', '.join(sorted(p.name for p in self.path.iterdir())[:12])}."
            )
        if path.stat().st_size > LARGEST_MEMBER:
            raise ValueError(f"{path} has {path.stat().st_size:,} bytes, more than any real one. Not read.")
        return path.open("rb")


@contextmanager
def open_raw(path: Path, files: list[str], official: Archive | None) -> Iterator[RawFiles]:
    """Open the official zip or its unpacked folder; `files` are the ones a corpus reads."""
    if not path.exists():
        raise ValueError(
            f"There is no {path}. Give the archive or its unpacked folder with --raw, or leave --raw out to download."
        )
    if path.is_dir():
        folder = _folder_of(path, files)
        yield _Folder(folder, _hash_files(folder, files), "unverified")
        return
    sha256 = hash_file(path)
    status = "official" if official and _is_official(path, sha256, official) else "not official"
    try:
        archive = zipfile.ZipFile(path)
    except DAMAGE as error:
        size = path.stat().st_size
        expected = f" The official archive has {official.size:,} bytes." if official and official.size else ""
        raise ValueError(
            f"{path} ({size:,} bytes) is not a whole zip archive ({error}).{expected} It may be cut off: get it again."
        ) from error
    with archive:
        _refuse_climbing_paths(path, archive)
        yield _Zip(path, archive, sha256, status)


def _refuse_climbing_paths(path: Path, archive: zipfile.ZipFile) -> None:
    for name in archive.namelist():
        member = PurePosixPath(name.replace("\\", "/"))
        if member.is_absolute() or ".." in member.parts:
            raise ValueError(
                f"{path} holds the path {name!r}, which leads out of the archive; no publisher packs such a file. Not read."
            )


def hash_file(path: Path, algorithm: str = "sha256") -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, algorithm).hexdigest()


def git_hash(path: Path) -> str:
    """The name that git, and so the Hub, gives a small file: SHA-1 over its length and its bytes."""
    data = path.read_bytes()
    return hashlib.sha1(f"blob {len(data)}\0".encode() + data).hexdigest()


def _is_official(path: Path, sha256: str, official: Archive) -> bool:
    if official.sha256 is not None:
        return sha256 == official.sha256
    return hash_file(path, "md5") == official.md5


def _folder_of(path: Path, files: list[str]) -> Path:
    """`path` itself, or its only sub-folder that holds the files."""
    candidates = [path, *sorted(p for p in path.iterdir() if p.is_dir())]
    for candidate in candidates:
        if any((candidate / name).is_file() for name in files):
            return candidate
    raise ValueError(f"{path} holds none of {', '.join(files)}. Give the folder that the archive unpacks to.")


def _hash_files(folder: Path, files: list[str]) -> str:
    digest = hashlib.sha256()
    for name in files:
        if (folder / name).is_file():
            digest.update(f"{name}:{hash_file(folder / name)}\n".encode())
    return digest.hexdigest()
