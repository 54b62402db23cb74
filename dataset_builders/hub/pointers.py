"""Files that are not there although something of their name is: a repository that was cloned without Git LFS, or a copy that broke off."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

POINTER = b"version https://git-lfs.github.com/spec/"
NEVER_EMPTY = {".safetensors", ".json", ".parquet", ".model"}


def refuse_hollow(paths: Iterable[Path]) -> None:
    """ValueError for the first file that is a pointer of Git LFS in place of the file, or empty where no such file is."""
    for path in paths:
        reason = hollow(path)
        if reason:
            raise ValueError(f"{path} {reason}")


def hollow(path: Path) -> str | None:
    """Why a file is not the one that its name says, and what to do; None where it may be."""
    with path.open("rb") as stream:
        start = stream.read(len(POINTER))
    if start == POINTER:
        return "is a pointer of Git LFS in place of the file. Run `git lfs pull` in its folder, or get it with `hf download`."
    return "is empty. Get it again." if not start and path.suffix in NEVER_EMPTY else None
