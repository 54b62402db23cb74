"""The bootstrap against scikit-learn on explicit resamples, and its intervals against closed-form standard errors."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, log_loss, roc_auc_score

from rella_hub.metrics.uncertainty import bootstrap as paired
from rella_hub.metrics.uncertainty.bootstrap import Interval, interval, resample


def make(n: int, seed: int = 0, decimals: int = 6) -> tuple[np.ndarray, np.ndarray]:
    """Labels (n,) and the scores (2, n) of two systems: a calibrated one, and the same with noise."""
    rng = np.random.default_rng(seed)
    score = rng.random(n)
    label = (rng.random(n) < score).astype(np.int64)
    worse = np.clip(score + rng.normal(0, 0.3, n), 0, 1)
    return label, np.round([score, worse], decimals)


@pytest.mark.parametrize("decimals", [6, 1])  # without and with many ties
def test_resampled_metrics_equal_scikit_learn(decimals):
    label, scores = make(200, decimals=decimals)
    found = resample(label, scores, resamples=60, seed=3)
    rng = np.random.default_rng(3)
    for r in range(60):
        drawn = rng.integers(200, size=200, dtype=np.int32)
        for s in range(2):
            score = scores[s, drawn]
            assert found.auc[s, r] == pytest.approx(roc_auc_score(label[drawn], score), abs=1e-12)
            clipped = np.clip(score, 1e-7, 1 - 1e-7)
            assert found.log_loss[s, r] == pytest.approx(log_loss(label[drawn], clipped, labels=[0, 1]), abs=1e-12)
            assert found.accuracy[s, r] == pytest.approx(accuracy_score(label[drawn], score > 0.5), abs=1e-12)


@given(
    st.lists(
        st.tuples(st.sampled_from([0.0, 0.2, 0.2 + 1e-16, 0.5, 1.0]), st.integers(0, 1), st.integers(0, 3)), min_size=1
    )
)
def test_auc_of_counts_equals_weighted_auc(rows):
    score, label, times = (np.array(column) for column in zip(*rows, strict=True))
    cell, count = paired._cells(label, score)
    found = paired._auc(np.bincount(np.repeat(cell, times), minlength=count))
    if len(np.unique(label[times > 0])) < 2:
        assert np.isnan(found)
    else:
        assert found == pytest.approx(roc_auc_score(label, score, sample_weight=times), abs=1e-12)


def test_auc_does_not_overflow_at_the_largest_number_of_samples():
    half = 2**30  # row numbers are drawn as int32, so n < 2**31
    assert paired._auc(np.array([half, 0, 0, half])) == 1.0


def test_seed_decides():
    label, scores = make(100)
    first, again, other = (resample(label, scores, 50, seed) for seed in (1, 1, 2))
    assert np.array_equal(first.auc, again.auc)
    assert np.array_equal(first.log_loss, again.log_loss)
    assert not np.array_equal(first.auc, other.auc)


def test_resamples_do_not_depend_on_other_systems_or_blocks(monkeypatch):
    label, scores = make(100)
    both = resample(label, scores, 50)
    monkeypatch.setattr(paired, "DRAWS_PER_BLOCK", 700)
    alone = resample(label, scores[1:], 50)
    assert np.array_equal(both.auc[1], alone.auc[0])
    assert np.allclose(both.log_loss[1], alone.log_loss[0], rtol=1e-12)


def test_difference_is_paired():
    label, scores = make(2000)
    shifted = np.stack([scores[0], scores[0] ** 2, scores[1]])  # the square keeps the order
    drawn = resample(label, shifted, 200)
    assert np.array_equal(drawn.auc[0], drawn.auc[1])
    difference = interval(0.0, drawn.auc[0] - drawn.auc[2])
    unpaired = np.std(drawn.auc[0]) + np.std(drawn.auc[2])
    assert difference.high - difference.low < 3.92 * unpaired


def test_accuracy_interval_agrees_with_the_binomial_standard_error():
    label, scores = make(4000)
    drawn = resample(label, scores[:1], 1000)
    share = np.mean((scores[0] > 0.5) == label)
    found = interval(share, drawn.accuracy[0])
    assert found.high - found.low == pytest.approx(2 * 1.96 * np.sqrt(share * (1 - share) / 4000), rel=0.12)
    assert found.low < found.value < found.high


def test_auc_spread_agrees_with_delong():
    label, scores = make(2000)
    yes, no = scores[0][label == 1], scores[0][label == 0]
    wins = (yes[:, None] > no) + (yes[:, None] == no) / 2  # (P, N)
    delong = np.sqrt(wins.mean(1).var(ddof=1) / len(yes) + wins.mean(0).var(ddof=1) / len(no))
    drawn = resample(label, scores[:1], 1000)
    assert drawn.auc[0].std() == pytest.approx(delong, rel=0.1)
    assert drawn.auc[0].mean() == pytest.approx(wins.mean(), abs=delong / 5)


def test_resample_of_one_class_has_no_auc_and_is_left_out():
    label, scores = np.array([1, 0, 0, 0]), np.array([[0.9, 0.1, 0.2, 0.3]])
    drawn = resample(label, scores, 400)
    assert drawn.one_class == np.isnan(drawn.auc[0]).sum()
    assert drawn.one_class / 400 == pytest.approx(0.75**4 + 0.25**4, abs=0.08)
    assert not np.isnan(drawn.log_loss).any()
    assert interval(1.0, drawn.auc[0]) == Interval(1.0, 1.0, 1.0)


def test_no_resample_with_both_classes_is_an_error():
    with pytest.raises(ValueError, match=r"Each of 3 resamples holds one label only.*Score more samples"):
        interval(0.5, np.full(3, np.nan))


def test_interval_is_between_the_outer_fortieths():
    assert interval(7.0, np.arange(1001.0)) == Interval(7.0, 25.0, 975.0)


def test_too_few_resamples_are_refused():
    with pytest.raises(ValueError, match=r"39 resamples bound no 95 % interval\. Ask for at least 40\."):
        resample(*make(10), resamples=39)


def test_negative_seed_is_refused():
    with pytest.raises(ValueError, match="The seed is -1"):
        resample(*make(10), seed=-1)


def test_memory_does_not_grow_with_the_number_of_resamples(monkeypatch):
    monkeypatch.setattr(paired, "DRAWS_PER_BLOCK", 100_000)
    label, scores = make(20_000)
    peaks = []
    for resamples in (40, 160):
        tracemalloc.start()
        resample(label, scores, resamples)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.1 * peaks[0]
