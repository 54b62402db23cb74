"""The lines of a page: a row of one of our reports, or a row that a paper prints."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from rella_hub.metrics import metrics
from rella_hub.paper.tables import PaperTable
from rella_hub.reports.page.sources import Reported
from rella_hub.reports.rows import COMPARED_BY
from rella_hub.tables.checked import shown
from rella_hub.tables.runs import public_name
from rella_hub.texts.shown import plain
from rella_hub.views import view_of

DIFFERENCE = f"{COMPARED_BY}_difference"
NO_MODEL, ZERO_SHOT, WHOLE_SPLIT, NOT_KNOWN = "no model", "zero-shot", "all", "not known"
NONE = "–"  # of what has no base, no view, ...


@dataclass(frozen=True)
class Number:
    value: float
    low: float | None = None  # of its 95 % interval; papers print none
    high: float | None = None


@dataclass(frozen=True)
class Entry:
    system: str
    base: str
    shots: str  # the number of training samples (N), or a word for there being none
    corpus: str
    split: str
    config: str
    view: str
    samples: int | None  # that the numbers are of
    numbers: Mapping[str, Number]  # by the name of the metric, and the difference of AUC to the reference
    network: str | None = None  # of a model that is named after its run
    reference: str | None = None  # the system that AUC is compared with
    paper: str | None = None  # where it is printed; None for what we measured
    reported: Reported | None = field(default=None, repr=False)  # None for what a paper prints

    @property
    def shots_in_order(self) -> float:
        """What the column of N is sorted by."""
        words = {NOT_KNOWN: -3.0, NO_MODEL: -2.0, ZERO_SHOT: -1.0, WHOLE_SPLIT: 2.0**62}
        if self.shots in words:
            return words[self.shots]
        share = self.shots.startswith("<")  # of a split whose size the paper does not print: behind every number
        return float(self.shots.strip("<%").replace(",", "")) + (2.0**40 if share else 0)


def of_reports(rows: Iterable[Reported]) -> list[Entry]:
    return [_of_report(one) for one in rows]


def of_paper(table: PaperTable, corpora: Iterable[str]) -> list[Entry]:
    """The rows of a paper's table that are of these corpora. ValueError for a table that is not of systems and metrics."""
    titles = {metric.name for metric in metrics()}
    if not {"system", "setting", "corpus"} <= set(table.keys) or not titles & set(table.values):
        raise ValueError(
            f"The table {table.name} has no systems with metrics on a corpus. Give tables such as overall or ablation."
        )
    return [_of_paper(table, row, titles) for row in table.rows if row["corpus"] in set(corpora)]


def _of_report(one: Reported) -> Entry:
    row, record = one.row, one.row["record"]
    numbers = {metric.name: _number(one, metric.name, metric.bounds) for metric in metrics()}
    numbers[DIFFERENCE] = _number(one, DIFFERENCE, (-1.0, 1.0))
    return Entry(
        system=row["system"],
        base=_short(row["base"]) if row["base"] else NONE,
        shots=_shots(record),
        corpus=row["corpus"],
        split=row["split"],
        config=row["config_name"],
        view=view_of(row["config_name"])[0] or NOT_KNOWN,
        samples=row["n"],
        numbers={name: number for name, number in numbers.items() if number is not None},
        network=_network(row),
        reference=row["reference"],
        reported=one,
    )


def _network(row: dict) -> str | None:
    network = (row["record"].get("model_identity") or {}).get("model")
    return network if network and network not in row["system"] else None


def _shots(record: dict) -> str:
    if record.get("model_identity"):
        shots = record["model_identity"].get("num_shots")
        return WHOLE_SPLIT if shots is None else f"{shots:,}"
    if record.get("adapter"):
        shots = record.get("training_samples")
        return NOT_KNOWN if shots is None else f"{shots:,}"
    return ZERO_SHOT if record["base"] else NO_MODEL


def _of_paper(table: PaperTable, row: dict, titles: set[str]) -> Entry:
    facts: dict = {}
    for key in table.keys:
        facts |= table.ours.get(key, {}).get(row[key], {})
    shots = ZERO_SHOT if facts.get("tuned") is False else facts.get("shots", NOT_KNOWN)
    length = row.get("history_length")
    return Entry(
        system=row["system"],
        base=row.get("base") or NONE,
        shots=shots,
        corpus=row["corpus"],
        split="test",
        config=NONE if length is None else f"K = {length}",
        view=facts.get("view", NONE),
        samples=None,
        numbers={name: Number(row[name]) for name in table.values if name in titles},
        paper=table.source,
    )


def _short(name: str) -> str:
    """A Hub id or a folder without who owns it or where it lies."""
    return Path(public_name(name)).name


def _number(one: Reported, name: str, bounds: tuple[float, float]) -> Number | None:
    """ValueError where a number of a row is none that this metric can have."""
    interval = one.row.get(name)
    if interval is None:
        return None
    for end in ("value", "low", "high"):
        if not bounds[0] <= interval[end] <= bounds[1] or not math.isfinite(interval[end]):
            raise ValueError(
                f"{one.source.name}: the {end} of {name} of {plain(one.row['name'])} is {shown(interval[end])}, expected a number from "
                f"{bounds[0]:g} to {bounds[1]:g}. Make the report again."
            )
    return Number(interval["value"], interval["low"], interval["high"])
