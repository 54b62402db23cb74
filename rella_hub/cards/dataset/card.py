"""Tables → README.md: the data card, which also tells `load_dataset` which configs there are."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from rella_hub.cards.dataset.render import render
from rella_hub.corpora import load_corpus
from rella_hub.files.ownership import writing_file
from rella_hub.stages.arguments import FolderArguments
from rella_hub.stages.prepare import TABLES
from rella_hub.stages.writing import CARD, DATA_CARD
from rella_hub.tables import records, store

PATTERN = re.compile(r"[\[\]{}*?$]|::")


def write_card(where: FolderArguments) -> None:
    names = current_tables(where)
    _warn_of_pattern(where.folder)
    text = render(where.folder, load_corpus(where.corpus), names)
    path = where.folder / CARD
    if path.is_file() and path.read_text(encoding="utf-8") == text:
        print(f"{path}: unchanged, kept.", flush=True)
        return
    with writing_file(path, DATA_CARD, where.overwrite) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")
    print(f"{path}: {len(names)} configs.", flush=True)


def _warn_of_pattern(folder: Path) -> None:
    """The commands of this project take a folder of any name; the library `datasets` does not."""
    if PATTERN.search(folder.name):
        print(
            f"WARNING: load_dataset cannot be relied on to read {folder}: it takes some of the characters []{{}}*?$ and :: in the name "
            "of a folder for a pattern or an address. Rename the folder if others are to read it.",
            file=sys.stderr,
            flush=True,
        )


def current_tables(where: FolderArguments) -> list[str]:
    """The tables of the folder that fit together; the others are named. ValueError when the prepared tables do not."""
    corpus = load_corpus(where.corpus)
    _check_whole(where.folder, corpus.id)
    outdated = records.outdated(where.folder)
    for name, source in outdated.items():
        print(
            f"WARNING: {where.folder / name} was made from another {source} than the one that stands there now. "
            f"The card leaves it out; build it again with --overwrite true, or remove it.",
            file=sys.stderr,
            flush=True,
        )
    return [name for name in store.table_names(where.folder) if name not in outdated]


def _check_whole(folder: Path, corpus_id: str) -> None:
    """ValueError when the prepared tables are not there, are of another corpus, or were not made together."""
    made_from = records.input_fingerprints(folder, list(TABLES))
    found = store.made_from(folder, "interactions")["corpus"]
    if found != corpus_id:
        raise ValueError(f"{folder} holds the corpus {found!r}, asked for is {corpus_id!r}. Pass another --output.")
    for name in store.table_names(folder):
        of_table = store.made_from(folder, name).get("corpus")
        if of_table != corpus_id:
            raise ValueError(
                f"{folder / name} is of the corpus {of_table!r}, the others of {corpus_id!r}. Remove {folder / name}."
            )
    differing = [name for name, made in made_from.items() if made != made_from["interactions"]]
    if differing:
        raise ValueError(
            f"{folder / differing[0]} and {folder / 'interactions'} were made from different inputs. "
            f"Prepare them again: python dataset_builders/prepare.py --corpus {corpus_id} --overwrite true"
        )
