"""Training by epochs, as all families but the adapters do it: the best validation epoch is kept, and an interrupted run resumes."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable

from rella_hub.systems import checkpoint
from rella_hub.systems.checkpoint import Kept, Progress, Running

BETTER_IS_LESS = ("log_loss",)


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
