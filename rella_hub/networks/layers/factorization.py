"""The second-order part of a factorization machine: the inner products of all pairs of fields.

    sum_{i<j} <v_i, v_j> = 1/2 sum_d [ (sum_i v_id)^2 - sum_i v_id^2 ]

The right side takes O(F D) instead of O(F^2 D). Source: Rendle, Factorization Machines (ICDM 2010), lemma 3.1.
"""

from __future__ import annotations

from torch import Tensor


def pairwise_interactions(vectors: Tensor) -> Tensor:
    """(B, F, D) -> (B,)"""
    return 0.5 * (vectors.sum(dim=1).square() - vectors.square().sum(dim=1)).sum(dim=1)
