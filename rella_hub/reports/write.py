"""Write a report: the same three files, whichever command asks."""

from __future__ import annotations

import json

from rella_hub.reports.folder import ReportFolder
from rella_hub.tables.scores import Scores

NAMES = ("report.md", "results.json", "report.png")


def write_report(
    scores: list[Scores], output: ReportFolder, resamples: int, seed: int, names: tuple[str, str, str] = NAMES
) -> None:
    """Print the comparison of `scores` and write it to `output` as Markdown, JSON and figure. ValueError before anything is measured
    where one of the files is not ours."""
    with output.writing(*names) as write:
        write_files(scores, write, resamples, seed, names)
    print(f"{output.path}: {', '.join(names)}")


def write_files(scores: list[Scores], write, resamples: int, seed: int, names: tuple[str, str, str]) -> None:
    """The same in a folder that is being written already (reports/folder.py)."""
    from rella_hub.reports.figure import draw  # matplotlib, and with the metrics torch: seconds
    from rella_hub.reports.machine_readable import as_dictionary
    from rella_hub.reports.markdown import render
    from rella_hub.reports.rows import compare

    groups = compare(scores, resamples, seed)
    text = render(groups, resamples, seed)
    markdown, numbers, figure = names
    write(markdown, text)
    write(numbers, json.dumps(as_dictionary(groups, resamples, seed), indent=2, allow_nan=False) + "\n")
    write(figure, lambda path: draw(groups, path))
    print(text)
