"""What data sets measure, for a table of a paper: rows and distinct values, and how mixed the behaviors are that the views show."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import polars as pl

from rella_hub.cards.dataset.heterogeneity import heterogeneity
from rella_hub.corpora import Corpus, load_corpus
from rella_hub.paper.facts import Measured
from rella_hub.paper.tables import PaperTable
from rella_hub.stages.prepare import field_counts
from rella_hub.tables import store
from rella_hub.views import config_name, table_name

HETEROGENEITY = "distinct_genres"
VIEWS = ("recency", "subr")
HISTORY_FIELDS = (
    2  # the items and the ratings of the history, which the paper counts beside the fields of user and item
)


def folders_of(table: PaperTable, given: list[str]) -> list[Path]:
    """The folders of built data sets that are given; all of `rella/` where none is."""
    folders = [Path(folder) for folder in given] or sorted(Path("rella").glob("*/"))
    for folder in folders:
        if not store.table_splits(folder, "samples"):
            raise ValueError(f"{folder} is no folder of a built data set. Give one, or several, with --dataset.")
    if not folders:
        raise ValueError(
            f"--table {table.name} needs --dataset with the folder of a built data set; there is none in rella/."
        )
    return folders


def measured(table: PaperTable, folders: list[Path]) -> list[Measured]:
    found = [one for folder in folders for one in _measure(table, folder)]
    if not found:
        raise ValueError(
            f"No data set has a view of {' or '.join(VIEWS)}. Build some: dataset_builders/view.py --history_length ..."
        )
    return found


def archives(folders: list[Path]) -> dict[str, list[str]]:
    """By corpus what its data set was made from, in sentences."""
    found = {}
    for folder in folders:
        made_from = store.made_from(folder, "samples")
        found.setdefault(made_from["corpus"], []).append(
            f"{store.count_rows(folder, 'interactions'):,} ratings; archive {made_from['raw_status']}, SHA-256 "
            f"{made_from['raw_sha256'][:16]}, {made_from['rules']['label']}."
        )
    return found


def _measure(table: PaperTable, folder: Path) -> list[Measured]:
    corpus = load_corpus(store.made_from(folder, "samples")["corpus"])
    if HETEROGENEITY not in table.values:
        return [Measured(str(folder), {"corpus": corpus.id}, count(folder, corpus), {})]
    built = _views(folder)
    if not built:
        print(f"WARNING: {folder} has no view of {' or '.join(VIEWS)}, so it is left out.", file=sys.stderr, flush=True)
        return []
    mixed = heterogeneity(folder, list(built.values()), corpus.group_field)
    return [
        Measured(
            str(folder),
            {"corpus": corpus.id, "view": view, "history_length": length},
            {HETEROGENEITY: mixed[name]},
            {},
        )
        for (view, length), name in built.items()
    ]


def count(folder: Path, corpus: Corpus) -> dict[str, int]:
    """Users, items, samples, fields and features, counted as the paper counts each corpus."""
    users, items = (store.frame(folder, name) for name in ("users", "items"))
    columns = ["item_id", "rating"] if store.has_labels(folder) else ["item_id"]
    interactions = store.read(folder, "interactions", columns=columns)
    counted = (
        items["item_id"] if corpus.unrated_items_count else pl.Series(np.unique(interactions["item_id"].to_numpy()))
    )
    distinct = field_counts(users, items, counted)
    ratings = len(np.unique(interactions["rating"].to_numpy())) if "rating" in columns else 0
    return {
        "users": len(users),
        "items": len(counted),
        "samples": sum(store.count_rows(folder, "samples", split) for split in store.SPLITS),
        "fields": len(corpus.features) + HISTORY_FIELDS,
        "features": sum(distinct[field] for field in corpus.features) + ratings,
    }


def _views(folder: Path) -> dict[tuple[str, int], str]:
    """(view, K) -> table, for what is built of recency and SUBR, in the order of the paper's table."""
    lengths = sorted({int(name.rpartition("_k")[2]) for name in store.table_names(folder) if name.startswith("view_")})
    names = {(view, length): table_name(config_name(view, length)) for view in VIEWS for length in lengths}
    return {key: name for key, name in names.items() if store.table_splits(folder, name)}
