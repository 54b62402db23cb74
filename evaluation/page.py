"""Make one page of any number of reports: every system, corpus and config with its intervals, beside what papers print.

The page is one HTML file that loads nothing from anywhere: its rows sort and filter, each number leads to the command that makes it and to
the card of its system. The folder is a static Space, too.

examples:
  python evaluation/page.py --results runs/ml1m/report/results.json runs/demo/report --output runs/page
  python evaluation/page.py --results me/ml1m-rella-vicuna-13b me/ml1m-din --output runs/page     # pulled with their results
  python evaluation/page.py --results runs/ml1m/report --output runs/page --paper_tables overall ablation
  python evaluation/page.py --results runs/ml1m/report --output runs/page --space me/results --collection ReLLa --dry_run true
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from rella_hub import cli
from rella_hub.cli.options import option


@dataclass
class PageArguments:
    output: str = option("Folder for index.html and the README of a Space.")
    results: list[str] = option(
        "Results of python evaluation/report.py: files, folders that hold a results.json, or Hub ids of models pushed with theirs.",
        [],
    )
    paper_tables: list[str] = option(
        "Tables of papers whose rows stand among ours in grey: names of files in evaluation/paper_tables/; none for no such rows.",
        ["overall"],
    )
    title: str = option("Heading of the page.", "ReLLa on the Hugging Face Hub: results")
    space: str | None = option("Hub id of a static Space that takes the page, such as me/results.", None)
    private: bool = option("Push to a private Space.", False)
    collection: str | None = option("Title of a collection that takes the Space, such as ReLLa.", None)
    dry_run: bool = option("Make the page, print what would change on the Hub, and send nothing.", False)
    overwrite: bool = option("Replace a page of this command that was changed since it was written.", False)


def main() -> None:
    (options,) = cli.parse(PageArguments, description=__doc__)
    if not options.results:
        raise ValueError("there is nothing to make a page of. Give results with --results.")
    if options.space is None:
        cli.refuse_without("--space", options, ["private", "collection", "dry_run"])
    from rella_hub.reports.folder import ReportFolder
    from rella_hub.reports.page.write import make_page, push_page, write_page

    folder = ReportFolder(Path(options.output), options.overwrite)
    tables = [] if options.paper_tables == ["none"] else options.paper_tables
    page = make_page(options.results, tables, options.title)
    write_page(page, folder)
    if options.space:
        push_page(page, folder.path, options.space, options.private, options.collection, options.dry_run)


if __name__ == "__main__":
    cli.run(main)
