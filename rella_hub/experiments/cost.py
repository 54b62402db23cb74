"""What the cells of an experiment cost: those that are alike but for seed and number of shots are measured once, on a few steps."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields

from rella_hub import systems
from rella_hub.experiments.cells import Cell, scoring_options
from rella_hub.experiments.options import ExperimentArguments
from rella_hub.stages.dry_run import Estimate, duration, size
from rella_hub.systems.choice import BY_BASE, load_system
from rella_hub.systems.dry_run import estimate
from rella_hub.systems.score_options import SystemOptions
from rella_hub.systems.targets import samples_of
from rella_hub.tables import records
from rella_hub.tables.runs import RECORD

ALIKE = ("num_shots", "seed", "data_seed", "output_dir")  # what a step and a prompt cost the same by
NOT_KNOWN = "not known before it is done"


@dataclass(frozen=True)
class Cost:
    seconds: float | None  # None: not known
    memory: int | None  # bytes
    why: str  # where the numbers come from

    @property
    def words(self) -> str:
        if self.seconds is None:
            return NOT_KNOWN
        memory = "" if self.memory is None else f", {size(self.memory)} of memory"
        return f"{duration(self.seconds)}{memory}, {self.why}"


def say(options: ExperimentArguments, cells: list[Cell]) -> None:
    """List the cells with what each costs."""
    print("dry run, nothing is written:", flush=True)
    total, unknown = 0.0, 0
    for cell, cost in costs(options, cells):
        print(f"  {cell.name}: {'done' if cost is None else cost.words}", flush=True)
        total += (cost.seconds or 0) if cost else 0
        unknown += cost is not None and cost.seconds is None
    done = sum(cell.is_scored for cell in cells)
    print(
        f"{len(cells)} cells, {done} of them done; the others take {duration(total)} by one process"
        + (f", and {unknown} of them a time that is not known" if unknown else "")
        + ".",
        flush=True,
    )


def costs(options: ExperimentArguments, cells: list[Cell]) -> Iterator[tuple[Cell, Cost | None]]:
    """Each cell with its cost; None for one that is done."""
    known: dict[tuple, tuple] = {}
    for cell in cells:
        if cell.is_scored:
            yield cell, None
            continue
        key = _alike(cell)
        if key not in known:
            known[key] = _training(cell), _scoring(options, cell)
        trained, scored = known[key]
        taken = _taken_by_another(cell, cells) if trained is None else None
        if cell.model_free is not None:
            yield cell, Cost(0.0, None, "without a model")
        elif scored is None and taken is None:
            yield cell, Cost(None, None, "")
        elif scored is None:
            yield cell, Cost(taken, None, "as a cell like it took to train")
        else:
            yield cell, _sum(cell, trained, scored)


def _sum(cell: Cell, trained: Estimate | None, scored: Estimate) -> Cost:
    training = 0.0 if trained is None else _rows(cell, trained) * trained.times * trained.seconds / trained.timed_rows
    scoring = len(cell.scored_on) * scored.rows * scored.seconds / scored.timed_rows
    memory = max(one.weights + one.memory for one in (trained, scored) if one is not None)
    parts = f"{duration(training)} to train and {duration(scoring)} to score" if trained else "to score"
    return Cost(training + scoring, memory, f"{parts}, by a sample")


def _rows(cell: Cell, estimate: Estimate) -> int:
    """Of an epoch: the estimate may be of a cell with another number of shots."""
    shots = getattr(cell.training, "num_shots", None)
    return estimate.rows if shots is None else shots * estimate.rows_per_sample


def _training(cell: Cell) -> Estimate | None:
    """None where nothing is trained, or where the family cannot say."""
    if cell.training is None:
        return None
    train = systems.part(str(cell.family), "train")
    return train.cost(cell.training) if hasattr(train, "cost") else None


def _scoring(options: ExperimentArguments, cell: Cell) -> Estimate | None:
    """By the base alone, for there is no adapter yet; None for a system that has no base."""
    if cell.family != BY_BASE:
        return None
    system = load_system(SystemOptions(), scoring_options(cell))
    return estimate(system, samples_of(options.samples(cell.scored_on[0]), system), [0])


def _taken_by_another(cell: Cell, cells: list[Cell]) -> float | None:
    """Seconds that a finished cell of the same system took to train, by the sample."""
    for other in cells:
        record = records.read_record(other.run / RECORD) if other.system == cell.system else None
        shots, own = (getattr(one.training, "num_shots", None) for one in (other, cell))
        if record and isinstance(record.get("seconds"), int | float) and (shots is None) == (own is None):
            return float(record["seconds"]) * (own / shots if shots and own else 1)
    return None


def _alike(cell: Cell) -> tuple:
    training = cell.training
    options = (
        ()
        if training is None
        else tuple(repr(getattr(training, one.name)) for one in fields(training) if one.name not in ALIKE)
    )
    return cell.system, options, repr(cell.scoring), cell.scored_on
