"""The bootstrap against scikit-learn on explicit resamples of users, and its intervals against closed-form standard errors."""

import time
import tracemalloc

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, log_loss, roc_auc_score

from rella_hub.metrics import metrics
from rella_hub.metrics.uncertainty.bootstrap import Interval, interval, resample


def make(n: int, seed: int = 0, decimals: int = 6) -> tuple[np.ndarray, np.ndarray]:
    """Labels (n,) and the scores (2, n) of two systems: a calibrated one, and the same with noise."""
    rng = np.random.default_rng(seed)
    score = rng.random(n)
    label = (rng.random(n) < score).astype(np.int64)
    worse = np.clip(score + rng.normal(0, 0.3, n), 0, 1)
    return label, np.round([score, worse], decimals)


def values_of(label: np.ndarray, scores: np.ndarray, users: np.ndarray | None = None, names=None) -> dict:
    """(system, metric) -> the metric of that system as a function of how many times each sample occurs."""
    return {
        (s, metric.name): metric.repeated(score, label, users)
        for s, score in enumerate(scores)
        for metric in metrics()
        if (users is not None or not metric.by_user) and (names is None or metric.name in names)
    }


def resample_samples(label: np.ndarray, scores: np.ndarray, resamples: int = 1000, seed: int = 0) -> dict:
    """Each sample a user of its own."""
    return resample(values_of(label, scores), np.arange(len(label)), resamples, seed)


@pytest.mark.parametrize("decimals", [6, 1])  # without and with many ties
def test_resampled_metrics_equal_scikit_learn(decimals):
    """Whole users are drawn: every sample of one as often as every other of it."""
    label, scores = make(200, decimals=decimals)
    number = np.random.default_rng(1).integers(0, 30, 200) * 7
    found = resample(values_of(label, scores, number), number, resamples=40, seed=3)
    rng, known = np.random.default_rng(3), np.unique(number)
    for r in range(10):
        drawn = known[rng.integers(len(known), size=len(known), dtype=np.int32)]
        rows = np.concatenate([np.flatnonzero(number == user) for user in drawn])
        for s in range(2):
            score, truth = scores[s, rows], label[rows]
            assert found[s, "auc"][r] == pytest.approx(roc_auc_score(truth, score), abs=1e-12)
            clipped = np.clip(score, 1e-7, 1 - 1e-7)
            assert found[s, "log_loss"][r] == pytest.approx(log_loss(truth, clipped, labels=[0, 1]), abs=1e-12)
            assert found[s, "accuracy"][r] == pytest.approx(accuracy_score(truth, score > 0.5), abs=1e-12)
            own = [number == user for user in drawn]
            own = [part for part in own if len(set(label[part])) == 2]
            grouped = sum(part.sum() * roc_auc_score(label[part], scores[s, part]) for part in own)
            assert found[s, "group_auc"][r] == pytest.approx(grouped / sum(part.sum() for part in own), abs=1e-12)


def test_intervals_of_users_who_are_alike_are_wider():
    """Each of 100 users has one label and one score for 20 samples, so there are 100 observations and not 2,000."""
    label, scores = make(100)
    users = np.repeat(np.arange(100), 20)
    label, scores = label[users], scores[:, users]
    share = np.mean((scores[0] > 0.5) == label)
    found = interval(share, resample(values_of(label, scores), users)[0, "accuracy"])
    assert found.high - found.low == pytest.approx(2 * 1.96 * np.sqrt(share * (1 - share) / 100), rel=0.12)
    alone = interval(share, resample_samples(label, scores)[0, "accuracy"])
    assert (found.high - found.low) / (alone.high - alone.low) == pytest.approx(np.sqrt(20), rel=0.12)


def test_a_thousand_resamples_of_the_test_split_of_movielens_take_seconds():
    label, scores = make(97_002)
    begin = time.process_time()
    resample(values_of(label, scores[:1]), np.arange(97_002) % 1_783, resamples=100)
    assert time.process_time() - begin < 3  # 0.1 s on a usual machine, so 1 s for a thousand


def test_seed_decides():
    label, scores = make(100)
    first, again, other = (resample_samples(label, scores, 50, seed) for seed in (1, 1, 2))
    assert all(np.array_equal(first[key], again[key]) for key in first)
    assert not np.array_equal(first[0, "auc"], other[0, "auc"])


def test_resamples_do_not_depend_on_other_systems():
    label, scores = make(100)
    both, alone = resample_samples(label, scores, 50), resample_samples(label, scores[1:], 50)
    assert np.array_equal(both[1, "auc"], alone[0, "auc"])
    assert np.array_equal(both[1, "log_loss"], alone[0, "log_loss"])


def test_difference_is_paired():
    label, scores = make(2000)
    shifted = np.stack([scores[0], scores[0] ** 2, scores[1]])  # the square keeps the order
    drawn = resample_samples(label, shifted, 200)
    auc = [drawn[s, "auc"] for s in range(3)]
    assert np.array_equal(auc[0], auc[1])
    difference = interval(0.0, auc[0] - auc[2])
    unpaired = np.std(auc[0]) + np.std(auc[2])
    assert difference.high - difference.low < 3.92 * unpaired


def test_accuracy_interval_agrees_with_the_binomial_standard_error():
    label, scores = make(4000)
    drawn = resample_samples(label, scores[:1])
    share = np.mean((scores[0] > 0.5) == label)
    found = interval(share, drawn[0, "accuracy"])
    assert found.high - found.low == pytest.approx(2 * 1.96 * np.sqrt(share * (1 - share) / 4000), rel=0.12)
    assert found.low < found.value < found.high


def test_auc_spread_agrees_with_delong():
    label, scores = make(2000)
    yes, no = scores[0][label == 1], scores[0][label == 0]
    wins = (yes[:, None] > no) + (yes[:, None] == no) / 2  # (P, N)
    delong = np.sqrt(wins.mean(1).var(ddof=1) / len(yes) + wins.mean(0).var(ddof=1) / len(no))
    drawn = resample_samples(label, scores[:1])[0, "auc"]
    assert drawn.std() == pytest.approx(delong, rel=0.1)
    assert drawn.mean() == pytest.approx(wins.mean(), abs=delong / 5)


def test_resample_of_one_class_has_no_auc_and_is_left_out():
    label, scores = np.array([1, 0, 0, 0]), np.array([[0.9, 0.1, 0.2, 0.3]])
    drawn = resample_samples(label, scores, 400)
    assert np.isnan(drawn[0, "auc"]).sum() / 400 == pytest.approx(0.75**4 + 0.25**4, abs=0.08)
    assert not np.isnan(drawn[0, "log_loss"]).any()
    assert interval(1.0, drawn[0, "auc"]) == Interval(1.0, 1.0, 1.0)


def test_no_resample_with_both_classes_is_an_error():
    with pytest.raises(ValueError, match=r"Each of 3 resamples holds one label only.*Score more samples"):
        interval(0.5, np.full(3, np.nan))


def test_interval_is_between_the_outer_fortieths():
    assert interval(7.0, np.arange(1001.0)) == Interval(7.0, 25.0, 975.0)


def test_too_few_resamples_are_refused():
    with pytest.raises(ValueError, match=r"39 resamples bound no 95 % interval\. Ask for at least 40\."):
        resample_samples(*make(10), resamples=39)


def test_negative_seed_is_refused():
    with pytest.raises(ValueError, match="The seed is -1"):
        resample_samples(*make(10), seed=-1)


def test_memory_does_not_grow_with_the_number_of_resamples():
    label, scores = make(20_000)
    peaks = []
    for resamples in (40, 160):
        tracemalloc.start()
        resample_samples(label, scores, resamples)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.1 * peaks[0]
