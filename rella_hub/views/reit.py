"""ReiT, retrieval-enhanced instruction tuning: a mixed training set that shows every sample twice, by recency and by SUBR.

Rows stand as recency of sample 1, SUBR of sample 1, recency of sample 2, ... so that the first 2N rows are the mixed set of
the first N samples. Source: ReLLa, section 3.3.
"""

from __future__ import annotations

import numpy as np


def mix(recency: np.ndarray, subr: np.ndarray) -> np.ndarray:
    """(2N, ...) rows of both in turn, from (N, ...) each."""
    mixed = np.empty((2 * len(recency), *recency.shape[1:]), dtype=recency.dtype)
    mixed[0::2] = recency
    mixed[1::2] = subr
    return mixed
