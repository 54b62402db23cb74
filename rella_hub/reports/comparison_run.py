"""The pass: what does not stand yet is scored, every batch by every system, and all of it is compared."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

from rella_hub.metrics.uncertainty.bootstrap import MINIMUM_RESAMPLES
from rella_hub.metrics.uncertainty.delong import require_both_labels
from rella_hub.reports.folder import ReportFolder, Write
from rella_hub.reports.write import write_files
from rella_hub.stages.chunks.processes import processes
from rella_hub.systems.choice import load_several
from rella_hub.systems.dry_run import estimate
from rella_hub.systems.score_options import RunOptions, SampleOptions
from rella_hub.systems.scoring import rows_per_chunk, write_score_files
from rella_hub.systems.targets import Target, record_of, samples_of
from rella_hub.tables import store
from rella_hub.tables.scores import read_scores

REPORT_FILES = ("compare.md", "compare.json", "compare.png")


def make_comparison(samples: SampleOptions, options, run: RunOptions, base) -> None:
    """Write the folder of `options` (see evaluation/compare.py): scores/*.parquet, compare.md, compare.json, compare.png."""
    if options.resamples < MINIMUM_RESAMPLES:
        raise ValueError(f"--resamples is {options.resamples}; at least {MINIMUM_RESAMPLES} bound a 95 % interval.")
    system = load_several(base, options.adapters, options.adapter_revisions, options.systems)
    data = samples_of(samples, system)
    if run.dry_run:
        estimate(system, data, list(range(len(system.members)))).say()
        return
    output = Path(options.output) if options.output else _default_output(samples, data.folder)
    report = ReportFolder(output, run.overwrite, [samples.dataset, base.base, *options.adapters])
    targets = [Target(output / "scores" / f"{one.name}.parquet", record_of(one, data)) for one in system.members]
    require_both_labels(data.read(["label"])["label"].to_numpy())  # before the model takes its minutes
    open_system = partial(_scoring, system) if run.engine == "local" else partial(_load, base, options)
    work = (targets, data, open_system, run, rows_per_chunk(system, run))
    if not processes().is_first:
        write_score_files(*work)
        return
    with report.writing(*REPORT_FILES) as write:
        write_score_files(*work)
        _compare(targets, data.folder, options.resamples, samples.seed, write)
    print(f"{output}: {', '.join(REPORT_FILES)}, scores/")


def _scoring(system, numbers: list[int]):
    system.scored = [system.members[number] for number in numbers]
    return system


def _load(base, options, numbers: list[int]):
    return _scoring(load_several(base, options.adapters, options.adapter_revisions, options.systems), numbers)


def _compare(targets: list[Target], folder: Path, resamples: int, seed: int, write_report: Write) -> None:
    scores = [read_scores(target.path) for target in targets]
    scores = [replace(s, record={**s.record, "dataset_folder": str(folder)}) for s in scores]
    write_files(scores, write_report, resamples, seed, REPORT_FILES)


def _default_output(samples: SampleOptions, folder: Path) -> Path:
    corpus = store.made_from(folder, samples.config_name)["corpus"]
    return Path("runs") / corpus / "compare" / f"{samples.config_name}_{samples.split}"
