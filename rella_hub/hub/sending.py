"""What is sent is what was checked: only files of their own folder, and each copied once to where nobody else writes, hashed on the way."""

from __future__ import annotations

import hashlib
from pathlib import Path

from rella_hub.cli.redaction import known_secrets

BLOCK = 4 * 1024**2


def require_own(path: Path, root: Path) -> Path:
    """`path`; ValueError unless it is a file that lies in the folder `root` itself, and not behind a link that leads out of it.

    A snapshot of the Hub's cache links to the blobs beside it, which are its own.
    """
    try:
        found, inside = path.resolve(strict=True), [root.resolve(strict=True)]
    except (OSError, RuntimeError) as error:
        raise ValueError(f"{path} cannot be read ({type(error).__name__}). Make it again.") from error
    if inside[0].parent.name == "snapshots":
        inside.append(inside[0].parents[1] / "blobs")
    if not any(found.is_relative_to(folder) for folder in inside):
        raise ValueError(
            f"{path} is a link that leads out of {root}, so it is nothing that was made here, and is not published. Put the file itself "
            "in its place, or make it again."
        )
    if not found.is_file():
        raise ValueError(f"{path} is no file. Remove it and make it again.")
    return path


def private_copy(source: Path, target: Path) -> str:
    """Copy a file, opened once, and give the SHA-256 of what was copied. ValueError when a token of this machine stands in it."""
    secrets = [secret.encode() for secret in known_secrets()]
    overlap = max(map(len, secrets), default=1) - 1
    digest, before = hashlib.sha256(), b""
    with source.open("rb") as read, target.open("xb") as written:
        while block := read.read(BLOCK):
            if any(secret in before + block for secret in secrets):
                raise ValueError(
                    f"{source} holds a token of this machine, so nothing is sent. Remove the token from it."
                )
            digest.update(block)
            written.write(block)
            before = (before + block)[-overlap:] if overlap else b""
    return digest.hexdigest()
