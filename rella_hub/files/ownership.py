"""What this project wrote into a folder: a small file beside it that lists names and hashes, and is asked before anything is replaced.

    .rella.json   {"format": "rella.outputs", "version": 1, "folder_of": "ctr run",
                   "files": {"training.json": {"by": "ctr run", "sha256": ["..."]}, ...}}

`folder_of` is the kind of command whose folder it is as a whole, null where only files of it are ours. A file has the hash of what was
written, and before it that of what this replaced; no hash where it is ours whatever it holds. Tables and score files need no such
list: each Parquet file says itself what it was made from.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from rella_hub.files.hashes import hash_file
from rella_hub.files.places import real
from rella_hub.files.replace import files_in, replacing, replacing_file
from rella_hub.files.writer import LOCK, sole_writer

FILE = ".rella.json"
FORMAT, VERSION = "rella.outputs", 1
_WAIT_SECONDS = 20  # for another command that notes its files in the same folder


@dataclass(frozen=True)
class Entry:
    by: str  # the kind of command
    sha256: tuple[str, ...] = ()  # of its content; none: not looked at


@dataclass(frozen=True)
class Record:
    files: dict[str, Entry] = field(default_factory=dict)
    folder_of: str | None = None


def read(folder: Path) -> Record:
    """An empty record where there is none. ValueError where a file of that name is something else."""
    path = folder / FILE
    if not path.exists() and not path.is_symlink():
        return Record()
    try:
        if path.is_symlink():
            raise ValueError("it is a link")
        return _parsed(json.loads(path.read_text(encoding="utf-8")))
    except ValueError as error:
        raise ValueError(
            f"{path} is not the record of what this project wrote there ({error}), so nothing there is replaced. Move it, or give another "
            "output."
        ) from error


def own_names(folder: Path, by: str) -> set[str]:
    """The files that commands of this kind wrote into `folder`, the record among them where it lists no others."""
    record = read(folder)
    names = {name for name, entry in record.files.items() if entry.by == by}
    return {*names, FILE, LOCK} if record.folder_of == by else names


def require_replaceable(path: Path, by: str, overwrite: bool = False) -> None:
    """ValueError where `path` holds a file that this command did not write or, without `overwrite`, that was changed since."""
    place = real(path)
    if not place.exists():
        return
    entry = read(place.parent).files.get(place.name)
    if entry is None or entry.by != by or not place.is_file():
        raise ValueError(
            f"{path} was not written by this command, or {FILE} beside it was lost, so it is not replaced. Move it, or give another output."
        )
    if not overwrite and _is_changed(place, entry):
        raise ValueError(
            f"{path} was changed after it was written. Pass --overwrite true to replace it, or give another output."
        )


def require_own_folder(folder: Path, by: str) -> None:
    """ValueError where `folder` holds anything and is not the folder of a command of this kind."""
    place = real(folder)
    if not place.exists():
        return
    if not place.is_dir():
        raise ValueError(f"{folder} is a file. Give a folder.")
    found = sorted(path.name for path in place.iterdir() if path.name != LOCK)
    if found and read(place).folder_of != by:
        raise ValueError(
            f"{folder} exists and is no {by} of this project: it holds {found[0]!r}, and no {FILE} that says so. It is left as it is; "
            "give another output."
        )


def open_folder(folder: Path, by: str) -> None:
    """Make `folder` that of a command of this kind, before the first file is in it."""
    require_own_folder(folder, by)
    place = real(folder)
    place.mkdir(parents=True, exist_ok=True)
    if read(place).folder_of is None:
        _write(place, Record(folder_of=by))


@contextmanager
def writing_folder(target: Path, by: str) -> Iterator[Path]:
    """`replace.replacing` for the folder of a command of this kind: what it wrote before is replaced, and only that."""
    require_own_folder(target, by)
    with replacing(target, lambda folder: own_names(folder, by)) as new:
        yield new
        others = {name: entry for name, entry in read(real(target)).files.items() if entry.by != by}
        written = {name: Entry(by, (hash_file(new / name),)) for name in files_in(new)}
        _write(new, Record({**others, **written}, by))


@contextmanager
def writing_file(target: Path, by: str, overwrite: bool = False) -> Iterator[Path]:
    """`replace.replacing_file` for a file that a command of this kind wrote, or that is not there yet."""
    require_replaceable(target, by, overwrite)
    place = real(target)
    with replacing_file(place) as temporary:
        yield temporary
        require_replaceable(target, by, overwrite)  # somebody may have put one there meanwhile
        note(place.parent, by, {place.name: temporary})


def note(folder: Path, by: str, contents: dict[str, Path | None]) -> None:
    """Record that files are of a command of this kind: by name, with the file whose content they have or get; None: any."""
    with sole_writer(folder, wait_seconds=_WAIT_SECONDS):
        record = read(folder)
        entries = {name: _entry(by, path, record.files.get(name)) for name, path in contents.items()}
        if not entries.items() <= record.files.items():
            _write(folder, Record({**record.files, **entries}, record.folder_of))


def remove(folder: Path, by: str, names: Iterable[str]) -> None:
    """Remove those of the files that commands of this kind wrote and nobody changed, and folders that are empty then."""
    place = real(folder)
    with sole_writer(place, wait_seconds=_WAIT_SECONDS):
        record = read(place)
        removed = {name for name in names if _unlink(place, name, record.files.get(name), by)}
        if removed:
            left = {name: entry for name, entry in record.files.items() if name not in removed}
            _write(place, Record(left, record.folder_of))


def remove_folder(folder: Path, by: str) -> None:
    """Remove what a command of this kind wrote into its own folder, and the folder where nothing else is in it."""
    place = real(folder)
    if not place.is_dir() or read(place).folder_of != by:
        return
    remove(place, by, own_names(place, by) - {FILE, LOCK})
    if {path.name for path in place.iterdir()} == {FILE}:
        (place / FILE).unlink()
        place.rmdir()


def remove_all(folder: Path) -> None:
    """Remove what commands of any kind wrote into `folder` and nobody changed, and the record where it lists no file any more."""
    for by in {entry.by for entry in read(folder).files.values()}:
        remove(folder, by, own_names(folder, by) - {FILE, LOCK})
    if (folder / FILE).exists() and not read(folder).files:
        (folder / FILE).unlink()


def _unlink(folder: Path, name: str, entry: Entry | None, by: str) -> bool:
    path = folder / name
    if entry is None or entry.by != by or path.parent.resolve() != path.parent or path.is_symlink():
        return False
    if path.is_file():
        if _is_changed(path, entry):
            return False
        path.unlink()
    for above in path.relative_to(folder).parents:
        if above != Path():
            with suppress(OSError):  # something else is in it
                (folder / above).rmdir()
    return True


def _entry(by: str, path: Path | None, before: Entry | None) -> Entry:
    if path is None:
        return Entry(by)
    found = hash_file(path)
    last = before.sha256[:1] if before and before.by == by else ()
    return Entry(by, (found, *(one for one in last if one != found)))


def _is_changed(path: Path, entry: Entry) -> bool:
    return bool(entry.sha256) and hash_file(path) not in entry.sha256


def _write(folder: Path, record: Record) -> None:
    files = {name: {"by": entry.by, "sha256": list(entry.sha256)} for name, entry in sorted(record.files.items())}
    values = {"format": FORMAT, "version": VERSION, "folder_of": record.folder_of, "files": files}
    with replacing_file(folder / FILE) as temporary:
        temporary.write_text(json.dumps(values, indent=1) + "\n", encoding="utf-8")


def _parsed(values: object) -> Record:
    if not isinstance(values, dict) or (values.get("format"), values.get("version")) != (FORMAT, VERSION):
        raise ValueError(f"expected the format {FORMAT}, version {VERSION}")
    owner, files = values.get("folder_of"), values.get("files")
    if not isinstance(owner, str | None) or not isinstance(files, dict):
        raise ValueError("expected folder_of and files")
    return Record({name: _parsed_entry(name, entry) for name, entry in files.items()}, owner)


def _parsed_entry(name: str, values: object) -> Entry:
    path = PurePosixPath(name)
    by, hashes = (values.get("by"), values.get("sha256")) if isinstance(values, dict) else (None, None)
    if path.is_absolute() or ".." in path.parts or not path.parts:
        raise ValueError(f"{name!r} is no file in it")
    if not isinstance(by, str) or not isinstance(hashes, list) or not all(isinstance(one, str) for one in hashes):
        raise ValueError(f"expected by and sha256 of {name!r}")
    return Entry(by, tuple(hashes))
