"""ValidRatio: the share of questions that a system answers with one of the candidates.

Range 0 to 1, more is better; whoever scores the candidates has 1. What counts as an answer is said by whoever reads it: LLaRA takes a
generated text for one when exactly one of the candidates' names is a part of it.

Worked example: scores (0.9, 0.1), then no answer: 0.5.
"""

import datasets
import evaluate
import numpy as np

VERSION = 1
TITLE = "ValidRatio"
PLACE = 0
HUB_ID = "valid_ratio"
HIGHER_IS_BETTER = True
BOUNDS = (0, 1)
EXAMPLE = {"predictions": [[0.9, 0.1], []], "references": [0, 0]}

_INPUTS = """
predictions: for each question a list of scores, one a candidate; an empty list where there is no valid answer.
references: for each question the place of the target among its candidates, from 0.
Returns {"valid_ratio": float}.
"""


def valid_ratio(predictions, references) -> float:
    """ValidRatio of questions."""
    rows, _ = _checked(predictions, references)
    return float(np.mean([len(row) > 0 for row in rows]))


class ValidRatio(evaluate.Metric):
    """`valid_ratio` as a metric of the `evaluate` library."""

    def _info(self):
        return evaluate.MetricInfo(
            description=__doc__,
            inputs_description=_INPUTS,
            features=datasets.Features(
                {"predictions": datasets.List(datasets.Value("float64")), "references": datasets.Value("int64")}
            ),
            citation="",
        )

    def _compute(self, predictions, references):
        return {"valid_ratio": valid_ratio(predictions, np.asarray(references))}


def _checked(predictions, references) -> tuple[list[np.ndarray], np.ndarray]:
    """Scores of each question, and the place of each target; ValueError for what is neither."""
    try:
        rows = [np.asarray(row, dtype=np.float64) for row in predictions]
        places = np.asarray(references)
    except (TypeError, ValueError) as error:
        raise ValueError(f"The predictions are no lists of numbers ({str(error).splitlines()[0]}).") from error
    if not rows or places.shape != (len(rows),) or places.dtype.kind not in "iu":
        raise ValueError(
            f"Got {len(rows)} predictions and references of shape {places.shape}; expected a list of scores and the place of the target, "
            "a whole number, for each of at least one question."
        )
    for number, (row, place) in enumerate(zip(rows, places.tolist(), strict=True)):
        if row.ndim != 1 or not np.isfinite(row).all():
            raise ValueError(f"Question {number} has scores that are no list of finite numbers.")
        if place < 0 or (len(row) and place >= len(row)):
            raise ValueError(
                f"Question {number} has {len(row)} candidates, and its target is said to be at place {place}."
            )
    return rows, places.astype(np.int64)
