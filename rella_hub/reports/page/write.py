"""Make the page of some reports: into a folder, and from there to a static Space."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rella_hub.hub.collection import add_to_collection
from rella_hub.hub.publish import Repository, publish
from rella_hub.paper.tables import read_table
from rella_hub.reports.folder import ReportFolder
from rella_hub.reports.page import entries
from rella_hub.reports.page.render import CARDS, PAGE, README, Page, render
from rella_hub.reports.page.sources import notes, read_source, reported
from rella_hub.reports.same_samples import natural_order


def make_page(results: Sequence[str], tables: Sequence[str], title: str) -> Page:
    """results: as `read_source` takes them; tables: those of papers whose rows stand among ours."""
    sources = [read_source(name) for name in results]
    ours = entries.of_reports(reported(sources))
    if not ours:
        raise ValueError(f"{', '.join(results)} hold no row. Make the reports again.")
    corpora = {entry.corpus for entry in ours}
    printed = [one for name in tables for one in entries.of_paper(read_table(name), corpora)]
    ours.sort(key=lambda one: (one.corpus, one.split, natural_order(one.config)))
    return render([*ours, *printed], notes(sources), title)


def write_page(page: Page, output: ReportFolder) -> None:
    with output.writing(*page.files) as write:
        for name, text in page.files.items():
            write(name, text)
    print(f"{output.path}: {', '.join(page.files)}")


def push_page(page: Page, folder: Path, space: str, private: bool, collection: str | None, dry_run: bool) -> None:
    """One commit; a card that the page links to no more is deleted."""
    files = {name: folder / name for name in page.files}

    def is_ours(name: str) -> bool:
        return name in (PAGE, README) or (name.startswith(f"{CARDS}/") and name.endswith(".html"))

    publish(Repository(space, "space", files, is_ours, private, space_sdk="static"), "Results", dry_run=dry_run)
    if collection and not dry_run:
        add_to_collection(collection, space, "space")
