"""The pass: what does not stand yet is scored, every batch by every system, and all of it is compared."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from rella_hub.language_models.load import base_identity, load_base
from rella_hub.language_models.p_yes import p_yes_of_systems
from rella_hub.language_models.several import load_adapters, switch
from rella_hub.metrics.uncertainty.bootstrap import MINIMUM_RESAMPLES
from rella_hub.metrics.uncertainty.delong import require_both_labels
from rella_hub.reports.folder import ReportFolder, Write
from rella_hub.reports.write import write_files
from rella_hub.systems.adapter.score import (
    Read,
    dataset_folder,
    read_prompts,
    require_room_for,
    require_same_reading,
    stands,
    write,
)
from rella_hub.systems.adapter.several import System, systems_of
from rella_hub.tables import store
from rella_hub.tables.scores import read_scores

REPORT_FILES = ("compare.md", "compare.json", "compare.png")


def make_comparison(options) -> None:
    """Write the folder of `options` (see evaluation/compare.py): scores/*.parquet, compare.md, compare.json, compare.png."""
    if options.resamples < MINIMUM_RESAMPLES:
        raise ValueError(f"--resamples is {options.resamples}; at least {MINIMUM_RESAMPLES} bound a 95 % interval.")
    if options.seed < 0:
        raise ValueError(f"--seed is {options.seed}; expected 0 or more.")
    folder = dataset_folder(options)
    output = Path(options.output) if options.output else _default_output(options, folder)
    report = ReportFolder(output, options.overwrite, [options.dataset, options.base, *options.adapters])
    base = base_identity(options.base, options.base_revision)
    systems = systems_of(options, folder, base, output)
    with report.writing(*REPORT_FILES) as write:
        _compare(options, folder, base, systems, write)
    print(f"{output}: {', '.join(REPORT_FILES)}, scores/")


def _compare(options, folder: Path, base: dict, systems: list[System], write_report: Write) -> None:
    missing = [system for system in systems if not stands(system.path, system.record, options.overwrite)]
    if missing:
        _score(options, missing, read_prompts(options, folder), base)
    scores = [read_scores(system.path) for system in systems]
    scores = [replace(s, record={**s.record, "dataset_folder": str(folder)}) for s in scores]
    write_files(scores, write_report, options.resamples, options.seed, REPORT_FILES)


def _score(options, systems: list[System], read: Read, base: dict) -> None:
    """Load the base once with the adapters of `systems`, and write the score file of each."""
    require_both_labels(read.label)  # before the model takes its minutes
    asked = [(s.options.adapter, s.options.adapter_revision) for s in systems if s.options.adapter]
    for adapter, revision in asked:
        require_same_reading(read, options, adapter, revision)
    model = load_base(options.base, options.base_revision, options.dtype, options.quantization)
    require_room_for(read, model, options.base)
    model = load_adapters(model, base, asked, min(read.prompts, key=len), options.any_base)
    numbers = iter(range(len(asked)))
    switches = [switch(model, next(numbers) if s.options.adapter else None) for s in systems]
    scores, seconds = p_yes_of_systems(
        model, switches, read.prompts, read.answers, options.tokens_per_batch, progress=True
    )
    for system, score, took in zip(systems, scores, seconds, strict=True):
        write(system.path, read, score, system.record, took)


def _default_output(options, folder: Path) -> Path:
    corpus = store.provenance(folder, options.config_name)["corpus"]
    return Path("runs") / corpus / "compare" / f"{options.config_name}_{options.split}"
