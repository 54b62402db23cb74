"""Compare systems: AUC, LogLoss and ACC of score files with 95 % intervals, as a table, as JSON and as a figure.

Two rows that need no model, the mean of the ratings shown and the mean of the item, are added to every config and split.

examples:
  python evaluation/report.py --scores runs/demo/scores/*.parquet --output runs/demo/report
  python evaluation/report.py --scores a.parquet b.parquet --output report --resamples 2000 --seed 1
  python evaluation/report.py --table overall --scores runs/ml1m/scores/*_test.parquet --output tables
  python evaluation/report.py --table data_statistics --output tables                # of every data set in rella/
  python evaluation/report.py --table heterogeneity --dataset rella/ml1m rella/ml25m --output tables
"""

import json
import sys
from dataclasses import dataclass, field, replace
from pathlib import Path

from dataset_builders import cli


@dataclass
class ReportArguments:
    output: str = field(metadata={"help": "Folder for report.md, results.json and report.png, or for the table."})
    scores: list[str] = field(
        default_factory=list, metadata={"help": "Score files, each written by python evaluation/score.py."}
    )
    table: str | None = field(
        default=None,
        metadata={
            "help": "A table beside the paper's: overall (the main table, of --scores), or on the data of --dataset: data_statistics "
            "(table 1), heterogeneity (D.4)."
        },
    )
    dataset: list[str] = field(
        default_factory=list,
        metadata={
            "help": "The data set folders that --table is about (default: all in rella/). With --scores: where the data set lies "
            "now, if it was moved."
        },
    )
    resamples: int = field(default=1000, metadata={"help": "Bootstrap resamples behind each interval."})
    seed: int = field(default=0, metadata={"help": "Seed of the resamples."})


def main() -> None:
    (arguments,) = cli.parse(ReportArguments, description=__doc__)
    from evaluation.scores.table import read_scores

    output = Path(arguments.output)
    if output.exists() and not output.is_dir():
        raise ValueError(f"--output {output} is a file. Give a folder.")
    if arguments.table == "overall":
        scores = [read_scores(Path(path)) for path in arguments.scores]
        warn_of_constant(scores)
        write_overall(scores, output)
        return
    if arguments.table is not None:
        from evaluation.results.data_tables import write_table

        write_table(arguments.table, arguments.dataset, output)
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
    write_report(scores, output, arguments.resamples, arguments.seed)


def warn_of_constant(scores: list) -> None:
    """Say which of `scores` tell nothing."""
    from training.loops.constant import is_constant

    for one in scores:
        if is_constant(one.score):
            print(
                f"WARNING: {one.path} has the same score for every sample, so {one.record['system']} tells nothing.",
                file=sys.stderr,
            )


def write_overall(scores: list, output: Path) -> None:
    """Print the paper's main table with the rows of `scores` in it and write it to `output` as overall.md, .json and .png."""
    from dataset_builders.tables.store import replacing_file
    from evaluation.results.overall import overall
    from evaluation.results.overall_figure import draw
    from evaluation.results.overall_text import as_dictionary, markdown

    if not scores:
        raise ValueError("--table overall needs --scores: files of evaluation/score.py on the whole test split.")
    tables = overall(scores)
    text = markdown(tables)
    with replacing_file(output / "overall.md") as temporary:
        temporary.write_text(text, encoding="utf-8")
    with replacing_file(output / "overall.json") as temporary:
        temporary.write_text(json.dumps(as_dictionary(tables), indent=2, allow_nan=False) + "\n", encoding="utf-8")
    with replacing_file(output / "overall.png") as temporary:
        draw(tables, temporary)
    print(text)


def write_report(scores: list, output: Path, resamples: int, seed: int) -> None:
    """Print the comparison and write it into the folder `output`."""
    from dataset_builders.tables.store import replacing_file
    from evaluation.results.figure import draw  # after the scores were read: this takes seconds
    from evaluation.results.machine_readable import as_dictionary
    from evaluation.results.markdown import render
    from evaluation.results.rows import compare

    groups = compare(scores, resamples, seed)
    report = render(groups, resamples, seed)
    with replacing_file(output / "report.md") as temporary:
        temporary.write_text(report, encoding="utf-8")
    with replacing_file(output / "results.json") as temporary:
        results = as_dictionary(groups, resamples, seed)
        temporary.write_text(json.dumps(results, indent=2, allow_nan=False) + "\n", encoding="utf-8")
    with replacing_file(output / "report.png") as temporary:
        draw(groups, temporary)
    print(report)
    print(f"{output}: report.md, results.json, report.png")


if __name__ == "__main__":
    cli.run(main)
