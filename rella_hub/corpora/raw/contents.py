"""Which entries of an archive or folder are the files of a corpus, however it was packed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Generic, TypeVar

File = TypeVar("File")
DEEPEST = 3  # folders below the one that is given
SHOWN = 12  # names in a message
OF_A_MAC = "__MACOSX"  # holds shadows of the files, not the files
ARCHIVES = (".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".7z", ".rar")


@dataclass(frozen=True)
class Contents(Generic[File]):
    """The files in an archive or folder: where each lies in it, and what opens it."""

    path: Path
    files: list[tuple[str, File]]
    of_archive: bool

    def named(self, name: str) -> list[tuple[str, File]]:
        """Those of that name, by its spelling or else in other letter cases; what lies in a hidden folder does not count."""
        seen = [(parts_of(where), where, file) for where, file in self.files]
        seen = [entry for entry in seen if not any(map(is_hidden, entry[0][:-1]))]
        exact = [(where, file) for parts, where, file in seen if parts[-1] == name]
        return exact or [(where, file) for parts, where, file in seen if parts[-1].lower() == name.lower()]

    def only(self, name: str) -> File:
        """The one file of that name; ValueError naming what there is where it is missing or double."""
        found = self.named(name)
        if len(found) == 1:
            return found[0][1]
        if found:
            places = " and ".join(printable(where) for where, _ in found[:SHOWN])
            raise ValueError(
                f"{self.path} must hold {name} once, it holds it {len(found)} times: {places}. "
                f"{'Pack only the right one.' if self.of_archive else 'Give the right folder with --raw.'}"
            )
        lacks = f"must hold {name} once, it holds it 0 times" if self.of_archive else f"has no file {name}"
        raise ValueError(f"{self.path} {lacks}. It holds: {self.listed()}.{self._hint(name)}")

    def listed(self) -> str:
        """The names in it, for a message."""
        names = sorted({printable(parts_of(where)[-1]) for where, _ in self.files})
        return ", ".join(names[:SHOWN]) + (f" and {len(names) - SHOWN} more" if names[SHOWN:] else "") or "nothing"

    def _hint(self, name: str) -> str:
        """What to do where a file of that name lies in it in another form."""
        names = sorted(parts_of(where)[-1] for where, _ in self.files)
        for other in names:
            if other.lower().startswith(f"{name.lower()}."):
                return f" Unpack {printable(other)} first."
        for other in names:
            if Path(other).stem.lower() == Path(name).stem.lower():
                return f" {printable(other)} is another form of it; give {name} as published."
        for other in names:
            if other.lower().endswith(ARCHIVES):
                return f" If the files are in {printable(other)}, unpack that and give its folder with --raw."
        return ""


def of_folder(folder: Path, layouts: list[list[str]]) -> Contents[Path]:
    """The files right in a folder where they are all of a layout, else also those of its sub-folders."""
    there = Contents(folder, [(file.name, file) for file in sorted(folder.iterdir()) if file.is_file()], False)
    if any(all(there.named(name) for name in layout) for layout in layouts):
        return there
    below = {
        file.resolve(): file for file in reversed(list(_files_below(folder, DEEPEST)))
    }  # a link adds no second file
    files = sorted(below.values())
    return Contents(folder, [(file.relative_to(folder).as_posix(), file) for file in files], False)


def _files_below(folder: Path, depth: int) -> Iterator[Path]:
    for entry in sorted(folder.iterdir()):
        if entry.is_file():
            yield entry
        elif depth and entry.is_dir() and not is_hidden(entry.name):
            yield from _files_below(entry, depth - 1)


def parts_of(where: str) -> tuple[str, ...]:
    """The folders and the name; Windows tools put backslashes between them."""
    return PurePosixPath(where.replace("\\", "/")).parts or ("",)


def is_hidden(folder: str) -> bool:
    return folder == OF_A_MAC or (folder.startswith(".") and folder != "..")


def printable(name: str) -> str:
    return name if name.isprintable() else ascii(name)
