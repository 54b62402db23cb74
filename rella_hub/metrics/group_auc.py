"""Group AUC: AUC within each user, averaged over users, each weighted by the number of its samples.

Range 0 to 1, more is better; 0.5 is guessing. Only the order of one user's samples counts: a system that merely knows which
users like much has 0.5. A user whose samples all have one label has no AUC and is left out. Source: G. Zhou et al., "Deep
Interest Network for Click-Through Rate Prediction", 2018, section 4.2.2, with samples in the place of impressions.

Worked example: user 7 has labels 0, 1 and scores 0.2, 0.6, AUC 1; user 8 has labels 1, 0, 0, 1 and scores 0.5, 0.5, 0.1, 0.3, AUC
(1/2 + 1 + 0 + 1) / 4 = 0.625; user 9 has label 1 alone and is left out. (2 * 1 + 4 * 0.625) / 6 = 0.75.
"""

from collections.abc import Callable

import datasets
import evaluate
import numpy as np

VERSION = 1
TITLE = "GAUC"
PLACE = 4
HUB_ID = "group_auc"
HIGHER_IS_BETTER = True
BOUNDS = (0, 1)
BY_USER = True
EXAMPLE = {
    "predictions": [0.2, 0.6, 0.5, 0.5, 0.1, 0.3, 0.9],
    "references": [0, 1, 1, 0, 0, 1, 1],
    "users": [7, 7, 8, 8, 8, 8, 9],
}

_INPUTS = """
predictions: P(Yes) of each sample, numbers from 0 to 1.
references: label of each sample, 0 or 1; both must occur for one user.
users: the user of each sample, a whole number.
Returns {"group_auc": float}.
"""


def group_auc(predictions: np.ndarray, references: np.ndarray, users: np.ndarray) -> float:
    """Group AUC of scores (n,) against labels (n,) of users (n,); ValueError when no user has both labels."""
    return repeated(predictions, references, users)(np.ones(len(predictions)))


def repeated(predictions: np.ndarray, references: np.ndarray, users: np.ndarray) -> Callable[[np.ndarray], float]:
    """Group AUC as a function of how many times each sample occurs (n,), as many for all samples of a user; NaN where no
    user with both labels occurs."""
    predictions, references = _checked(predictions, references)
    user, liked, samples = _groups(references, users)
    pairs = liked * (samples - liked)  # (U,)
    if not pairs.any():
        raise ValueError(
            f"None of {len(pairs):,} users has samples of both labels, which {TITLE} needs. Score more samples."
        )
    yes = references == 1
    above = np.bincount(user[yes], weights=_midranks(user, predictions)[yes], minlength=len(pairs))
    aucs = np.divide(above - liked * (liked + 1) / 2, pairs, out=np.zeros(len(pairs)), where=pairs > 0)
    counted, weighted = (pairs > 0)[user].astype(np.float64), aucs[user]  # (n,): a user left out weighs nothing

    def value(times: np.ndarray) -> float:
        weight = times @ counted
        return float(times @ weighted / weight) if weight else float("nan")

    return value


def remark(references: np.ndarray, users: np.ndarray) -> str | None:
    """How many users are left out."""
    _, liked, samples = _groups(references, users)
    alone = int(((liked == 0) | (liked == samples)).sum())
    return (
        f"{TITLE} leaves out {alone:,} of {len(samples):,} users, whose samples all have one label" if alone else None
    )


class GroupAUC(evaluate.Metric):
    """`group_auc` as a metric of the `evaluate` library."""

    def _info(self):
        number = datasets.Value("int64")
        return evaluate.MetricInfo(
            description=__doc__,
            inputs_description=_INPUTS,
            features=datasets.Features(
                {"predictions": datasets.Value("float64"), "references": number, "users": number}
            ),
            citation="G. Zhou et al., Deep Interest Network for Click-Through Rate Prediction, KDD, 2018",
        )

    def add_batch(self, *, predictions=None, references=None, users=None, **others):
        """Check scores, labels and users before they are cast to the features, and add them."""
        predictions, references = _checked(predictions, references)
        users = _whole(users, len(predictions))
        super().add_batch(predictions=predictions, references=references, users=users, **others)

    def add(self, *, prediction=None, reference=None, user=None, **others):
        """Add one score, one label and one user."""
        given = {"predictions": prediction, "references": reference, "users": user, **others}
        self.add_batch(**{name: [value] for name, value in given.items()})

    def _compute(self, predictions, references, users):
        return {"group_auc": group_auc(predictions, references, users)}


def _groups(references: np.ndarray, users: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(n,) the user of each sample, counted from 0; (U,) samples of label 1 of each user; (U,) samples of each user."""
    _, user = np.unique(_whole(users, len(references)), return_inverse=True)
    return user, np.bincount(user, weights=references), np.bincount(user)


def _midranks(user: np.ndarray, predictions: np.ndarray) -> np.ndarray:
    """(n,) rank of each score among those of its user, from 1; equal scores share the mean of their ranks."""
    order = np.lexsort((predictions, user))
    user, predictions = user[order], predictions[order]
    is_first = np.append(True, np.diff(user) > 0)
    begins = is_first | np.append(True, np.diff(predictions) != 0)  # a group of equal scores of one user
    begin = np.flatnonzero(begins)
    middle = (begin + np.append(begin[1:], len(user)) + 1) / 2  # of each group, among all samples, from 1
    ranks = np.empty(len(user))
    ranks[order] = middle[np.cumsum(begins) - 1] - np.flatnonzero(is_first)[user]
    return ranks


def _whole(users, samples: int) -> np.ndarray:
    """Users (n,) int64; ValueError for what is no whole number, or not one for each sample."""
    users = _numbers(users, "users")
    if users.shape != (samples,):
        raise ValueError(f"Got users of shape {users.shape} for {samples} samples; expected one user for each sample.")
    if not (np.isfinite(users) & (users == np.floor(users))).all():
        raise ValueError("The users are not all whole numbers. Give a number for each user.")
    return users.astype(np.int64)


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
