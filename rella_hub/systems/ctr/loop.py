"""The training loop of traditional CTR models: log loss, AdamW, the epoch with the best validation metric.

Source: ReLLa, appendix C: AdamW at 1e-3, early stopping. Epochs are chosen on validation, never on test.
"""

from __future__ import annotations

import copy

import numpy as np
import torch
from torch.nn.functional import binary_cross_entropy_with_logits
from tqdm import tqdm

from rella_hub.metrics import measure
from rella_hub.networks.layers.batch import Batch
from rella_hub.systems.checkpoint import Kept, Progress, Running
from rella_hub.systems.ctr.inputs.batches import Samples
from rella_hub.systems.epochs import run_epochs

BATCH = 4096  # samples that are predicted at once


def fit(
    model: torch.nn.Module,
    train: Samples,
    validation: Samples,
    options,
    device: torch.device,
    kept: Kept | None = None,
) -> tuple[dict, Progress]:
    """The weights of the best epoch, and how it went. `options`: Options.

    After each epoch `kept` gets a checkpoint; where there is one of this run already, the run resumes from it, to the same weights as
    without the interruption.
    """
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=options.learning_rate, weight_decay=options.weight_decay, fused=device.type != "mps"
    )
    order = torch.Generator().manual_seed(options.seed)
    running = Running(model, optimizer, order, copy.deepcopy(model.state_dict()), Progress())
    run_epochs(
        *(running, options, kept),
        learn=lambda epoch: _epoch(running, train, options.batch_size, device),
        validate=lambda: measure(validation.label, predict(model, validation, device)),
    )
    return running.best, running.progress


def predict(model: torch.nn.Module, samples: Samples, device: torch.device, size: int = BATCH) -> np.ndarray:
    """(S,) float64 P(Yes) in the order of the samples."""
    model.eval()
    with torch.inference_mode():
        logits = [model(batch.to(device)).float().cpu() for batch in samples.batches(size)]
    return torch.sigmoid(torch.cat(logits).double()).numpy()


def _epoch(running: Running, train: Samples, size: int, device: torch.device) -> float:
    """Train on every sample once; the mean loss."""
    running.model.train()
    total = torch.zeros((), device=device)
    steps, what = -(-len(train) // size), f"epoch {running.progress.epoch + 1}"
    for batch in tqdm(train.batches(size, running.order), total=steps, desc=what, unit="step"):
        total += learn(running.model, running.optimizer, batch.to(device)) * len(batch)
    mean = float(total) / len(train)
    if not np.isfinite(mean):
        raise ValueError(f"The loss is {mean} in {what}. Lower --learning_rate.")
    return mean


def learn(model: torch.nn.Module, optimizer: torch.optim.Optimizer, batch: Batch) -> torch.Tensor:
    """One step; the mean loss of the batch before it."""
    assert batch.label is not None, "training samples have labels"
    loss = binary_cross_entropy_with_logits(model(batch), batch.label)
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    optimizer.step()
    return loss.detach()
