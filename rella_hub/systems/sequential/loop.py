"""The training of a recommender: for each sample its target and one random item, told apart by binary cross-entropy.

    loss = -log sigmoid(y_target) - log(1 - sigmoid(y_j)),    j uniform over all other items        mean over both terms

Source: LLaRA's recommenders (released training of DROS): Adam, the epoch with the best validation Hit@20 over all items.
"""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from rella_hub.systems.checkpoint import Kept, Progress, Running
from rella_hub.systems.epochs import run_epochs
from rella_hub.systems.sequential.inputs import Histories
from rella_hub.systems.sequential.network import Recommender

AT = 20  # of the validation metrics
SCORES_AT_ONCE = 4_000_000  # numbers in memory


def fit(
    model: Recommender,
    train: Histories,
    validation: Histories,
    options,
    device: torch.device,
    kept: Kept | None = None,
) -> tuple[dict, Progress]:
    """The weights of the best epoch, and how it went. options: Options. kept: as of `rella_hub.systems.epochs.run_epochs`."""
    optimizer = torch.optim.Adam(
        model.parameters(), lr=options.learning_rate, weight_decay=options.weight_decay, fused=device.type != "mps"
    )
    order = torch.Generator().manual_seed(options.seed)
    running = Running(model, optimizer, order, copy.deepcopy(model.state_dict()), Progress())
    run_epochs(
        *(running, options, kept),
        learn=lambda epoch: _epoch(running, train, options.batch_size, device),
        validate=lambda: validate(model, validation, device),
    )
    return running.best, running.progress


def validate(model: Recommender, samples: Histories, device: torch.device) -> dict[str, float]:
    """Hit@20 and NDCG@20 of the target among all items; of equal scores the target comes last."""
    model.eval()
    size = max(1, SCORES_AT_ONCE // model.items.num_embeddings)
    ranks = []
    with torch.inference_mode():
        for items, mask, target in samples.batches(size):
            scores = model.score_all(model.user_state(items.to(device), mask.to(device)))
            own = scores.gather(1, target.to(device)[:, None] - 1)
            ranks.append((scores >= own).sum(dim=1).cpu().numpy())  # from 1: it is at least as good as itself
    rank = np.concatenate(ranks)
    return {
        "hit_at_20": float(np.mean(rank <= AT)),
        "ndcg_at_20": float(np.mean(np.where(rank <= AT, 1 / np.log2(1 + rank), 0))),
    }


def _epoch(running: Running, train: Histories, size: int, device: torch.device) -> float:
    """Train on every sample once; the mean loss."""
    model: Any = running.model
    model.train()
    total = torch.zeros((), device=device)
    for items, mask, target in train.batches(size, running.order):
        asked = torch.stack([target, negatives(target, model.items.num_embeddings - 1, running.order)], dim=1)
        loss = learn(model, running.optimizer, *(part.to(device) for part in (items, mask, asked)))
        total += loss * len(target)
    mean = float(total) / len(train)
    if not np.isfinite(mean):
        raise ValueError(f"The loss is {mean} in epoch {running.progress.epoch + 1}. Lower --learning_rate.")
    return mean


def negatives(target: Tensor, items: int, generator: torch.Generator) -> Tensor:
    """(B,) rows from 1 to `items`, uniform over all but the `target` (B,) of each."""
    drawn = torch.randint(1, items, target.shape, generator=generator)
    return drawn + (drawn >= target)


def learn(model: Recommender, optimizer: torch.optim.Optimizer, items: Tensor, mask: Tensor, asked: Tensor) -> Tensor:
    """One step; the mean loss before it. asked: (B, 2), the target and the negative."""
    scores = model.score(model.user_state(items, mask), asked)
    truth = torch.tensor([1.0, 0.0], device=scores.device).expand_as(scores)
    loss = binary_cross_entropy_with_logits(scores, truth)
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    optimizer.step()
    return loss.detach()
