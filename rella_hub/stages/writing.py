"""The folder of a data set while a command writes into it: its own names only, and one command at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from rella_hub.files import ownership, places
from rella_hub.files.writer import sole_writer
from rella_hub.stages.arguments import FolderArguments, RawArguments, ViewArguments
from rella_hub.stages.view import VIEWS
from rella_hub.tables import records, store
from rella_hub.views import config_name, table_name

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


def view_tables(options: ViewArguments) -> list[str]:
    return [table_name(config) for config in configs(options)]


def configs(options: ViewArguments) -> list[str]:
    return [config_name(view, length) for length in options.history_length for view in VIEWS if view in options.view]
