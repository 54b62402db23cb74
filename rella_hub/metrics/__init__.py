"""The metrics: each file here is one `evaluate.Metric` for predicted probabilities, and adding a file is registering it.

They hold what click-through papers print as AUC, LogLoss and ACC. Every file says the range, whether more or less is
better, and one example worked by hand, and raises rather than give a number that means nothing. Two ways in:

    from rella_hub.metrics.auc import AUC, auc          # in this project: the class, or the function it wraps
    evaluate.load("rella_hub/metrics/auc.py")           # alone and from anywhere, without the network

The second way copies that one file, which is why each file repeats its few lines of checks instead of importing them.
`VERSION` rises whenever a metric would give another number for the same input.
"""

from __future__ import annotations

import numpy as np


def measure(labels: np.ndarray, scores: np.ndarray) -> dict[str, float]:
    """AUC, LogLoss and ACC of P(Yes) `scores` (n,) for 0/1 `labels` (n,)."""
    from rella_hub.metrics.accuracy import accuracy
    from rella_hub.metrics.auc import auc
    from rella_hub.metrics.log_loss import log_loss

    return {"auc": auc(scores, labels), "log_loss": log_loss(scores, labels), "accuracy": accuracy(scores, labels)}
