"""LogLoss: the mean of -log(probability given to the true label), also called binary cross-entropy, in nats.

Range 0 to 16.12, less is better; always answering 0.5 gives log 2 = 0.6931. It asks for calibrated probabilities: one
sample that is scored 0 and liked would make it infinite, so scores are first clipped to [1e-7, 1 - 1e-7], which is what
bounds the range (-log 1e-7 = 16.12).

Worked example: labels 1, 0 and scores 0.5, 0.75. (-log 0.5 - log 0.25) / 2 = (0.6931 + 1.3863) / 2 = 1.0397.
"""

from collections.abc import Callable

import datasets
import evaluate
import numpy as np
from sklearn.metrics import log_loss as cross_entropy

VERSION = 1
TITLE = "LogLoss"
PLACE = 2
HUB_ID = "log_loss"
HIGHER_IS_BETTER = False
BOUNDS = (0, 16.12)
EXAMPLE = {"predictions": [0.5, 0.75], "references": [1, 0]}
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


def repeated(predictions: np.ndarray, references: np.ndarray) -> Callable[[np.ndarray], float]:
    """LogLoss as a function of how many times each sample occurs (n,)."""
    predictions, references = _checked(predictions, references)
    clipped = np.clip(predictions, EPSILON, 1 - EPSILON)
    loss = -np.log(np.where(references == 1, clipped, 1 - clipped))
    return lambda times: float(times @ loss / times.sum())


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

    def add_batch(self, *, predictions=None, references=None, **others):
        """Check scores and labels before they are cast to the features, and add them."""
        predictions, references = _checked(predictions, references)
        super().add_batch(predictions=predictions, references=references, **others)

    def add(self, *, prediction=None, reference=None, **others):
        """Add one score and one label."""
        given = {"predictions": prediction, "references": reference, **others}  # `evaluate.combine` says predictions
        self.add_batch(**{name: [value] for name, value in given.items()})

    def _compute(self, predictions, references):
        return {"log_loss": log_loss(predictions, references)}


def _checked(predictions, references) -> tuple[np.ndarray, np.ndarray]:
    """Scores (n,) float64 and labels (n,) int64; ValueError for what is no score or no label, never cut or rounded into one."""
    predictions, references = _numbers(predictions, "predictions"), _numbers(references, "references")
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
    return predictions.astype(np.float64), references.astype(np.int64)


def _numbers(values, what: str) -> np.ndarray:
    """An array of whatever holds numbers or truth values; texts, dates and missing values are none."""
    try:
        array = np.asarray(values)
    except (TypeError, ValueError, RuntimeError) as error:  # a ragged list, or a tensor that numpy cannot read
        raise ValueError(f"The {what} are no column of numbers ({str(error).splitlines()[0]}).") from error
    if np.ma.is_masked(values):
        raise ValueError(f"The {what} have missing values; expected a number for each sample.")
    if array.size and array.dtype.kind not in "biuf":
        odd = next((v for v in array.ravel().tolist() if not isinstance(v, int | float)), array.dtype.name)
        raise ValueError(f"The {what} hold {odd!r}, which is no number; expected a number for each sample.")
    return array
