"""ACC: the share of samples whose answer, Yes or No, is right.

Range 0 to 1, more is better; always giving the more frequent label gives its share. The answer is Yes where the score is
above 0.5: at exactly 0.5 neither is the likelier, and that counts as No.

Worked example: labels 1, 1, 0, 0 and scores 0.9, 0.5, 0.5, 0.2. The answers are Yes, No, No, No: three of four, 0.75.
"""

import datasets
import evaluate
import numpy as np
from sklearn.metrics import accuracy_score

VERSION = 1
THRESHOLD = 0.5  # the answer is Yes where score > THRESHOLD

_INPUTS = """
predictions: P(Yes) of each sample, numbers from 0 to 1.
references: label of each sample, 0 or 1.
Returns {"accuracy": float}.
"""


def accuracy(predictions: np.ndarray, references: np.ndarray) -> float:
    """ACC of scores (n,) against labels (n,), cut at `THRESHOLD`."""
    predictions, references = _checked(predictions, references)
    return float(accuracy_score(references, predictions > THRESHOLD))


class Accuracy(evaluate.Metric):
    """`accuracy` as a metric of the `evaluate` library."""

    def _info(self):
        return evaluate.MetricInfo(
            description=__doc__,
            inputs_description=_INPUTS,
            features=datasets.Features(
                {"predictions": datasets.Value("float64"), "references": datasets.Value("int64")}
            ),
            citation="",
        )

    def _compute(self, predictions, references):
        return {"accuracy": accuracy(predictions, references)}


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
