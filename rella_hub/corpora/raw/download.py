"""Download an official archive: resumed where it broke off, checked against its published checksum, whole or not at all."""

from __future__ import annotations

import http.client
import time
import urllib.error
import urllib.request
from pathlib import Path

from tqdm import tqdm

from rella_hub.corpora.raw.archive import Archive
from rella_hub.files import ownership
from rella_hub.files.hashes import hash_file
from rella_hub.files.places import real
from rella_hub.files.writer import sole_writer

CHUNK = 1 << 20
ATTEMPTS = 5
DOWNLOAD = "download"


def download(archive: Archive, folder: Path, wait_seconds: float = 2.0) -> Path:
    """The path of the verified archive in `folder`; a file that is there already is verified instead of fetched.

    Of a publisher who packs no archive it is the folder of the files, which nothing vouches for but their own packing.

    A broken transfer leaves `<name>.part`, from which the next attempt, or the next run, goes on. Raises ValueError
    when the address cannot be reached or the bytes are not the official ones. Only what was downloaded here is removed.
    """
    if archive.beside:
        inside = folder / archive.file_name.partition(".")[0]
        for url in (archive.url, *archive.beside):
            download(Archive(url, None, None, None), inside, wait_seconds)
        return inside
    target = folder / archive.file_name
    if not real(target).exists():
        with sole_writer(target, beside=True):
            _download(archive, target, wait_seconds)
    elif problem := _problem(target, archive):
        raise ValueError(
            f"{target} is not the official archive: {problem}. Remove it to download the official one, or use it all the same "
            f"with --raw {target}."
        )
    return target


def _download(archive: Archive, target: Path, wait_seconds: float) -> None:
    part = target.with_name(target.name + ".part")
    ownership.require_replaceable(part, DOWNLOAD)
    ownership.note(target.parent, DOWNLOAD, {part.name: None})
    _fetch(archive, part, wait_seconds)
    problem = _problem(part, archive)
    if problem:
        ownership.remove(target.parent, DOWNLOAD, [part.name])
        raise ValueError(
            f"{archive.file_name} from {archive.url}: {problem}. What came was removed; run again, or pass an archive you "
            f"trust with --raw."
        )
    ownership.note(target.parent, DOWNLOAD, {target.name: part})
    part.replace(target)
    ownership.remove(target.parent, DOWNLOAD, [part.name])


def _fetch(archive: Archive, part: Path, wait_seconds: float) -> None:
    for attempt in range(ATTEMPTS):
        try:
            _fetch_rest(archive, part)
            return
        except urllib.error.HTTPError as error:
            if error.code == 416:  # nothing is left to fetch: what is there gets verified
                return
            if error.code < 500 and error.code != 429:
                raise ValueError(
                    f"{archive.url} answered {error.code} {error.reason}. Get it by other means and pass it with --raw."
                ) from error
            failure = error
        except (OSError, http.client.HTTPException) as error:
            failure = error
        if attempt + 1 < ATTEMPTS:
            time.sleep(wait_seconds * 2**attempt)
    raise ValueError(
        f"{archive.url} could not be fetched ({failure}); tried {ATTEMPTS} times, the part that came is kept for the next run. "
        f"Without a network, get the archive by other means and pass it with --raw."
    ) from failure


def _fetch_rest(archive: Archive, part: Path) -> None:
    have = part.stat().st_size if part.exists() else 0
    request = urllib.request.Request(archive.url, headers={"Range": f"bytes={have}-"} if have else {})
    with urllib.request.urlopen(request, timeout=60) as answer:
        resumed = answer.status == 206
        length = int(answer.headers.get("Content-Length") or 0)
        total = length + have if resumed else length
        with (
            part.open("ab" if resumed else "wb") as out,
            tqdm(
                total=total or None, initial=have if resumed else 0, unit="B", unit_scale=True, desc=archive.file_name
            ) as bar,
        ):
            while chunk := answer.read(CHUNK):
                out.write(chunk)
                bar.update(len(chunk))
        if total and part.stat().st_size < total:
            raise OSError(f"the connection closed after {part.stat().st_size:,} of {total:,} bytes")


def _problem(path: Path, archive: Archive) -> str | None:
    """How a file differs from the official archive: by the strongest checksum that is published."""
    if archive.checksum is None:
        return None
    algorithm, expected = archive.checksum
    got = hash_file(path, algorithm)
    return None if got == expected else f"{algorithm} is {got}, expected {expected} ({path.stat().st_size:,} bytes)"
