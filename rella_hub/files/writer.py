"""One writer at a time: a lock that ends with its process, however that ends, and says who holds it."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from rella_hub.files.places import real

LOCK = ".rella.lock"
_HOLDER = "held by process "  # the beginning of every lock file of ours


@contextmanager
def sole_writer(target: Path, beside: bool = False, wait_seconds: float = 0) -> Iterator[None]:
    """ValueError while another process writes `target`. The process that holds it may enter again.

    beside: the lock lies beside `target` and not inside, for a file or for a folder that is replaced as a whole.
    """
    target = real(target)
    path = target.with_name(f".{target.name}.lock") if beside else target / LOCK
    made = _make(path.parent)
    try:
        lock = _acquired(path, target, wait_seconds)
        try:
            if lock.lock_counter == 1:
                path.write_text(f"{_HOLDER}{os.getpid()} on {socket.gethostname()}\n", encoding="utf-8")
            yield
        finally:
            if lock.lock_counter == 1:
                path.unlink(missing_ok=True)  # while it is held: whoever waits for it notices and makes a new one
            lock.release()
    finally:
        for folder in made:  # where nothing was written into them
            with suppress(OSError):
                folder.rmdir()


def hold(path: Path) -> FileLock:
    """A lock on a new file at `path`, to be released by the caller."""
    lock = FileLock(path, timeout=0, thread_local=False)
    lock.acquire()
    path.write_text(f"{_HOLDER}{os.getpid()} on {socket.gethostname()}\n", encoding="utf-8")
    return lock


def is_abandoned(path: Path) -> bool:
    """Whether `path` is a lock file of ours whose process has ended."""
    return _is_lock(path) and not is_held(path)


def is_held(path: Path) -> bool:
    """Whether `path` is a lock file of ours whose process goes on."""
    if not _is_lock(path):
        return False
    lock = FileLock(path, timeout=0, thread_local=False)
    try:
        lock.acquire()
    except (Timeout, OSError):
        return True
    lock.release()
    return False


def _is_lock(path: Path) -> bool:
    return not path.is_symlink() and path.is_file() and _is_ours(path)


def _acquired(path: Path, target: Path, wait_seconds: float) -> FileLock:
    if path.exists() and not _is_ours(path):
        raise ValueError(f"{path} is no lock of this project. Move it, or give another output.")
    lock = FileLock(path, is_singleton=True, thread_local=False)
    try:
        lock.acquire(timeout=wait_seconds)
    except Timeout as error:
        with suppress(OSError):
            raise ValueError(
                f"{target} is being written by another command ({path.read_text(encoding='utf-8').strip()}). Wait until it has ended, "
                "or give another output."
            ) from error
        raise ValueError(f"{target} is being written by another command. Run again.") from error
    except OSError as error:
        raise _not_writable(path.parent, error) from error
    return lock


def _is_ours(path: Path) -> bool:
    """An empty one is of a process that was stopped before it could say who it is."""
    try:
        text = path.read_bytes()[: len(_HOLDER)]
    except OSError:
        return False
    return text in (b"", _HOLDER.encode())


def _make(folder: Path) -> list[Path]:
    """Make a folder and those above it; the ones that were made, innermost first."""
    made = [one for one in (folder, *folder.parents) if not one.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _not_writable(folder, error) from error
    return made


def _not_writable(folder: Path, error: OSError) -> ValueError:
    if error.errno == errno.ENOSPC:
        return ValueError(f"The disk of {folder} is full. Free space, run again.")
    return ValueError(f"{folder} cannot be written to ({error.strerror or error}). Give another output.")
