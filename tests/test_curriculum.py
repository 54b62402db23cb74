"""The schedules of LLaRA's curriculum, each held against its definition step by step, and the order in which rows are read."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rella_hub.systems.hybrid.curriculum import CurriculumSampler, hybrid_steps, shares, steps_of_epoch
from rella_hub.systems.hybrid.options import MODES

STEPS, EPOCHS = 7, 5


def one_by_one(mode: str, steps: int, epochs: int) -> list[float]:
    """The oracle: counters as the papers' words and the released code have them."""
    total, count, found = steps * epochs, 0, []
    for _ in range(epochs):
        for of_worker in range(steps):  # counted by a copy of the collate object, new in every epoch
            count += 1
            found.append(
                {
                    "paper": count / total,
                    "released_after": of_worker / total,
                    "released_before": 1 - of_worker / total,
                    "direct": 1.0,
                    "two_stage": float(count - 1 >= total / 2),
                    "text_only": 0.0,
                }[mode]
            )
    return found


@pytest.mark.parametrize("mode", MODES)
def test_each_mode_follows_its_schedule(mode):
    assert shares(mode, STEPS, EPOCHS) == pytest.approx(one_by_one(mode, STEPS, EPOCHS))


def test_the_paper_reaches_1_and_the_released_code_a_fifth():
    paper, after, before = (shares(mode, 500, 5) for mode in ("paper", "released_after", "released_before"))
    assert (paper[-1], paper.mean()) == (1, pytest.approx(0.5, abs=1e-3))
    assert after.max() == pytest.approx(0.2, abs=1e-3)
    assert after.mean() == pytest.approx(0.1, abs=1e-3)
    assert before.mean() == pytest.approx(0.9, abs=1e-3)
    assert (np.diff(after) < 0).sum() == 4, "it restarts in each later epoch"


@pytest.mark.parametrize("mode", MODES)
def test_steps_are_drawn_by_their_share_and_alike_for_a_seed(mode):
    steps, share = hybrid_steps(mode, 2000, 5, seed=1), shares(mode, 2000, 5)
    for fifth, drawn in zip(np.split(share, 5), np.split(steps, 5), strict=True):
        assert drawn.mean() == pytest.approx(fifth.mean(), abs=0.04)
    assert steps[share == 1].all()
    assert not steps[share == 0].any()
    assert np.array_equal(steps, hybrid_steps(mode, 2000, 5, seed=1))
    assert not ((share > 0) & (share < 1)).any() or not np.array_equal(steps, hybrid_steps(mode, 2000, 5, seed=2))


@given(st.integers(1, 40), st.integers(1, 9), st.integers(1, 3), st.sampled_from(MODES), st.integers(0, 5))
def test_an_epoch_reads_every_sample_once_in_steps_of_one_kind(samples, at_once, epochs, mode, seed):
    lengths = np.random.default_rng(seed).integers(1, 50, (2, samples))
    steps = steps_of_epoch(samples, at_once)
    hybrid = hybrid_steps(mode, steps, epochs, seed)
    sampler = CurriculumSampler(lengths, at_once, hybrid, seed)
    for epoch in range(epochs):
        sampler.set_epoch(epoch)
        rows = np.array(list(sampler))
        assert sorted(rows % samples) == list(range(samples)) == sorted(set(rows % samples))
        assert len(sampler) == samples
        for number, step in enumerate(np.split(rows, range(at_once, samples, at_once))):
            assert set(step // samples) == {int(hybrid[epoch * steps + number])}
            assert (np.diff(lengths.ravel()[step]) <= 0).all()
        sampler.set_epoch(epoch)
        assert list(sampler) == rows.tolist(), "a resumed epoch reads the same"
