"""HitRatio@k: the share of questions whose target is among the k candidates of the highest scores.

Range 0 to 1, more is better; chance gives k over the number of candidates. A question without a valid answer counts as wrong: this is the
HitRatio@1 that LLaRA prints, correct of all.

Worked example: scores (0.9, 0.1) with the target first, (0.5, 0.5) with the target first, no answer. One is right, one is right in half of
the orders of its equal scores, one is wrong: 0.5.
"""

import datasets
import evaluate
import numpy as np

VERSION = 1
TITLE = "HitRatio@1"
PLACE = 1
HUB_ID = "hit_ratio"
HIGHER_IS_BETTER = True
BOUNDS = (0, 1)
EXAMPLE = {"predictions": [[0.9, 0.1], [0.5, 0.5], []], "references": [0, 0, 0]}

_INPUTS = """
predictions: for each question a list of scores, one a candidate; an empty list where there is no valid answer.
references: for each question the place of the target among its candidates, from 0.
k: among how many of the best it counts, 1 by default.
Returns {"hit_ratio": float}.
"""


def hit_ratio(predictions, references, k: int = 1) -> float:
    """HitRatio@1 of questions."""
    if not isinstance(k, int) or k < 1:
        raise ValueError(f"k is {k!r}; a whole number from 1 is needed.")
    rows, places = _checked(predictions, references)
    hits = [[rank <= k for rank in _ranks(row, place)] for row, place in zip(rows, places.tolist(), strict=True)]
    return float(np.mean([np.mean(one) if one else 0.0 for one in hits]))


class HitRatio(evaluate.Metric):
    """`hit_ratio` as a metric of the `evaluate` library."""

    def _info(self):
        return evaluate.MetricInfo(
            description=__doc__,
            inputs_description=_INPUTS,
            features=datasets.Features(
                {"predictions": datasets.List(datasets.Value("float64")), "references": datasets.Value("int64")}
            ),
            citation="",
        )

    def _compute(self, predictions, references, k=1):
        return {"hit_ratio": hit_ratio(predictions, np.asarray(references), k=k)}


def _ranks(row: np.ndarray, place: int) -> range:
    """The ranks, from 1, that the target may have: of equal scores every order is as likely. None where there is no answer."""
    if not len(row):
        return range(0)
    better, alike = int((row > row[place]).sum()), int((row == row[place]).sum())
    return range(better + 1, better + alike + 1)


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
