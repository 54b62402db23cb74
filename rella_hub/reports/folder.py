"""The folder of a report: only files of reports are replaced in it, and none that somebody has changed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rella_hub.files import ownership, places
from rella_hub.files.writer import sole_writer

REPORT = "report"  # what the files are recorded as
Write = Callable[[str, str | Callable[[Path], None]], None]  # a name, and a text or a function that writes a file


@dataclass(frozen=True)
class ReportFolder:
    path: Path
    overwrite: bool = False  # replace also what was changed since it was written
    reads: Iterable[str | Path | None] = ()  # the data sets that the report is on: it is not written into one of them

    def __post_init__(self):
        places.check_folder(self.path, reads=self.reads)

    @contextmanager
    def writing(self, *names: str) -> Iterator[Write]:
        """A function that writes a file of one of these names whole. ValueError before the block where one of them is not ours."""
        with sole_writer(self.path):
            for name in names:
                ownership.require_replaceable(self.path / name, REPORT, self.overwrite)
            yield self._write

    def _write(self, name: str, content: str | Callable[[Path], None]) -> None:
        with ownership.writing_file(self.path / name, REPORT, self.overwrite) as temporary:
            if isinstance(content, str):
                temporary.write_text(content, encoding="utf-8")
            else:
                content(temporary)
