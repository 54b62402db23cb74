"""Training a classifier on towers: log loss, AdamW, a rate that rises and falls linearly, the epoch with the best validation metric.

Source: ReLLa, appendix C.2: AdamW at 5e-5, linear decay with a warm-up. Epochs are chosen on validation, never on test.
"""

from __future__ import annotations

import math
import sys

import numpy as np
import torch
from torch.nn.functional import binary_cross_entropy_with_logits
from tqdm import tqdm

from rella_hub.metrics.accuracy import accuracy
from rella_hub.metrics.auc import auc
from rella_hub.metrics.log_loss import log_loss
from rella_hub.systems.encoder.inputs import Samples
from rella_hub.systems.encoder.network import Classifier, Computing
from rella_hub.systems.epochs import rate_factor
from rella_hub.tables.constant import is_constant


def adamw(parameters, rate: float, weight_decay: float, device: torch.device) -> torch.optim.Optimizer:
    return torch.optim.AdamW(parameters, lr=rate, weight_decay=weight_decay, fused=device.type != "mps")


def step(optimizer: torch.optim.Optimizer, loss: torch.Tensor, rate: float) -> None:
    for group in optimizer.param_groups:
        group["lr"] = rate
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    optimizer.step()


def learn_epoch(
    model: Classifier,
    train: Samples,
    optimizer: torch.optim.Optimizer,
    order: torch.Generator,
    epoch: int,
    options,
    how: Computing,
) -> float:
    """Train on every sample once; the mean loss. options: `Options`; epoch: from 1."""
    model.train()
    total, steps = torch.zeros((), device=how.device), math.ceil(len(train) / options.batch_size)
    label = torch.from_numpy(train.label).float()
    shuffled = torch.randperm(len(train), generator=order)
    for number in tqdm(range(steps), desc=f"epoch {epoch}", unit="step"):
        samples = shuffled[number * options.batch_size : (number + 1) * options.batch_size]
        logits = model.logits(train.sides, samples.numpy(), how)
        loss = binary_cross_entropy_with_logits(logits, label[samples].to(how.device))
        done = (epoch - 1) * steps + number
        factor = rate_factor(done, steps * options.num_train_epochs, options.warmup_ratio)
        step(optimizer, loss, options.learning_rate * factor)
        total += loss.detach() * len(samples)
    return finite(float(total) / len(train), f"epoch {epoch}", "learning_rate")


def finite(loss: float, what: str, option: str) -> float:
    if not np.isfinite(loss):
        raise ValueError(f"The loss is {loss} in {what}. Lower --{option}.")
    return loss


def validate(model: Classifier, samples: Samples, how: Computing) -> dict[str, float]:
    """The metrics of the samples, by name; a warning where all of them get the same score."""
    scores, labels = predict(model, samples, how), samples.label
    if is_constant(scores):
        print(f"WARNING: all {len(scores):,} validation samples get the same score ({scores[0]:.6f}).", file=sys.stderr)
    return {"auc": auc(scores, labels), "log_loss": log_loss(scores, labels), "accuracy": accuracy(scores, labels)}


def predict(model: Classifier, samples: Samples, how: Computing) -> np.ndarray:
    """(S,) float64 P(Yes); every distinct text is encoded once."""
    model.eval()
    with torch.inference_mode():
        vectors = [
            model.encode(side.name, side.tokens, np.arange(len(side.tokens)), how).cpu()[
                torch.from_numpy(side.of_sample)
            ]
            for side in samples.sides
        ]
        return p_yes(model, vectors, how)


def p_yes(model: Classifier, vectors: list[torch.Tensor], how: Computing, rows: int = 65_536) -> np.ndarray:
    """(S,) float64 P(Yes) of the vectors of each side, (S, D)."""
    model.eval()
    with torch.inference_mode():
        parts = [
            model([side[begin : begin + rows].to(how.device) for side in vectors]).double().cpu()
            for begin in range(0, len(vectors[0]), rows)
        ]
    return torch.sigmoid(torch.cat(parts)).numpy()
