"""Compare systems: AUC, LogLoss and ACC of score files with 95 % intervals, as a table, as JSON and as a figure.

Two rows that need no model, the mean of the ratings shown and the mean of the item, are added to every config and split.

examples:
  python evaluation/report.py --scores runs/demo/scores/*.parquet --output runs/demo/report
  python evaluation/report.py --scores a.parquet b.parquet --output report --resamples 2000 --seed 1
  python evaluation/report.py --table overall --scores runs/ml1m/scores/*_test.parquet --output tables
  python evaluation/report.py --table data_statistics --output tables                # of every data set in rella/
  python evaluation/report.py --table heterogeneity --dataset rella/ml1m rella/ml25m --output tables
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from rella_hub import cli
from rella_hub.cli.options import option
from rella_hub.files import places

if TYPE_CHECKING:
    from rella_hub.reports.folder import ReportFolder


@dataclass
class ReportArguments:
    output: str = option("Folder for report.md, results.json and report.png, or for the table.")
    scores: list[str] = option("Score files, each written by python evaluation/score.py.", [])
    table: str | None = option(
        "A table beside the paper's: overall (the main table, of --scores), or on the data of --dataset: data_statistics "
        "(table 1), heterogeneity (D.4).",
        None,
    )
    dataset: list[str] = option(
        "The data set folders that --table is about (default: all in rella/). With --scores: where the data set lies "
        "now, if it was moved.",
        [],
    )
    resamples: int = option("Bootstrap resamples behind each interval.", 1000)
    seed: int = option("Seed of the resamples.", 0)
    overwrite: bool = option("Replace a report of this command that was changed since it was written.", False)


def main() -> None:
    (arguments,) = cli.parse(ReportArguments, description=__doc__)
    from rella_hub.tables.scores import read_scores

    output = Path(arguments.output)
    places.check_folder(output)
    if arguments.table is not None:
        cli.refuse_without("a report on --scores (no --table)", arguments, ["resamples", "seed"])
        idle = "dataset" if arguments.table == "overall" else "scores"
        cli.refuse_without(f"another --table than {arguments.table}", arguments, [idle])
    if arguments.table == "overall":
        scores = [read_scores(Path(path)) for path in arguments.scores]
        warn_of_constant(scores)
        write_overall(scores, folder_of(scores, output, arguments.overwrite))
        return
    if arguments.table is not None:
        from rella_hub.reports.data_tables import write_table

        write_table(arguments.table, arguments.dataset, output, arguments.overwrite)
        return
    if not arguments.scores:
        raise ValueError("there is nothing to report on. Give score files with --scores, or --table and --dataset.")
    scores = [read_scores(Path(path)) for path in arguments.scores]
    warn_of_constant(scores)
    if len(arguments.dataset) > 1:
        raise ValueError(
            f"--scores are of one data set, but --dataset names {len(arguments.dataset)}. Give one of them."
        )
    for folder in arguments.dataset:
        scores = [replace(s, record={**s.record, "dataset_folder": folder}) for s in scores]
    write_report(scores, folder_of(scores, output, arguments.overwrite), arguments.resamples, arguments.seed)


def warn_of_constant(scores: list) -> None:
    """Say which of `scores` tell nothing."""
    from rella_hub.tables.constant import is_constant

    for one in scores:
        if is_constant(one.score):
            print(
                f"WARNING: {one.path} has the same score for every sample, so {one.record['system']} tells nothing.",
                file=sys.stderr,
            )


def folder_of(scores: list, output: Path, overwrite: bool) -> ReportFolder:
    from rella_hub.reports.folder import ReportFolder

    return ReportFolder(output, overwrite, {s.record["dataset_folder"] for s in scores})


def write_overall(scores: list, output: ReportFolder) -> None:
    """Print the paper's main table with the rows of `scores` in it and write it to `output` as overall.md, .json and .png."""
    from rella_hub.reports.overall import overall
    from rella_hub.reports.overall_figure import draw
    from rella_hub.reports.overall_text import as_dictionary, markdown

    if not scores:
        raise ValueError("--table overall needs --scores: files of evaluation/score.py on the whole test split.")
    with output.writing("overall.md", "overall.json", "overall.png") as write:
        tables = overall(scores)
        text = markdown(tables)
        write("overall.md", text)
        write("overall.json", json.dumps(as_dictionary(tables), indent=2, allow_nan=False) + "\n")
        write("overall.png", lambda path: draw(tables, path))
    print(text)


def write_report(scores: list, output: ReportFolder, resamples: int, seed: int) -> None:
    """Print the comparison and write it into the folder `output`."""
    from rella_hub.reports.figure import draw  # after the scores were read: this takes seconds
    from rella_hub.reports.machine_readable import as_dictionary
    from rella_hub.reports.markdown import render
    from rella_hub.reports.rows import compare

    with output.writing("report.md", "results.json", "report.png") as write:
        groups = compare(scores, resamples, seed)
        report = render(groups, resamples, seed)
        write("report.md", report)
        write("results.json", json.dumps(as_dictionary(groups, resamples, seed), indent=2, allow_nan=False) + "\n")
        write("report.png", lambda path: draw(groups, path))
    print(report)
    print(f"{output.path}: report.md, results.json, report.png")


if __name__ == "__main__":
    cli.run(main)
