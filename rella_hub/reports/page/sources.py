"""Where the rows of a page come from: files, folders that hold one, and repositories of the Hub that were pushed with their results."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from rella_hub.cards.publishing.staging import RESULTS
from rella_hub.cards.results import read_report, sha256_of
from rella_hub.hub.download import snapshot
from rella_hub.metrics import metrics


@dataclass(frozen=True)
class Source:
    """One results.json."""

    name: str  # as it was given
    rows: list[dict]
    notes: list[dict]
    resamples: int
    repository: str | None = None  # of the Hub that it was pulled from


@dataclass(frozen=True)
class Reported:
    """A row of a report, and the report that it stands in."""

    row: dict
    source: Source


def read_source(name: str) -> Source:
    """A results.json, a folder that holds one, or the Hub id of a model pushed with its results. ValueError where it is none."""
    path = Path(name)
    repository = None
    if path.is_dir():
        path = path / RESULTS
    elif not path.is_file():
        path, repository = _pulled(name), name
    results = read_report(path)
    return Source(name, results["rows"], results["notes"], results["resamples"], repository)


def reported(sources: Iterable[Source]) -> list[Reported]:
    """The rows of all reports, each once: a base model alone stands in the report of every adapter that it is compared with."""
    found: dict[tuple, Reported] = {}
    for source in sources:
        for row in source.rows:
            found.setdefault(_same(row), Reported(row, source))
    return list(found.values())


def notes(sources: Iterable[Source]) -> list[dict]:
    """What the reports say of their groups, each once."""
    return list({tuple(note.items()): note for source in sources for note in source.notes}.values())


def _same(row: dict) -> tuple:
    """What two rows have in common where they are one measurement: the samples, the weights, and every number."""
    record = row["record"]
    weights = sha256_of(record) or (record.get("base_identity") or {}).get("revision")
    values = tuple((row.get(metric.name) or {}).get("value") for metric in metrics())
    where = (row["corpus"], row["split"], row["config_name"], row["n"])
    return (*where, weights or row["system"], record.get("quantization"), *values)


def _pulled(name: str) -> Path:
    try:
        path = snapshot(name, "model", [RESULTS]) / RESULTS
    except ValueError as error:
        raise ValueError(
            f"{name!r} is neither a results.json, nor a folder that holds one, nor a model on the Hub ({error})."
        ) from error
    if not path.is_file():
        raise ValueError(
            f"The model {name} on the Hub has no {RESULTS}: it was pushed without results. Push it with --results, or leave it out."
        )
    return path
