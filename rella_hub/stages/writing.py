"""The folder of a data set while a command writes into it: its own names only, and one command at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from rella_hub.files import ownership, places
from rella_hub.files.writer import sole_writer
from rella_hub.stages.arguments import FolderArguments, RawArguments
from rella_hub.tables import records, store

CARD, DATA_CARD = "README.md", "data card"  # the file, and what it is
ENCODER_NOTE = "encoder note"


@contextmanager
def writing(where: FolderArguments, tables: Iterable[str], reads: Iterable[str | None] = ()) -> Iterator[None]:
    """ValueError before any work where the folder is one that the command reads, a name in it is taken, or another command writes there."""
    places.check_own_folder(where.folder, reads=reads)
    with sole_writer(where.folder):
        for table in tables:
            records.require_own_table(where.folder, table)
        ownership.require_replaceable(where.folder / store.ENCODER_FOLDER, ENCODER_NOTE, overwrite=True)
        ownership.require_replaceable(where.folder / CARD, DATA_CARD, where.overwrite)
        yield


def raw_of(source: RawArguments) -> str:
    """What `prepare` reads: the archive or folder that was given, or the folder that it downloads into."""
    return source.raw or str(Path(source.raw_folder))
