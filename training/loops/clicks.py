"""The training loop of traditional CTR models: log loss, AdamW, the epoch with the best validation metric.

Source: ReLLa, appendix C: AdamW at 1e-3, early stopping. Epochs are chosen on validation, never on test.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch.nn.functional import binary_cross_entropy_with_logits
from tqdm import tqdm

from training.features.batches import Samples

BETTER_IS_LESS = ("log_loss",)


@dataclass
class Progress:
    """Where a run stands after an epoch; what is needed to go on from there."""

    epoch: int = 0
    best_epoch: int = 0
    best: float | None = None
    log: list[dict] | None = None


def fit(
    model: torch.nn.Module,
    train: Samples,
    validation: Samples,
    options,
    measure: Callable[[np.ndarray, np.ndarray], dict[str, float]],
    device: torch.device,
) -> tuple[dict, Progress]:
    """The weights of the best epoch, and how it went. `options`: FittingArguments; measure(labels, scores) -> metrics."""
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=options.learning_rate, weight_decay=options.weight_decay, fused=device.type != "mps"
    )
    generator = torch.Generator().manual_seed(options.seed)
    progress, best_weights = Progress(log=[]), copy.deepcopy(model.state_dict())
    for epoch in range(1, options.num_train_epochs + 1):
        loss = _epoch(model, train, optimizer, generator, options.batch_size, device, f"epoch {epoch}")
        found = measure(validation.label, predict(model, validation, device))
        progress.epoch = epoch
        progress.log.append({"epoch": epoch, "loss": loss, **found})
        print(
            f"epoch {epoch}: loss {loss:.4f}, validation " + ", ".join(f"{k} {v:.4f}" for k, v in found.items()),
            flush=True,
        )
        if _is_better(found[options.metric_for_best_model], progress.best, options.metric_for_best_model):
            progress.best, progress.best_epoch = found[options.metric_for_best_model], epoch
            best_weights = copy.deepcopy(model.state_dict())
        elif epoch - progress.best_epoch >= options.early_stopping_patience:
            break
    return best_weights, progress


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
    for batch in tqdm(train.batches(size, generator), total=steps, desc=what, unit="step", mininterval=1):
        batch = batch.to(device)
        loss = binary_cross_entropy_with_logits(model(batch), batch.label)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        total += loss.detach() * len(batch.label)
    mean = float(total) / len(train)
    if not np.isfinite(mean):
        raise ValueError(f"The loss is {mean} in {what}. Lower --learning_rate.")
    return mean


def _is_better(found: float, best: float | None, metric: str) -> bool:
    return best is None or (found < best if metric in BETTER_IS_LESS else found > best)
