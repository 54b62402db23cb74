"""All metrics of the paper at once, under the names that code and results use."""

from __future__ import annotations

import numpy as np

from rella_hub.metrics.accuracy import accuracy
from rella_hub.metrics.auc import auc
from rella_hub.metrics.log_loss import log_loss


def measure(labels: np.ndarray, scores: np.ndarray) -> dict[str, float]:
    """AUC, LogLoss and ACC of P(Yes) `scores` (N,) for 0/1 `labels` (N,)."""
    return {"auc": auc(scores, labels), "log_loss": log_loss(scores, labels), "accuracy": accuracy(scores, labels)}
