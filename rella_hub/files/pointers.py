"""Files that are not there although something of their name is: a repository that was cloned without Git LFS, or a copy that broke off."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

POINTER = b"version https://git-lfs.github.com/spec/"
NEVER_EMPTY = {".safetensors", ".json", ".model"}


def refuse_hollow(paths: Iterable[Path]) -> None:
    """ValueError for the first file that is a pointer of Git LFS in place of the file, or empty where no such file is."""
    for path in paths:
        reason = pointer(path)
        if reason is None and path.suffix in NEVER_EMPTY and not path.stat().st_size:
            reason = "is empty. Get it again."
        if reason:
            raise ValueError(f"{path} {reason}")


def pointer(path: Path) -> str | None:
    """What to do about a file that is a pointer of Git LFS, in words; None for any other."""
    with path.open("rb") as stream:
        if stream.read(len(POINTER)) != POINTER:
            return None
    return (
        "is a pointer of Git LFS in place of the file. Run `git lfs pull` in its folder, or get it with `hf download`."
    )
