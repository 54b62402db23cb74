"""DeLong's test: whether two AUCs on the same samples differ, without resampling and without a distribution assumed.

With m samples of label 1 and n of label 0, the structural components of a system are the shares of the other label that
each sample is ranked rightly against, a tie counting half:

    V10_i = mean over j of psi(x_i, y_j),  V01_j = mean over i of psi(x_i, y_j),  psi = 1 if x > y, 1/2 if x = y, else 0.

AUC is the mean of either. For two systems a and b on the same samples

    Var(AUC_a - AUC_b) = Var(V10_a - V10_b) / m + Var(V01_a - V01_b) / n,  z = (AUC_a - AUC_b) / sqrt(Var),

and z is standard normal for large m and n if the two AUCs are the same.
Source: E. R. DeLong, D. M. DeLong and D. L. Clarke-Pearson, "Comparing the Areas under Two or More Correlated Receiver
Operating Characteristic Curves", Biometrics 44, 1988.

The samples of one user are not independent, so variances are taken over users: with D10_u and D01_u the sums over the samples of
user u of V10_a - V10_b and of V01_a - V01_b, each less the difference of the AUCs, and with U10, U01 and U the numbers of users
with samples of label 1, of label 0, and of all users,

    Var = U10 / (U10 - 1) sum D10_u^2 / m^2 + U01 / (U01 - 1) sum D01_u^2 / n^2 + 2 U / (U - 1) sum D10_u D01_u / (m n),

which is the variance above where each user has one sample. Source: N. A. Obuchowski, "Nonparametric Analysis of Clustered ROC
Curve Data", Biometrics 53, 1997.

The components come from midranks, in O((m + n) log(m + n)) instead of m n comparisons: the midrank of a sample among all,
minus its midrank among its own label, counts the samples of the other label below it. Source: X. Sun and W. Xu, "Fast
Implementation of DeLong's Algorithm for Comparing the Areas Under Correlated Receiver Operating Characteristic Curves",
IEEE Signal Processing Letters 21, 2014.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.stats import norm, rankdata

MINIMUM = 2  # samples of each label, and users: one alone has no variance
ROUNDING = 1e-18  # far below the variance of any AUC, far above what rounding leaves of 0


@dataclass(frozen=True)
class Difference:
    """One AUC minus another on the same samples."""

    value: float
    standard_error: float
    z: float  # 0 for equal AUCs; infinite where they differ and neither varies, as between all right and all wrong
    p: float  # two-sided


def compare_aucs(
    label: np.ndarray, score: np.ndarray, reference: np.ndarray, users: np.ndarray | None = None
) -> Difference:
    """DeLong's test of the AUC of `score` (n,) against that of `reference` (n,), for labels (n,).

    users: (n,) the user of each sample; without them every sample counts as a user of its own. ValueError unless two users or
    more have each label.
    """
    label = np.asarray(label)
    users = np.arange(len(label)) if users is None else np.asarray(users)
    yes, no = structural_components(label, np.stack([score, reference]))
    yes, no = yes[0] - yes[1], no[0] - no[1]  # paired: what the two systems share is gone before anything is squared
    _, user = np.unique(users, return_inverse=True)
    require_both_labels(label, user)
    value = float(yes.mean())
    error = math.sqrt(_variance(yes - value, no - value, user[label == 1], user[label == 0]))
    z = _z(value, error)
    return Difference(value, error, z, float(2 * norm.sf(abs(z))))


def _variance(yes: np.ndarray, no: np.ndarray, user_of_yes: np.ndarray, user_of_no: np.ndarray) -> float:
    """Of the mean of centered components (m,) and (n,), where those of one user (counted from 0) depend on each other."""
    users = int(max(user_of_yes.max(), user_of_no.max())) + 1
    of_yes = np.bincount(user_of_yes, weights=yes, minlength=users) / len(yes)  # (U,)
    of_no = np.bincount(user_of_no, weights=no, minlength=users) / len(no)
    with_yes, with_no = len(np.unique(user_of_yes)), len(np.unique(user_of_no))
    variance = with_yes / (with_yes - 1) * of_yes @ of_yes + with_no / (with_no - 1) * of_no @ of_no
    variance += 2 * users / (users - 1) * of_yes @ of_no
    if variance < -ROUNDING:  # of few users the last term, a covariance, may outweigh the others
        raise ValueError(f"DeLong's test finds no variance with {users} users: they are too few. Score more samples.")
    return max(float(variance), 0.0)


def _z(value: float, error: float) -> float:
    if value == 0:
        return 0.0
    return value / error if error > 0 else math.copysign(math.inf, value)


def structural_components(label: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """V10 (S, m) of the samples of label 1 and V01 (S, n) of those of label 0, each in the order of the samples."""
    label, scores = _checked(label, scores)
    liked = label == 1
    among_all = rankdata(scores, axis=1)  # (S, m + n)
    m, n = int(liked.sum()), int((~liked).sum())
    yes = (among_all[:, liked] - rankdata(scores[:, liked], axis=1)) / n
    no = 1 - (among_all[:, ~liked] - rankdata(scores[:, ~liked], axis=1)) / m
    return yes, no


def _checked(label: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    label, scores = np.asarray(label), np.asarray(scores, dtype=np.float64)
    if scores.ndim != 2 or label.shape != scores.shape[1:]:
        raise ValueError(
            f"Got labels of shape {label.shape} and scores of shape {scores.shape}; expected (n,) and (S, n)."
        )
    if not np.isin(label, (0, 1)).all():
        raise ValueError(f"A label is neither 0 nor 1: {label[~np.isin(label, (0, 1))][0]}. Give labels, not ratings.")
    if not np.isfinite(scores).all():
        raise ValueError(f"{(~np.isfinite(scores)).sum()} scores are not finite. Score again.")
    require_both_labels(label)
    return label, scores


def require_both_labels(label: np.ndarray, users: np.ndarray | None = None) -> None:
    """ValueError when a label occurs less than twice, or with fewer than two users, so that its part of the variance is not known."""
    liked, others = int((label == 1).sum()), int((label == 0).sum())
    if min(liked, others) < MINIMUM:
        raise ValueError(
            f"DeLong's test needs {MINIMUM} or more samples of each label; of {len(label)} samples {liked} have label 1 and "
            f"{others} label 0. Score more samples (a larger --limit, or none)."
        )
    if users is None:
        return
    liked, others = (len(np.unique(users[label == value])) for value in (1, 0))
    if min(liked, others) < MINIMUM:
        raise ValueError(
            f"DeLong's test needs {MINIMUM} or more users with each label; {liked} users have samples of label 1 and {others} of "
            "label 0. Score more samples (a larger --limit, or none)."
        )
