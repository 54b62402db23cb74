"""Which samples train, validate and test.

Source: ReLLa, section 4.1.1 splits by global time, 8:1 for train and test. The released code takes the first int(0.8 n) samples
to train, the next int(0.1 n) to validate and the rest to test, in one order over all users: the paper's 8:1 is this with the
validation tenth left out.
"""

from __future__ import annotations

import numpy as np
import polars as pl

TRAIN_SHARE, VALIDATION_SHARE = 0.8, 0.1


def split_by_global_time(samples: pl.DataFrame) -> dict[str, pl.DataFrame]:
    """Cut samples that stand in time order into train, validation and test: no training sample is later than a test one."""
    n = len(samples)
    train, validation = int(TRAIN_SHARE * n), int(VALIDATION_SHARE * n)
    return {
        "train": samples[:train],
        "validation": samples[train : train + validation],
        "test": samples[train + validation :],
    }


def shuffle_train(splits: dict[str, pl.DataFrame], seed: int) -> dict[str, pl.DataFrame]:
    """Put train into one seeded random order, so that the N-shot training set is its first N rows, nested in every larger one."""
    order = np.random.default_rng(seed).permutation(len(splits["train"]))
    return {**splits, "train": splits["train"][order]}
