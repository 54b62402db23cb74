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

from rella_hub.corpora.raw.contents import Contents, of_folder
from rella_hub.corpora.raw.recognize import HEAD, TAIL, is_last_of_split_zip, recognized
from rella_hub.files.hashes import hash_file

LARGEST_MEMBER = 4 * 1024**3  # bytes; the largest real one, ratings.csv of MovieLens-25M, has 0.7 GB
LARGEST_WHOLE = 512 * 1024**2  # bytes of a file that is read at once; the largest real one, BX-Books.csv, has 0.08 GB
LARGEST_UNCHECKED = 64 * 1024**2  # bytes; a member below does no harm, however small it is packed
LARGEST_RATIO = 100  # of unpacked to packed; tables of ratings pack to a third or a tenth
BLOCK = 16 * 1024**2
ENCRYPTED = 1  # the flag of a member
PACKINGS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # zipfile unpacks the others without a limit on what comes out
# What zipfile raises for damaged bytes, depending on where they are. UnicodeDecodeError, of a member's name, is a ValueError.
DAMAGE = (zipfile.BadZipFile, zlib.error, struct.error, EOFError, RuntimeError, OSError, OverflowError, ValueError)


@dataclass(frozen=True)
class Archive:
    """An official archive: where it lies and what its bytes must be (None: not published).

    A publisher who packs no archive has `beside` the file others, each at an address of its own, and gives no checksum of any.
    """

    url: str
    md5: str | None
    sha256: str | None
    size: int | None
    beside: tuple[str, ...] = ()

    @property
    def file_name(self) -> str:
        return self.url.rsplit("/", 1)[1]

    @property
    def checksum(self) -> tuple[str, str] | None:
        """The strongest published one: the algorithm and the digest."""
        published = {"sha256": self.sha256, "md5": self.md5}
        return next(((name, digest) for name, digest in published.items() if digest), None)


class RawFiles(ABC):
    """The files of one raw archive, whatever holds them: `read(name)` gives a file's bytes, `blocks(name)` the same piece by piece."""

    def __init__(self, path: Path, sha256: str, status: str):
        self.path = path
        self.sha256 = sha256  # of the archive, or over the files of a folder
        self.status = (
            status  # official | not official | unverified (a folder has no checksum) | re-export (nor has that)
        )

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
        """The same bytes in blocks that fit into memory, whatever the file's size. ValueError for what is no table."""
        begins = True
        for block in self.blocks_of_anything(name):
            if begins and (what := recognized(block[:HEAD])):
                raise ValueError(f"{name}, line 1: the file is {what}.")
            begins = False
            yield block

    def blocks_of_anything(self, name: str) -> Iterator[bytes]:
        """The same of a file that may be no table, such as one that is packed itself."""
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

    def size(self, name: str) -> int:
        """The bytes of a file."""
        return sum(map(len, self.blocks_of_anything(name)))

    @abstractmethod
    def _open(self, name: str) -> IO[bytes]:
        """The one file of that name, to be read; ValueError when it is missing, double or larger than any real one."""


class _Zip(RawFiles):
    def __init__(
        self, path: Path, archive: zipfile.ZipFile, contents: Contents[zipfile.ZipInfo], sha256: str, status: str
    ):
        super().__init__(path, sha256, status)
        self._archive, self._contents = archive, contents

    def _open(self, name: str) -> IO[bytes]:
        member = self._contents.only(name)
        size, packed = member.file_size, member.compress_size
        if size > LARGEST_MEMBER:
            raise ValueError(f"{self.path}: {name} claims {size:,} bytes, more than any real one. Not read.")
        if size > LARGEST_UNCHECKED and size > LARGEST_RATIO * packed:
            raise ValueError(
                f"{self.path}: {name} claims to unpack from {packed:,} to {size:,} bytes, as no table of ratings does. Not read."
            )
        if member.flag_bits & ENCRYPTED:
            raise ValueError(
                f"{self.path}: {name} cannot be unpacked, because it is encrypted. Unpack it with its password and give the folder "
                f"with --raw."
            )
        if member.compress_type not in PACKINGS:
            raise ValueError(
                f"{self.path}: {name} is packed by method {member.compress_type}; only stored and deflated files are read. Pack "
                f"the archive anew, or give its unpacked folder."
            )
        try:
            return self._archive.open(member)
        except DAMAGE as error:
            raise ValueError(f"{self.path}: {name} cannot be unpacked ({error}). Get the archive again.") from error


class _Folder(RawFiles):
    def __init__(self, contents: Contents[Path], sha256: str, status: str):
        super().__init__(contents.path, sha256, status)
        self._contents = contents

    def _open(self, name: str) -> IO[bytes]:
        path = self._contents.only(name)
        if path.stat().st_size > LARGEST_MEMBER:
            raise ValueError(f"{path} has {path.stat().st_size:,} bytes, more than any real one. Not read.")
        return path.open("rb")


@contextmanager
def open_raw(
    path: Path, files: list[str], official: Archive | None, reexported: list[str] | None = None
) -> Iterator[RawFiles]:
    """Open the official zip or its unpacked folder, or a re-export of the same corpus in other files.

    files: the ones that a corpus reads; reexported: those that it reads of a re-export.
    """
    if not path.exists():
        raise ValueError(
            f"There is no {path}. Give the archive or its unpacked folder with --raw, or leave --raw out to download."
        )
    layouts = [files, *([reexported] if reexported else [])]
    if path.is_dir():
        contents = of_folder(path, layouts)
        held = _layout(contents, layouts)
        if not any(map(contents.named, held)):
            wanted = ", ".join(name for layout in layouts for name in layout)
            raise ValueError(
                f"{path} holds none of {wanted}. It holds: {contents.listed()}. Give the folder that the archive "
                f"unpacks to, or the archive itself."
            )
        yield _Folder(contents, _hash_files(contents, held), "unverified" if held is files else "re-export")
        return
    with _opened_zip(path, files, official) as archive:
        contents = Contents(path, [(m.filename, m) for m in archive.infolist() if not m.is_dir()], of_archive=True)
        held, sha256 = _layout(contents, layouts), hash_file(path)
        status = _status(path, sha256, official) if held is files else "re-export"
        yield _Zip(path, archive, contents, sha256, status)


def _layout(contents: Contents, layouts: list[list[str]]) -> list[str]:
    """The first of the layouts of which everything is there, else the one of which most is."""
    return max(layouts, key=lambda files: sum(1 for name in files if contents.named(name)) / len(files))


def _opened_zip(path: Path, files: list[str], official: Archive | None) -> zipfile.ZipFile:
    """The zip archive; ValueError with what the file is instead, or for a zip archive that no publisher packs."""
    size = path.stat().st_size
    with path.open("rb") as stream:
        head = stream.read(HEAD)
        stream.seek(max(0, size - TAIL))
        tail = stream.read()
    not_whole = f"{path} ({size:,} bytes) is not a whole zip archive"
    if is_last_of_split_zip(tail):
        raise ValueError(
            f"{not_whole}, but the last part of a split one. Join its parts and give the whole with --raw."
        )
    try:
        archive = zipfile.ZipFile(path)
    except DAMAGE as error:
        what = None if head.startswith(b"PK\x03\x04") else recognized(head)
        if what is not None:
            raise ValueError(f"{not_whole}, but {what}.") from error
        if path.name.lower() in [name.lower() for name in files]:
            raise ValueError(
                f"{not_whole}, but one of the files in it. Give the folder that holds {', '.join(files)} with --raw."
            ) from error
        expected = f" The official archive has {official.size:,} bytes." if official and official.size else ""
        raise ValueError(f"{not_whole} ({error}).{expected} It may be cut off: get it again.") from error
    try:
        _refuse_climbing_paths(path, archive)
    except ValueError:
        archive.close()
        raise
    return archive


def _refuse_climbing_paths(path: Path, archive: zipfile.ZipFile) -> None:
    for name in archive.namelist():
        member = PurePosixPath(name.replace("\\", "/"))
        if member.is_absolute() or ".." in member.parts:
            raise ValueError(
                f"{path} holds the path {name!r}, which leads out of the archive; no publisher packs such a file. Not read."
            )


def _status(path: Path, sha256: str, official: Archive | None) -> str:
    if official is None:
        return "not official"
    if official.checksum is None:
        return "unverified"
    algorithm, digest = official.checksum
    return "official" if digest == (sha256 if algorithm == "sha256" else hash_file(path, algorithm)) else "not official"


def _hash_files(contents: Contents[Path], files: list[str]) -> str:
    digest = hashlib.sha256()
    for name in files:
        if contents.named(name):
            digest.update(f"{name}:{hash_file(contents.only(name))}\n".encode())
    return digest.hexdigest()
