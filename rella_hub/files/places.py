"""Where a command may write: links followed first, and never into what it reads or over a folder that is more than its own."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path


def real(path: Path) -> Path:
    """The place itself, with every link on the way followed. ValueError where a link leads nowhere."""
    for part in (path, *path.parents):
        if part.is_symlink() and not part.exists():
            raise ValueError(
                f"{part} is a link to {part.readlink()}, which is not there. Make what it leads to, or give another output."
            )
    return Path(os.path.realpath(path))


def check_folder(path: Path, option: str = "--output", reads: Iterable[str | Path | None] = ()) -> None:
    """ValueError unless `path` is a folder, or free for one, outside the folders in `reads`: those that the command reads."""
    place = real(path)
    if place.exists() and not place.is_dir():
        raise ValueError(f"{option} {path} is a file. Give a folder.")
    _check_apart(place, path, option, reads)


def check_own_folder(path: Path, option: str = "--output", reads: Iterable[str | Path | None] = ()) -> None:
    """The same for a folder that takes all of an output, so that it can be no folder that holds other things by its nature."""
    check_folder(path, option, reads)
    place = real(path)
    shared = {Path.home().resolve(): "the home folder", **dict.fromkeys(Path.cwd().parents, "above the current folder")}
    shared |= {Path.cwd(): "the current folder", Path(place.anchor): "the root of the file system"}
    if place in shared:
        raise ValueError(f"{option} {path} is {shared[place]}. Give a folder of its own, such as {path / 'new'}.")


def check_replaced_folder(path: Path, option: str = "--output", reads: Iterable[str | Path | None] = ()) -> None:
    """The same for a folder that is replaced as a whole, by a rename."""
    check_own_folder(path, option, reads)
    if os.path.ismount(real(path)):
        raise ValueError(f"{option} {path} is a mount point, which cannot be replaced. Give a folder in it.")


def check_file(path: Path, option: str = "--output", reads: Iterable[str | Path | None] = ()) -> None:
    """ValueError unless `path` is a file, or free for one, that is none of `reads` and in none of them."""
    place = real(path)
    if place.is_dir():
        raise ValueError(f"{option} {path} is a folder. Give a file.")
    _check_apart(place, path, option, reads)


def _check_apart(place: Path, path: Path, option: str, reads: Iterable[str | Path | None]) -> None:
    for one in reads:
        if one is None or not Path(one).exists():  # a Hub id
            continue
        source = Path(one).resolve()
        if place == source or source in place.parents:
            where = "is" if place == source else "lies inside"
            raise ValueError(f"{option} {path} {where} {one}, which this command reads. Give another {option}.")
