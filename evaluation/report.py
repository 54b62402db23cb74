"""Compare systems: every metric of score files with 95 % intervals, as a table, as JSON and as a figure. Or fill a paper's table.

Three rows that need no model, the mean of the ratings shown, the mean of the item and both weighed, are added to every config and split.

examples:
  python evaluation/report.py --scores runs/demo/scores/*.parquet --output runs/demo/report
  python evaluation/report.py --scores a.parquet b.parquet --output report --resamples 2000 --seed 1
  python evaluation/report.py --table overall --scores runs/ml1m/scores/*_test.parquet --output tables
  python evaluation/report.py --table history_length --scores runs/ml1m/scores/*_test.parquet --output tables
  python evaluation/report.py --choices runs/ml100k/choices/*.parquet --output runs/ml100k/choices_report
  python evaluation/report.py --table llara_main --choices runs/ml100k/choices/*.parquet --output tables
  python evaluation/report.py --table data_statistics --output tables                # of every data set in rella/
  python evaluation/report.py --table heterogeneity --dataset rella/ml1m rella/ml25m --output tables
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from pathlib import Path

from rella_hub import cli
from rella_hub.cli.options import option
from rella_hub.files import places


@dataclass
class ReportArguments:
    output: str = option("Folder for report.md, results.json and report.png, or for the table.")
    scores: list[str] = option("Score files, each written by python evaluation/score.py.", [])
    choices: list[str] = option(
        "Files of choices, each written by python evaluation/choose.py; the first one is what McNemar's test compares the others with.",
        [],
    )
    table: str | None = option(
        "A table of a paper, filled with ours beside the paper's: the name of a file in evaluation/paper_tables/, such as overall "
        "(the main table, of --scores) or data_statistics (of --dataset).",
        None,
    )
    dataset: list[str] = option(
        "For a --table on data: the data set folders (default: all in rella/). With --scores: where the data set lies now, if "
        "it was moved.",
        [],
    )
    resamples: int = option("Bootstrap resamples behind each interval.", 1000)
    seed: int = option("Seed of the resamples.", 0)
    overwrite: bool = option("Replace a report of this command that was changed since it was written.", False)


def main() -> None:
    (arguments,) = cli.parse(ReportArguments, description=__doc__)
    output = Path(arguments.output)
    places.check_folder(output)
    if arguments.choices and arguments.scores:
        raise ValueError("--scores and --choices are of different questions. Give one of them, and make two reports.")
    if arguments.table is None and arguments.choices:
        write_choices(arguments, output)
    elif arguments.table is None:
        write_report(arguments, output)
    else:
        write_table(arguments.table, arguments, output)


def write_report(arguments: ReportArguments, output: Path) -> None:
    from rella_hub.reports import write
    from rella_hub.reports.folder import ReportFolder

    if not arguments.scores:
        raise ValueError("there is nothing to report on. Give score files with --scores, or --table and --dataset.")
    scores = read(arguments)
    folder = ReportFolder(output, arguments.overwrite, {one.record["dataset_folder"] for one in scores})
    write.write_report(scores, folder, arguments.resamples, arguments.seed)


def write_choices(arguments: ReportArguments, output: Path) -> None:
    from rella_hub.reports import choices_text
    from rella_hub.reports.folder import ReportFolder
    from rella_hub.tables.choices import read_choices

    cli.refuse_without("a report on --scores", arguments, ["resamples", "seed", "dataset"])
    files = [read_choices(Path(path)) for path in arguments.choices]
    reads = {one.record["dataset_folder"] for one in files}
    choices_text.write_report(files, ReportFolder(output, arguments.overwrite, reads))


def write_table(table: str, arguments: ReportArguments, output: Path) -> None:
    from rella_hub.paper.tables import read_table
    from rella_hub.reports import paper_table

    cli.refuse_without("a report on --scores (no --table)", arguments, ["resamples", "seed"])
    measured_on = read_table(table).measured_on
    others = [name for name in ("scores", "choices") if name != measured_on]
    cli.refuse_without(f"another --table than {table}", arguments, others)
    datasets = arguments.dataset if measured_on == "data" else []
    if measured_on == "choices":
        from rella_hub.tables.choices import read_choices

        files = [read_choices(Path(path)) for path in arguments.choices]
    else:
        files = read(arguments)
    paper_table.write_table(table, files, datasets, output, arguments.overwrite)


def read(arguments: ReportArguments) -> list:
    """The score files, with the data set where it lies now; says which of them tell nothing."""
    from rella_hub.tables import store
    from rella_hub.tables.constant import is_constant
    from rella_hub.tables.scores import read_scores

    scores = [read_scores(Path(path)) for path in arguments.scores]
    for one in scores:
        if is_constant(one.score):
            print(
                f"WARNING: {one.path} has the same score for every sample, so {one.record['system']} tells nothing.",
                file=sys.stderr,
            )
    for folder in arguments.dataset:
        made_from = store.provenance(Path(folder), "samples")
        if made_from is None:
            raise ValueError(
                f"--dataset {folder} is no folder of a built data set. Give the one that the scores are of."
            )
        scores = [
            replace(one, record={**one.record, "dataset_folder": folder})
            if one.record["corpus"] == made_from["corpus"]
            else one
            for one in scores
        ]
    return scores


if __name__ == "__main__":
    cli.run(main)
