"""A folder or a file takes its place whole, by a rename, or not at all; what else lies in the folder stays.

Everything temporary lies in one folder beside the target, `.<name>.<random>.tmp`, on the same file system: a lock that says that it is in
use, `new` (what is being written) and, for a moment, `old` (what is being replaced). A process that is killed outright leaves it to
the next one that writes the same target.
"""

from __future__ import annotations

import errno
import os
import re
import shutil
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from rella_hub.files.places import real
from rella_hub.files.writer import LOCK, hold, is_abandoned

OwnNames = Callable[[Path], set[str]]  # folder → the files in it, by relative name, that may be replaced and removed
_NEW, _OLD = "new", "old"
_NO_SPACE = os.strerror(errno.ENOSPC)


def no_names(folder: Path) -> set[str]:
    return set()


@contextmanager
def replacing(target: Path, own_names: OwnNames = no_names) -> Iterator[Path]:
    """A temporary folder that becomes `target` when the block ends well, and vanishes when it does not.

    Of what `target` holds, only `own_names` are replaced or removed; all else is found in it afterwards as before. ValueError, and
    nothing changed, where a file that is none of them has a name that is to be written.
    """
    target = real(target)
    with full_disk_said(target), temporary_beside(target, own_names) as temporary:
        new = temporary / _NEW
        new.mkdir()
        yield new
        for name in files_in(new):
            _open_to_others(new / name)
        if target.exists():
            _refuse_others(new, target, own_names(target))
            shutil.copymode(target, new)
        try:
            if target.exists():
                target.rename(temporary / _OLD)
            new.rename(target)
        except BaseException:
            _put_back(temporary, target)
            raise


@contextmanager
def replacing_file(target: Path) -> Iterator[Path]:
    """The same for a single file, whosever it is: `records.writing_file` asks that first."""
    target = real(target)
    with full_disk_said(target), temporary_beside(target) as temporary:
        yield temporary / target.name
        _open_to_others(temporary / target.name)
        (temporary / target.name).replace(target)


@contextmanager
def temporary_beside(target: Path, own_names: OwnNames = no_names) -> Iterator[Path]:
    """A folder of this process beside `target`, where only what becomes `target` or helps to make it lies."""
    target.parent.mkdir(parents=True, exist_ok=True)
    clear_abandoned(target, own_names)
    temporary = target.with_name(f".{target.name}.{uuid.uuid4().hex[:8]}.tmp")
    temporary.mkdir()  # fails where the name is taken, by whomever
    lock = None
    try:
        lock = hold(temporary / LOCK)
        yield temporary
    finally:
        _clear(temporary, target, own_names)
        if lock is not None:
            lock.release()


def clear_abandoned(target: Path, own_names: OwnNames = no_names) -> None:
    """Remove what a killed process left beside `target`; a folder that it was just replacing is put back."""
    name = re.compile(rf"\.{re.escape(target.name)}\.[0-9a-f]{{8}}\.tmp")
    for path in target.parent.iterdir() if target.parent.is_dir() else ():
        if name.fullmatch(path.name) and not path.is_symlink() and is_abandoned(path / LOCK):
            _clear(path, target, own_names)


@contextmanager
def full_disk_said(target: Path) -> Iterator[None]:
    """ValueError for a disk or a quota that has no room left, whichever library met it."""
    try:
        yield
    except Exception as error:
        if getattr(error, "errno", None) not in (errno.ENOSPC, errno.EDQUOT) and _NO_SPACE not in str(error):
            raise
        raise ValueError(
            f"The disk of {target.parent} is full. {target.name} was not written; free space, run again."
        ) from error


def files_in(folder: Path) -> set[str]:
    """The relative names of all files, and of links, which are not followed."""
    return {
        (Path(at) / name).relative_to(folder).as_posix()
        for at, folders, files in os.walk(folder)
        for name in (*files, *(one for one in folders if (Path(at) / one).is_symlink()))
    }


def _open_to_others(file: Path) -> None:
    """Give a file the permissions of any that is made in its folder: safetensors keeps its files to their owner."""
    if not file.is_symlink():
        file.chmod(file.parent.stat().st_mode & 0o666)


def _refuse_others(new: Path, target: Path, own: set[str]) -> None:
    for name in sorted(files_in(new)):
        taken = next((part for part in (name, *_parents(name)) if _is_other(target / part, part, own, name)), None)
        if taken:
            raise ValueError(
                f"{target / taken} was not written by this command, so it is not replaced. Move it, or give another output."
            )


def _is_other(path: Path, name: str, own: set[str], wanted: str) -> bool:
    if name == wanted:
        return os.path.lexists(path) and name not in own
    return os.path.lexists(path) and (path.is_symlink() or not path.is_dir())  # a folder on the way is a file or a link


def _parents(name: str) -> list[str]:
    return [one.as_posix() for one in Path(name).parents if one != Path()]


def _put_back(temporary: Path, target: Path) -> None:
    if (temporary / _OLD).exists() and not target.exists():
        (temporary / _OLD).rename(target)


def _clear(temporary: Path, target: Path, own_names: OwnNames) -> None:
    _put_back(temporary, target)
    old = temporary / _OLD
    if not old.exists() or _move_others(old, target, own_names(old)):
        shutil.rmtree(temporary, ignore_errors=True)


def _move_others(old: Path, target: Path, own: set[str], at: str = "") -> bool:
    """Move into `target` what lies in `old` and is none of `own`; whether all of it found its place free."""
    moved = True
    for path in sorted((old / at).iterdir()):
        name = path.relative_to(old).as_posix()
        if name in own or name == LOCK:
            continue
        inside = path.is_dir() and not path.is_symlink()
        if inside and ((target / name).is_dir() or any(one.startswith(f"{name}/") for one in own)):
            moved = _move_others(old, target, own, name) and moved
        elif os.path.lexists(target / name):
            moved = False
        else:
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            path.rename(target / name)
    return moved
