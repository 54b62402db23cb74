"""The folder of an experiment: what each cell left, and why a cell left nothing.

<output_dir>/experiment.json           the table, the samples, and the cells with their score files
<output_dir>/runs/<cell>/              what was trained: a run folder of its family
<output_dir>/scores/<cell>,<config>.parquet
<output_dir>/failed/<cell>.json        why a cell failed, until it is made
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from rella_hub.experiments.cells import Cell
from rella_hub.experiments.options import EXPERIMENT, ExperimentArguments
from rella_hub.files import ownership, places
from rella_hub.hub import resolve as hub
from rella_hub.tables import records, store
from rella_hub.tables.checked import LINE, RECORD, require

FILE = "experiment.json"
NOT_MADE = "it is not made yet"
KINDS = {"table": LINE, "samples": RECORD, "cells": RECORD}


@dataclass(frozen=True)
class Made:
    """What there is of an experiment."""

    table: str
    scores: list[Path]
    holes: dict[str, str]  # cell → why it has no scores


def open_folder(options: ExperimentArguments, cells: list[Cell]) -> None:
    """Write down what is made here. ValueError where the folder holds results on other samples, or something else."""
    folder = options.folder
    places.check_own_folder(folder, "--output_dir", reads=[options.dataset])
    ownership.require_own_folder(folder, EXPERIMENT)
    record = {
        "table": options.table,
        "samples": _samples(options),
        "cells": {cell.name: _files(cell) for cell in cells},
    }
    existing = records.read_record(folder / FILE)
    if existing is not None and not options.overwrite:
        known = existing.get("samples") or {}
        if known != record["samples"]:
            raise ValueError(
                f"{folder} holds results of other samples: {records.difference(known, record['samples'])}. Give another --output_dir, or "
                "pass --overwrite true."
            )
        record["cells"] = {**existing.get("cells", {}), **record["cells"]}  # of systems that were made before
    ownership.open_folder(folder, EXPERIMENT)
    with ownership.writing_file(folder / FILE, EXPERIMENT, options.overwrite) as temporary:
        temporary.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")


def note_failure(cell: Cell, why: str) -> None:
    cell.failure.parent.mkdir(parents=True, exist_ok=True)
    with ownership.writing_file(cell.failure, EXPERIMENT, overwrite=True) as temporary:
        temporary.write_text(json.dumps({"cell": cell.name, "why": why}, indent=2) + "\n", encoding="utf-8")


def forget_failure(cell: Cell) -> None:
    if cell.failure.is_file():
        ownership.remove(cell.failure.parent, EXPERIMENT, [cell.failure.name])


def read(folder: Path) -> Made:
    """ValueError where `folder` is none of an experiment."""
    if not (folder / FILE).is_file():
        raise ValueError(
            f"{folder} is no folder of an experiment: it has no {FILE}. Give what training/experiment.py wrote."
        )
    record = require(records.read_record(folder / FILE), KINDS, str(folder / FILE))
    scores, holes = [], {}
    for cell, names in record["cells"].items():
        files = [folder / "scores" / Path(str(name)).name for name in names]
        scores += [path for path in files if path.is_file()]
        if not all(path.is_file() for path in files):
            failure = records.read_record(folder / "failed" / f"{Path(cell).name}.json") or {}
            holes[cell] = str(failure.get("why", NOT_MADE))
    return Made(record["table"], scores, holes)


def _files(cell: Cell) -> list[str]:
    return [cell.scores(config_name).name for config_name in cell.scored_on]


def _samples(options: ExperimentArguments) -> dict:
    folder = hub.resolve(options.dataset, ["samples"], options.dataset_revision)
    made_from = store.made_from(folder, "samples")
    return {
        "corpus": made_from["corpus"],
        "fingerprint": made_from["fingerprint"],
        **{name: getattr(options, name) for name in ("split", "limit", "seed")},
    }
