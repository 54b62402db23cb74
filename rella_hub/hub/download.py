"""From a Hub id to a folder on this machine whose every byte is the one that the Hub holds.

The client of the Hub asks again where a connection breaks, and checks sizes. A file that was damaged on its way can have the right
size, so each file is hashed once after it came: large files are named by their SHA-256 in the cache, small ones by their git
hash. What differs is fetched again, once.
"""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Any

from huggingface_hub import snapshot_download
from huggingface_hub.errors import HfHubHTTPError, HFValidationError, HTTPError, LocalEntryNotFoundError

from rella_hub.cli.redaction import redacted
from rella_hub.files.hashes import git_hash, hash_file
from rella_hub.hub.client import guard

VERIFIED = ".verified"  # in the repository's folder of the cache: the names of the blobs that were hashed


def snapshot(
    repo_id: str, repo_type: str, patterns: list[str], revision: str | None = None, ignore: list[str] | None = None
) -> Path:
    """The folder of the files that match `patterns` and none of `ignore`, from the cache where they are there.

    With HF_HUB_OFFLINE=1 it is looked for in the cache alone.
    ValueError when there is no such repository or revision, when the network or the disk does not do, or when a file stays damaged.
    """
    guard()
    if repo_id and Path(repo_id).is_file():
        raise ValueError("it is a file; expected a folder, or a Hub id, owner/name.")
    arguments: dict[str, Any] = {
        "repo_type": repo_type,
        "revision": revision,
        "allow_patterns": patterns,
        "ignore_patterns": ignore,
    }
    try:
        folder = Path(snapshot_download(repo_id, **arguments))
        damaged = _damaged(folder)
        if damaged:
            for blob in damaged:
                blob.unlink()
            folder = Path(snapshot_download(repo_id, **arguments))
            damaged = _damaged(folder)
    except HFValidationError as error:
        raise ValueError("there is no such folder, nor is it a Hub id, owner/name.") from error
    except (HfHubHTTPError, LocalEntryNotFoundError, HTTPError, OSError) as error:
        if getattr(error, "errno", None) == errno.ENOSPC:
            raise ValueError(
                f"The disk is full, so {repo_id} could not be downloaded. Free space, or set HF_HOME to another disk, and run again."
            ) from error
        raise ValueError(redacted((str(error).strip().splitlines() or [type(error).__name__])[0])) from error
    if damaged:
        raise ValueError(
            f"{damaged[0].name[:12]} of {repo_id} came damaged twice: its hash is not the one that the Hub states. "
            "The network, a proxy or a mirror changes files; try another one."
        )
    return folder


def _damaged(folder: Path) -> list[Path]:
    """The blobs of a snapshot whose content is not what their name says; those found whole are remembered."""
    record = folder.parents[1] / VERIFIED
    known = set(record.read_text(encoding="utf-8").split()) if record.is_file() else set()
    blobs = {path.resolve() for path in folder.rglob("*") if path.is_file() and path.is_symlink()}
    fresh = sorted(blob for blob in blobs if blob.name not in known)
    damaged = [blob for blob in fresh if not _is_whole(blob)]
    whole = [blob.name for blob in fresh if blob not in damaged]
    if whole:
        with record.open("a", encoding="utf-8") as lines:
            lines.write("".join(f"{name}\n" for name in whole))
    return damaged


def _is_whole(blob: Path) -> bool:
    if len(blob.name) == 64:
        return hash_file(blob) == blob.name
    if len(blob.name) == 40:
        return git_hash(blob) == blob.name
    return True  # a mirror that names its files by something else
