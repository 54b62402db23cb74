"""ACC: the share of samples whose answer, Yes or No, is right.

Range 0 to 1, more is better; always giving the more frequent label gives its share. The answer is Yes where the score is
above 0.5: at exactly 0.5 neither is the likelier, and that counts as No.

Worked example: labels 1, 1, 0, 0 and scores 0.9, 0.5, 0.5, 0.2. The answers are Yes, No, No, No: three of four, 0.75.
"""

from collections.abc import Callable

import datasets
import evaluate
import numpy as np
from sklearn.metrics import accuracy_score

VERSION = 1
TITLE = "ACC"
PLACE = 3
HUB_ID = "accuracy"
HIGHER_IS_BETTER = True
BOUNDS = (0, 1)
EXAMPLE = {"predictions": [0.9, 0.5, 0.5, 0.2], "references": [1, 1, 0, 0]}
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


def repeated(predictions: np.ndarray, references: np.ndarray) -> Callable[[np.ndarray], float]:
    """ACC as a function of how many times each sample occurs (n,)."""
    predictions, references = _checked(predictions, references)
    right = ((predictions > THRESHOLD) == references).astype(np.float64)
    return lambda times: float(times @ right / times.sum())


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

    def add_batch(self, *, predictions=None, references=None, **others):
        """Check scores and labels before they are cast to the features, and add them."""
        predictions, references = _checked(predictions, references)
        super().add_batch(predictions=predictions, references=references, **others)

    def add(self, *, prediction=None, reference=None, **others):
        """Add one score and one label."""
        given = {"predictions": prediction, "references": reference, **others}  # `evaluate.combine` says predictions
        self.add_batch(**{name: [value] for name, value in given.items()})

    def _compute(self, predictions, references):
        return {"accuracy": accuracy(predictions, references)}


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
