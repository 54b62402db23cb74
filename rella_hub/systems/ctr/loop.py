"""The training loop of traditional CTR models: log loss, AdamW, the epoch with the best validation metric.

Source: ReLLa, appendix C: AdamW at 1e-3, early stopping. Epochs are chosen on validation, never on test.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import torch
from torch.nn.functional import binary_cross_entropy_with_logits
from tqdm import tqdm

from rella_hub.networks.layers.batch import Batch
from rella_hub.systems.ctr import checkpoint
from rella_hub.systems.ctr.checkpoint import Progress, Running
from rella_hub.systems.ctr.inputs.batches import Samples

BETTER_IS_LESS = ("log_loss",)


def fit(
    model: torch.nn.Module,
    train: Samples,
    validation: Samples,
    options,
    measure: Callable[[np.ndarray, np.ndarray], dict[str, float]],
    device: torch.device,
    kept: Path | None = None,
    made_from: Mapping | None = None,
) -> tuple[dict, Progress]:
    """The weights of the best epoch, and how it went. `options`: FittingArguments; measure(labels, scores) -> metrics.

    After each epoch the folder `kept` gets a checkpoint of the run `made_from`; where it holds one of this run already, that is gone on
    from, to the same weights as without the interruption.
    """
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=options.learning_rate, weight_decay=options.weight_decay, fused=device.type != "mps"
    )
    order = torch.Generator().manual_seed(options.seed)
    running = Running(model, optimizer, order, copy.deepcopy(model.state_dict()), Progress())
    run_epochs(
        *(running, options, kept, made_from),
        learn=lambda epoch: _epoch(model, train, optimizer, order, options.batch_size, device, f"epoch {epoch}"),
        validate=lambda: measure(validation.label, predict(model, validation, device)),
    )
    return running.best, running.progress


def run_epochs(
    running: Running,
    options,
    kept: Path | None,
    made_from: Mapping | None,
    learn: Callable[[int], float],
    validate: Callable[[], dict[str, float]],
) -> None:
    """Train epoch by epoch until `options` say enough, from the checkpoint in `kept` where it is one of the run `made_from`.

    learn: number of the epoch, from 1 -> its mean loss; validate: -> metrics.
    """
    if kept is not None and checkpoint.read_made_from(kept) == made_from:
        checkpoint.load(kept, running)
        print(f"going on from {kept}, after epoch {running.progress.epoch}", flush=True)
    while not _is_over(running.progress, options):
        begin = time.perf_counter()
        epoch = running.progress.epoch + 1
        loss = learn(epoch)
        found = validate()
        _note(running, epoch, loss, found, options.metric_for_best_model)
        running.progress.seconds += time.perf_counter() - begin
        if kept is not None and not _is_over(running.progress, options):
            checkpoint.save(kept, running, made_from)


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


def predict(model: torch.nn.Module, samples: Samples, device: torch.device, size: int = 4096) -> np.ndarray:
    """(S,) float64 P(Yes) in the order of the samples."""
    model.eval()
    with torch.inference_mode():
        logits = [model(batch.to(device)).float().cpu() for batch in samples.batches(size)]
    return torch.sigmoid(torch.cat(logits).double()).numpy()


def _epoch(model, train: Samples, optimizer, generator, size: int, device: torch.device, what: str) -> float:
    """Train on every sample once; the mean loss."""
    model.train()
    total = torch.zeros((), device=device)
    steps = -(-len(train) // size)
    for batch in tqdm(train.batches(size, generator), total=steps, desc=what, unit="step"):
        total += learn(model, optimizer, batch.to(device)) * len(batch)
    mean = float(total) / len(train)
    if not np.isfinite(mean):
        raise ValueError(f"The loss is {mean} in {what}. Lower --learning_rate.")
    return mean


def learn(model: torch.nn.Module, optimizer: torch.optim.Optimizer, batch: Batch) -> torch.Tensor:
    """One step; the mean loss of the batch before it."""
    loss = binary_cross_entropy_with_logits(model(batch), batch.label)
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    optimizer.step()
    return loss.detach()


def _is_better(found: float, best: float | None, metric: str) -> bool:
    return best is None or (found < best if metric in BETTER_IS_LESS else found > best)
