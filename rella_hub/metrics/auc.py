"""AUC: the chance that a liked item is scored above one that is not, for one of each drawn at random; a tie counts half.

Range 0 to 1, more is better; 0.5 is guessing. It sees only the order of the scores, never their size.

Worked example: labels 0, 0, 1, 1 and scores 0.1, 0.4, 0.4, 0.8. Of the four pairs of a liked and a not liked item, three
are in the right order (0.4 > 0.1, 0.8 > 0.1, 0.8 > 0.4) and one is tied (0.4 = 0.4): (3 + 1/2) / 4 = 0.875.
"""

from collections.abc import Callable

import datasets
import evaluate
import numpy as np
from sklearn.metrics import roc_auc_score

VERSION = 1
TITLE = "AUC"
PLACE = 1
HUB_ID = "roc_auc"
HIGHER_IS_BETTER = True
BOUNDS = (0, 1)
EXAMPLE = {"predictions": [0.1, 0.4, 0.4, 0.8], "references": [0, 0, 1, 1]}

_INPUTS = """
predictions: P(Yes) of each sample, numbers from 0 to 1.
references: label of each sample, 0 or 1; both must occur.
Returns {"auc": float}.
"""


def auc(predictions: np.ndarray, references: np.ndarray) -> float:
    """AUC of scores (n,) against labels (n,); ValueError when all labels are the same."""
    predictions, references = _checked(predictions, references)
    if references.min() == references.max():
        raise ValueError(
            f"AUC compares samples of label 1 with samples of label 0; all {len(references)} labels are "
            f"{references[0]}. Score more samples, so that both labels occur."
        )
    return float(roc_auc_score(references, predictions))


def repeated(predictions: np.ndarray, references: np.ndarray) -> Callable[[np.ndarray], float]:
    """AUC as a function of how many times each sample occurs (n,), NaN where one label does not occur.

    Scores are sorted once, for all numbers of times. Pairs are counted in whole numbers, so the result is exact.
    """
    predictions, references = _checked(predictions, references)
    yes, no = np.flatnonzero(references == 1), np.flatnonzero(references == 0)
    yes, no = yes[np.argsort(predictions[yes])], no[np.argsort(predictions[no])]
    below, up_to = (np.searchsorted(predictions[no], predictions[yes], side) for side in ("left", "right"))

    def value(times: np.ndarray) -> float:
        liked, others = times[yes], np.append(0, np.cumsum(times[no]))  # (P,), and (N + 1,) counts of the lowest ones
        pairs = int(others[-1]) * int(liked.sum())
        right = int(liked @ (others[below] + others[up_to]))  # 2 (below + tied / 2)
        return right / (2 * pairs) if pairs else float("nan")

    return value


class AUC(evaluate.Metric):
    """`auc` as a metric of the `evaluate` library."""

    def _info(self):
        return evaluate.MetricInfo(
            description=__doc__,
            inputs_description=_INPUTS,
            features=datasets.Features(
                {"predictions": datasets.Value("float64"), "references": datasets.Value("int64")}
            ),
            citation="J. A. Hanley and B. J. McNeil, The Meaning and Use of the Area under a ROC Curve, Radiology, 1982",
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
        return {"auc": auc(predictions, references)}


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
