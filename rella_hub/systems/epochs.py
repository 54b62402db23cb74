"""Training by epochs, as all families but the adapters do it: the best validation epoch is kept, and an interrupted run resumes.

`is_finished` comes before it, and `write_records` after it.
"""

from __future__ import annotations

import copy
import json
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
import yaml

from rella_hub.cli.options import pinning_defaults, recipe, without_places
from rella_hub.figures import draw_curve
from rella_hub.files import ownership
from rella_hub.files.hashes import hash_file
from rella_hub.systems import checkpoint
from rella_hub.systems.checkpoint import Kept, Progress, Running
from rella_hub.tables import records
from rella_hub.tables.runs import CURVE, RECIPE, RECORD

BETTER_IS_LESS = ("log_loss",)
CHECKPOINT = "checkpoint"  # the folder in a run that holds it


def is_finished(output: Path, kind: str, record: dict, options, checkpoints: Sequence[str] = (CHECKPOINT,)) -> bool:
    """Whether `output` holds the finished run of `record`. ValueError when it holds another run, or the beginning of one, or something
    else than a run of this kind.

    checkpoints: their folders in it, of the last stage first.
    """
    ownership.require_own_folder(output, kind)
    finished = records.read_record(output / RECORD)
    begun = (checkpoint.read_made_from(output / name) for name in checkpoints)
    existing = finished or next((one for one in begun if one), None)
    if existing is not None:
        existing = existing | {"recipe": without_places(existing.get("recipe", {}), type(options))}
    whole, defaults = finished is not None, {"recipe": pinning_defaults(type(options))}
    return records.is_current(output, existing, record, options.overwrite, "--output_dir", whole, defaults)


@dataclass(frozen=True)
class Curve:
    """What the figure of a training shows of its log."""

    loss: str = "LogLoss"  # what both losses are
    validation: str | None = None  # the key of the one of validation
    metric: str = "auc"
    titled: str = "validation AUC"


OF_LABELS = Curve(validation="log_loss")


def write_records(
    folder: Path, result: str, options, reads: Sequence[str], record: dict, curve: Curve = OF_LABELS
) -> None:
    """The recipe, the curve, and the record with the hashes of what lies in `result`. reads: as of `rella_hub.cli.options.recipe`."""
    (folder / RECIPE).write_text(yaml.safe_dump(recipe(options, reads), sort_keys=False), encoding="utf-8")
    drawn = {"training": "loss", **({"validation": curve.validation} if curve.validation else {})}
    losses = {name: _by_epoch(record, key) for name, key in drawn.items()}
    metric, kept = _by_epoch(record, curve.metric), record["best_epoch"]
    draw_curve(folder / CURVE, "epoch", curve.loss, losses, metric, kept, curve.titled)
    record |= {"sha256": {path.name: hash_file(path) for path in sorted((folder / result).iterdir())}}
    (folder / RECORD).write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")


def _by_epoch(record: dict, key: str) -> list[tuple[int, float]]:
    return [(epoch["epoch"], epoch[key]) for epoch in record["log"]]


def outcome(progress: Progress) -> dict:
    """What the record of a run says of the course of its training."""
    return {
        "seconds": round(progress.seconds, 1),
        "best_epoch": progress.best_epoch,
        "best_validation": progress.log[progress.best_epoch - 1],
        "log": progress.log,
    }


def check_options(options, at_least_one: Sequence[str], above_zero: Sequence[str], metrics: Sequence[str]) -> None:
    """ValueError for a number that no training can have, or a metric that is not validated.

    at_least_one, above_zero: names of options; metrics: those that are validated.
    """
    for name in at_least_one:
        if getattr(options, name) < 1:
            raise ValueError(f"--{name} is {getattr(options, name)}; at least 1 is needed.")
    for name in above_zero:
        if not 0 < getattr(options, name) < math.inf:
            raise ValueError(f"--{name} is {getattr(options, name)}; it must be above 0, and finite.")
    if not 0 <= options.weight_decay < math.inf:
        raise ValueError(f"--weight_decay is {options.weight_decay}; it must be at least 0, and finite.")
    if not 0 <= options.seed < 2**32:
        raise ValueError(f"--seed is {options.seed}; expected at least 0 and below 2**32.")
    if options.metric_for_best_model not in metrics:
        raise ValueError(
            f"--metric_for_best_model is {options.metric_for_best_model!r}; expected one of {', '.join(metrics)}."
        )


def json_options(given: str) -> object:
    """The value of --model_options. ValueError where it is no JSON."""
    try:
        return json.loads(given)
    except (json.JSONDecodeError, RecursionError) as error:
        raise ValueError(f"--model_options is {given!r}, expected JSON ({error}).") from error


def peak_memory() -> int:
    """Bytes: of the GPU where there is one, else of this process."""
    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated()
    import resource  # of Unix

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def run_epochs(
    running: Running,
    options,
    kept: Kept | None,
    learn: Callable[[int], float],
    validate: Callable[[], dict[str, float]],
) -> None:
    """Train epoch by epoch until `options` say enough; after each one `kept` gets a checkpoint, and where there is one, it goes on there.

    learn: number of the epoch, from 1 -> its mean loss; validate: -> metrics.
    """
    if kept is not None and kept.is_there():
        checkpoint.load(kept, running)
        print(f"resumed from {kept.folder}, after epoch {running.progress.epoch}", flush=True)
    while not _is_over(running.progress, options):
        begin = time.perf_counter()
        epoch = running.progress.epoch + 1
        loss = learn(epoch)
        found = validate()
        _note(running, epoch, loss, found, options.metric_for_best_model)
        running.progress.seconds += time.perf_counter() - begin
        if kept is not None and not _is_over(running.progress, options):
            checkpoint.save(kept, running)


def rate_factor(step: int, steps: int, warmup_ratio: float) -> float:
    """What the learning rate of a step, counted from 0, is multiplied with."""
    warmup = math.ceil(steps * warmup_ratio)
    if step < warmup:
        return step / warmup
    return (steps - step) / max(1, steps - warmup)


def _is_over(progress: Progress, options) -> bool:
    waited = progress.epoch - progress.best_epoch
    return progress.epoch >= options.num_train_epochs or (
        progress.best_epoch > 0 and waited >= options.early_stopping_patience
    )


def _note(running: Running, epoch: int, loss: float, found: dict[str, float], metric: str) -> None:
    """Log the epoch, and keep its weights if they are the best so far."""
    progress = running.progress
    progress.epoch = epoch
    progress.log.append({"epoch": epoch, "loss": loss, **found})
    figures = ", ".join(f"{key} {value:.4f}" for key, value in found.items())
    print(f"epoch {epoch}: loss {loss:.4f}, validation {figures}", flush=True)
    if _is_better(found[metric], progress.best, metric):
        progress.best, progress.best_epoch = found[metric], epoch
        running.best = copy.deepcopy(running.model.state_dict())


def _is_better(found: float, best: float | None, metric: str) -> bool:
    return best is None or (found < best if metric in BETTER_IS_LESS else found > best)
