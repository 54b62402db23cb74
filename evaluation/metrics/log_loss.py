"""LogLoss: the mean of -log(probability given to the true label), also called binary cross-entropy, in nats.

Range 0 to 16.12, less is better; always answering 0.5 gives log 2 = 0.6931. It asks for calibrated probabilities: one
sample that is scored 0 and liked would make it infinite, so scores are first clipped to [1e-7, 1 - 1e-7], which is what
bounds the range (-log 1e-7 = 16.12).

Worked example: labels 1, 0 and scores 0.5, 0.75. (-log 0.5 - log 0.25) / 2 = (0.6931 + 1.3863) / 2 = 1.0397.
"""

import datasets
import evaluate
import numpy as np
from sklearn.metrics import log_loss as cross_entropy

VERSION = 1
EPSILON = 1e-7  # scores are clipped to [EPSILON, 1 - EPSILON]

_INPUTS = """
predictions: P(Yes) of each sample, numbers from 0 to 1.
references: label of each sample, 0 or 1.
Returns {"log_loss": float}.
"""


def log_loss(predictions: np.ndarray, references: np.ndarray) -> float:
    """LogLoss of scores (n,) against labels (n,), clipped to `EPSILON`."""
    predictions, references = _checked(predictions, references)
    return float(cross_entropy(references, np.clip(predictions, EPSILON, 1 - EPSILON), labels=[0, 1]))


class LogLoss(evaluate.Metric):
    """`log_loss` as a metric of the `evaluate` library."""

    def _info(self):
        return evaluate.MetricInfo(
            description=__doc__,
            inputs_description=_INPUTS,
            features=datasets.Features(
                {"predictions": datasets.Value("float64"), "references": datasets.Value("int64")}
            ),
            citation="I. J. Good, Rational Decisions, Journal of the Royal Statistical Society B, 1952",
        )

    def _compute(self, predictions, references):
        return {"log_loss": log_loss(predictions, references)}


def _checked(predictions, references) -> tuple[np.ndarray, np.ndarray]:
    predictions, references = np.asarray(predictions, dtype=np.float64), np.asarray(references)
    if predictions.shape != references.shape or predictions.ndim != 1 or not len(predictions):
        raise ValueError(
            f"Got predictions of shape {predictions.shape} and references of shape {references.shape}; "
            "expected one score and one label for each of at least one sample."
        )
    wrong = ~((predictions >= 0) & (predictions <= 1))  # true for NaN too
    if wrong.any():
        raise ValueError(
            f"{wrong.sum()} predictions are not numbers from 0 to 1; the first is {predictions[wrong][0]}. "
            "Give probabilities, not logits."
        )
    wrong = ~np.isin(references, (0, 1))
    if wrong.any():
        raise ValueError(f"{wrong.sum()} references are not 0 or 1; the first is {references[wrong][0]}. Give labels.")
    return predictions, references
