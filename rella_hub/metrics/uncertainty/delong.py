"""DeLong's test: whether two AUCs on the same samples differ, without resampling and without a distribution assumed.

With m samples of label 1 and n of label 0, the structural components of a system are the shares of the other label that
each sample is ranked rightly against, a tie counting half:

    V10_i = mean over j of psi(x_i, y_j),  V01_j = mean over i of psi(x_i, y_j),  psi = 1 if x > y, 1/2 if x = y, else 0.

AUC is the mean of either. For two systems a and b on the same samples

    Var(AUC_a - AUC_b) = Var(V10_a - V10_b) / m + Var(V01_a - V01_b) / n,  z = (AUC_a - AUC_b) / sqrt(Var),

and z is standard normal for large m and n if the two AUCs are the same.
Source: E. R. DeLong, D. M. DeLong and D. L. Clarke-Pearson, "Comparing the Areas under Two or More Correlated Receiver
Operating Characteristic Curves", Biometrics 44, 1988.

The components come from midranks, in O((m + n) log(m + n)) instead of m n comparisons: the midrank of a sample among all,
minus its midrank among its own label, counts the samples of the other label below it. Source: X. Sun and W. Xu, "Fast
Implementation of DeLong's Algorithm for Comparing the Areas Under Correlated Receiver Operating Characteristic Curves",
IEEE Signal Processing Letters 21, 2014.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

MINIMUM = 2  # samples of each label: one alone has no variance


@dataclass(frozen=True)
class Difference:
    """One AUC minus another on the same samples."""

    value: float
    standard_error: float
    z: float  # 0 for equal AUCs; infinite where they differ and neither varies, as between all right and all wrong
    p: float  # two-sided


def compare_aucs(label: np.ndarray, score: np.ndarray, reference: np.ndarray) -> Difference:
    """DeLong's test of the AUC of `score` (n,) against that of `reference` (n,), for labels (n,).

    ValueError unless each label occurs twice or more.
    """
    yes, no = structural_components(label, np.stack([score, reference]))
    yes, no = yes[0] - yes[1], no[0] - no[1]  # paired: what the two systems share is gone before anything is squared
    value = float(yes.mean())
    error = math.sqrt(yes.var(ddof=1) / len(yes) + no.var(ddof=1) / len(no))
    z = _z(value, error)
    return Difference(value, error, z, math.erfc(abs(z) / math.sqrt(2)))


def _z(value: float, error: float) -> float:
    if value == 0:
        return 0.0
    return value / error if error > 0 else math.copysign(math.inf, value)


def auc_covariance(label: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(S,) AUCs of systems with scores (S, n) on the same samples, and (S, S) their covariance."""
    yes, no = structural_components(label, scores)
    covariance = np.cov(yes) / yes.shape[1] + np.cov(no) / no.shape[1]
    return yes.mean(axis=1), np.atleast_2d(covariance)


def structural_components(label: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """V10 (S, m) of the samples of label 1 and V01 (S, n) of those of label 0, each in the order of the samples."""
    label, scores = _checked(label, scores)
    liked = label == 1
    among_all = _midranks(scores)  # (S, m + n)
    m, n = int(liked.sum()), int((~liked).sum())
    yes = (among_all[:, liked] - _midranks(scores[:, liked])) / n
    no = 1 - (among_all[:, ~liked] - _midranks(scores[:, ~liked])) / m
    return yes, no


def _midranks(scores: np.ndarray) -> np.ndarray:
    """(S, n) rank of each score in its row, from 1; equal scores share the mean of their ranks."""
    ranks = np.empty(scores.shape)
    for s, row in enumerate(scores):
        _, group, count = np.unique(row, return_inverse=True, return_counts=True)
        ranks[s] = (np.cumsum(count) - (count - 1) / 2)[group]
    return ranks


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


def require_both_labels(label: np.ndarray) -> None:
    """ValueError when a label occurs less than twice, so that its part of the variance is not known."""
    liked, others = int((label == 1).sum()), int((label == 0).sum())
    if min(liked, others) < MINIMUM:
        raise ValueError(
            f"DeLong's test needs {MINIMUM} or more samples of each label; of {len(label)} samples {liked} have label 1 and "
            f"{others} label 0. Score more samples (a larger --limit, or none)."
        )
