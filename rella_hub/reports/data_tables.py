"""Tables on the data itself, ours beside the paper's, as Markdown: one for all of the data sets that are built."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl

from rella_hub.cards.dataset.heterogeneity import heterogeneity
from rella_hub.corpora import Corpus, load_corpus
from rella_hub.paper.tables import read_table
from rella_hub.reports.folder import ReportFolder
from rella_hub.stages.prepare import field_counts
from rella_hub.tables import store
from rella_hub.texts.shown import as_code
from rella_hub.views import config_name, table_name

VIEWS = ("recency", "subr")
HISTORY_FIELDS = (
    2  # the items and the ratings of the history, which the paper counts as fields beside those of user and item
)

WHY_THE_COUNTS = """\
How the paper counts. A *sample* of MovieLens-1M is a rating with at least five earlier ones of its user, and one of BookCrossing is
a user with more than five ratings; but for MovieLens-25M the paper prints the number of raw ratings, 25,000,095, of which the same
rule leaves 24,187,390. *Users* and *items* are those with ratings on MovieLens (on MovieLens-1M 3,706 of the 3,883 movies), and those of
the whole files on BookCrossing, where 17,714 users have a sample. *Fields* are the columns of users and items and two more, the
items and the ratings of the history. *Features* are the distinct values of these columns and of the rating: a movie in the
history is no other value than the same movie as the target. Our number of features on BookCrossing depends on how many ways of
writing a country are taken for the same one, which the paper does not say."""


def write_table(name: str, datasets: list[str], output: Path, overwrite: bool = False) -> None:
    """Print one table and write it to `<output>/<name>.md`. `datasets`: folders of built data sets; none: all of `rella/`."""
    if name not in TABLES:
        raise ValueError(f"There is no table {name!r} on the data. Expected one of {', '.join(TABLES)}.")
    folders = [Path(folder) for folder in datasets] or sorted(Path("rella").glob("*/"))
    for folder in folders:
        if not store.table_splits(folder, "samples"):
            raise ValueError(f"{folder} is no folder of a built data set. Give one, or several, with --dataset.")
    if not folders:
        raise ValueError(
            f"--table {name} needs --dataset with the folder of a built data set; there is none in rella/."
        )
    if name == "heterogeneity" and not any(_views(folder) for folder in folders):
        raise ValueError(
            f"No data set has a view of {' or '.join(VIEWS)}. Build some: dataset_builders/view.py --history_length ..."
        )
    with ReportFolder(output, overwrite, folders).writing(f"{name}.md") as write:
        text = "\n".join(TABLES[name](folders)) + "\n"
        write(f"{name}.md", text)
    print(text)


def _data_statistics(folders: list[Path]) -> Iterator[str]:
    """Table 1: users, items, samples, fields and features of every corpus."""
    paper = read_table("data_statistics")
    yield from ("# The corpora in numbers", "", f"Paper: {paper.source}.", "")
    yield from (
        "| corpus | | " + " | ".join(paper.values) + " | ratings |",
        "|---|---|" + "---:|" * (len(paper.values) + 1),
    )
    for folder in folders:
        corpus = load_corpus(store.provenance(folder, "samples")["corpus"])
        ours = count(folder, corpus)
        ratings = store.count_rows(folder, "interactions")
        yield (
            f"| {_name(folder, folders)} | ours | "
            + " | ".join(f"{ours[v]:,}" for v in paper.values)
            + f" | {ratings:,} |"
        )
        for row in paper.where({"corpus": corpus.id}):
            yield f"| | paper | {' | '.join(f'{row[v]:,}' for v in paper.values)} | |"
            differences = " | ".join(f"{ours[v] - row[v]:+,}" if ours[v] != row[v] else "0" for v in paper.values)
            yield f"| | difference | {differences} | |"
    yield ""
    yield from (f"* {_name(folder, folders)}: {_archive(folder)}" for folder in folders)
    yield from ("", WHY_THE_COUNTS)


def count(folder: Path, corpus: Corpus) -> dict[str, int]:
    """The columns of table 1, counted as the paper counts each corpus."""
    users, items = (pl.from_arrow(store.read(folder, name)) for name in ("users", "items"))
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


def _heterogeneity(folders: list[Path]) -> Iterator[str]:
    """Appendix D.4: mean number of distinct groups among the behaviors shown, test split, for every K that is built."""
    paper = read_table("heterogeneity")
    yield from ("# Heterogeneity of the behaviors shown", "", f"Paper: {paper.source}, on MovieLens-1M.")
    for folder in folders:
        corpus = load_corpus(store.provenance(folder, "samples")["corpus"])
        built = _views(folder)
        if not built:
            print(
                f"WARNING: {folder} has no view of {' or '.join(VIEWS)}, so it is left out.",
                file=sys.stderr,
                flush=True,
            )
            continue
        ours = heterogeneity(folder, list(built.values()), corpus.group_field)
        rows = store.count_rows(folder, next(iter(built.values())), "test")
        yield from (
            "",
            (
                f"Mean number of distinct values of `{corpus.group_field}` among the K behaviors shown, over {rows:,} test samples of "
                f"{_name(folder, folders)}: {_archive(folder)}"
            ),
            "",
            "| view | K | ours | paper | difference |",
            "|---|---:|---:|---:|---:|",
        )
        for (view, length), name in built.items():
            printed = paper.where({"corpus": corpus.id, "view": view, "history_length": length})
            beside = (
                f"{printed[0]['distinct_genres']:.2f} | {ours[name] - printed[0]['distinct_genres']:+.2f}"
                if printed
                else "– | –"
            )
            yield f"| {view} | {length} | {ours[name]:.2f} | {beside} |"


def _views(folder: Path) -> dict[tuple[str, int], str]:
    """(view, K) -> table, for what is built of recency and SUBR, in the order of the paper's table."""
    lengths = sorted({int(name.rpartition("_k")[2]) for name in store.table_names(folder) if name.startswith("view_")})
    names = {(view, length): table_name(config_name(view, length)) for view in VIEWS for length in lengths}
    return {key: name for key, name in names.items() if store.table_splits(folder, name)}


def _archive(folder: Path) -> str:
    made_from = store.provenance(folder, "samples")
    return f"archive {made_from['raw_status']}, SHA-256 {made_from['raw_sha256'][:16]}, {made_from['rules']['label']}."


def _name(folder: Path, folders: list[Path]) -> str:
    """The corpus, with the folder where several are of the same one."""
    corpus_of = {other: store.provenance(other, "samples")["corpus"] for other in folders}
    name = load_corpus(corpus_of[folder]).name
    return f"{name} ({as_code(folder.name)})" if list(corpus_of.values()).count(corpus_of[folder]) > 1 else name


TABLES = {"data_statistics": _data_statistics, "heterogeneity": _heterogeneity}
