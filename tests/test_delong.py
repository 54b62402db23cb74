"""DeLong's test against its definition, one pair of samples at a time, against scikit-learn and against the bootstrap."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from rella_hub.metrics.auc import repeated
from rella_hub.metrics.uncertainty.bootstrap import resample
from rella_hub.metrics.uncertainty.delong import compare_aucs, structural_components


def make(n: int, seed: int = 0, decimals: int = 6) -> tuple[np.ndarray, np.ndarray]:
    """Labels (n,) and the scores (3, n) of systems that share much and are of unlike worth."""
    rng = np.random.default_rng(seed)
    score = rng.random(n)
    label = (rng.random(n) < 0.2 + 0.6 * score).astype(np.int64)
    worse = np.clip(score + rng.normal(0, 0.3, n), 0, 1)
    return label, np.round([score, worse, rng.random(n)], decimals)


def by_definition(label: np.ndarray, score: np.ndarray) -> tuple[list[float], list[float]]:
    """V10 and V01 of one system, every pair compared."""
    yes, no = score[label == 1].tolist(), score[label == 0].tolist()

    def psi(x: float, y: float) -> float:
        return 1.0 if x > y else 0.5 if x == y else 0.0

    return [sum(psi(x, y) for y in no) / len(no) for x in yes], [sum(psi(x, y) for x in yes) / len(yes) for y in no]


@pytest.mark.parametrize("decimals", [6, 1, 0])  # without ties, with many, with little else
@pytest.mark.parametrize("n", [6, 41, 80])
def test_components_are_those_of_the_definition(n, decimals):
    label, scores = make(n, seed=n, decimals=decimals)
    found = structural_components(label, scores)
    for s, score in enumerate(scores):
        for part, expected in zip(found, by_definition(label, score), strict=True):
            assert part[s] == pytest.approx(expected, abs=1e-12)


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=4, max_size=14), st.integers(2, 12))
def test_the_test_is_that_of_the_definition(rows, liked):
    liked = min(liked, len(rows) - 2)
    label = np.r_[np.ones(liked, int), np.zeros(len(rows) - liked, int)]
    score, reference = (np.array(column) / 4 for column in zip(*rows, strict=True))
    (yes, no), (yes_0, no_0) = (by_definition(label, s) for s in (score, reference))
    covariances = (np.cov(yes, yes_0) / len(yes), np.cov(no, no_0) / len(no))
    total = covariances[0] + covariances[1]
    variance = total[0, 0] + total[1, 1] - 2 * total[0, 1]
    found = compare_aucs(label, score, reference)
    assert found.value == pytest.approx(np.mean(yes) - np.mean(yes_0), abs=1e-12)
    assert found.standard_error**2 == pytest.approx(variance, abs=1e-12)
    assert 0 <= found.p <= 1
    if variance > 1e-9:
        assert found.z == pytest.approx((np.mean(yes) - np.mean(yes_0)) / math.sqrt(variance), abs=1e-6)


def test_variance_by_hand():
    """Two liked samples, two that are not; all psi written down. System a: 1, 1/2 | 1, 1. System b: 0, 1 | 0, 1/2."""
    label = np.array([1, 1, 0, 0])
    scores = np.array([[0.8, 0.9, 0.1, 0.8], [0.5, 0.3, 0.6, 0.3]])
    found = compare_aucs(label, *scores)
    assert found.value == (1 + 0.5 + 1 + 1) / 4 - (0 + 1 + 0 + 0.5) / 4
    # V10 of a: 3/4, 1; of b: 1/2, 1/4; a - b: 1/4, 3/4. V01 of a: 1, 3/4; of b: 0, 3/4; a - b: 1, 0.
    # The variance of two numbers is half their squared difference.
    assert found.standard_error**2 == pytest.approx((0.5**2 / 2) / 2 + (1**2 / 2) / 2)


@pytest.mark.parametrize("decimals", [6, 1])
def test_aucs_equal_scikit_learn(decimals):
    label, scores = make(500, decimals=decimals)
    expected = [roc_auc_score(label, score) for score in scores]
    for components in structural_components(label, scores):
        assert components.mean(axis=1) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("users", [None, 150])
def test_spread_agrees_with_the_bootstrap(users):
    """Of samples, and of users who are alike."""
    label, scores, user = make(2000)[0], make(2000)[1], np.arange(2000)
    if users:
        label, scores, user = label_of_users(users, 2000)
    drawn = resample({s: repeated(score, label) for s, score in enumerate(scores[:2])}, user, 1000)
    found = compare_aucs(label, scores[0], scores[1], user)
    assert found.standard_error == pytest.approx((drawn[0] - drawn[1]).std(), rel=0.08)


def label_of_users(users: int, samples: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Labels (n,), scores (2, n) of two equally good systems, and users (n,) of unlike sizes with a mood and a system that suits
    them, so that their samples are far from independent."""
    rng = np.random.default_rng(seed)
    user = np.sort((users * rng.random(samples) ** 1.5).astype(int))
    mood, suits = rng.normal(0, 1.5, users)[user], rng.normal(0, 1, (2, users))[:, user]
    label = (mood + rng.normal(0, 1, samples) > 0).astype(np.int64)
    seen = mood + suits + rng.normal(0, 0.5, (2, samples))
    return label, 1 / (1 + np.exp(-seen)), user


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3), st.booleans(), st.integers(0, 3)), min_size=6, max_size=12)
)
def test_clustered_variance_is_that_of_the_definition(rows):
    """Obuchowski's sums, user by user and pair by pair."""
    score, reference, liked, user = (np.array(column) for column in zip(*rows, strict=True))
    label = liked.astype(int)
    clusters = {value: {u for u, one in zip(user, label, strict=True) if one == value} for value in (0, 1)}
    if min(map(len, clusters.values())) < 2:
        with pytest.raises(ValueError, match="needs 2 or more"):
            compare_aucs(label, score / 3, reference / 3, user)
        return
    (yes, no), (yes_0, no_0) = (by_definition(label, s) for s in (score, reference))
    of_yes, of_no = np.array(yes) - yes_0, np.array(no) - no_0
    m, n, value = len(of_yes), len(of_no), float(np.mean(np.array(yes) - yes_0))
    s10 = s01 = s11 = 0.0
    known = sorted(set(user.tolist()))
    for u in known:
        x = sum(d - value for d, owner in zip(of_yes, user[label == 1], strict=True) if owner == u)
        y = sum(d - value for d, owner in zip(of_no, user[label == 0], strict=True) if owner == u)
        s10, s01, s11 = s10 + x * x, s01 + y * y, s11 + x * y
    s10 *= len(clusters[1]) / ((len(clusters[1]) - 1) * m)
    s01 *= len(clusters[0]) / ((len(clusters[0]) - 1) * n)
    s11 *= len(known) / (len(known) - 1)
    variance = s10 / m + s01 / n + 2 * s11 / (m * n)
    if variance < -1e-12:
        with pytest.raises(ValueError, match=f"finds no variance with {len(known)} users: they are too few"):
            compare_aucs(label, score / 3, reference / 3, user)
        return
    found = compare_aucs(label, score / 3, reference / 3, user)
    assert found.value == pytest.approx(value, abs=1e-12)
    assert found.standard_error**2 == pytest.approx(max(variance, 0), abs=1e-12)


@pytest.mark.parametrize("decimals", [6, 1])
def test_users_of_one_sample_each_are_plain_samples(decimals):
    label, scores = make(300, decimals=decimals)
    users = np.random.default_rng(1).permutation(300)
    found, plain = compare_aucs(label, *scores[:2], users), compare_aucs(label, *scores[:2])
    assert (found.value, found.z, found.p) == pytest.approx((plain.value, plain.z, plain.p), rel=1e-9)


def test_samples_that_are_copies_add_nothing():
    """Each sample five times over, as samples of one user: the same difference, and hardly another error; but for a test that takes
    them as independent, less than half of it."""
    label, scores = make(300)
    one, many = compare_aucs(label, *scores[:2]), np.repeat(np.arange(300), 5)
    copies = compare_aucs(label[many], *scores[:2, many], many)
    assert copies.value == pytest.approx(one.value, abs=1e-12)
    assert copies.standard_error == pytest.approx(one.standard_error, rel=0.01)
    assert compare_aucs(label[many], *scores[:2, many]).standard_error < one.standard_error / 2


def test_p_is_uniform_over_users_who_are_alike():
    """Where a test of samples finds a difference in one of five pairs that have none."""
    found = [label_of_users(60, 600, seed) for seed in range(200)]
    p = np.array([compare_aucs(label, *scores, user).p for label, scores, user in found])
    naive = np.array([compare_aucs(label, *scores).p for label, scores, _ in found])
    for level in (0.05, 0.2, 0.5):
        assert np.mean(p < level) == pytest.approx(level, abs=3 * math.sqrt(level * (1 - level) / 200) + 0.02)
    assert np.mean(naive < 0.05) > 0.15


def test_p_is_uniform_where_two_systems_are_equally_good():
    """Both see the truth through noise of their own and of like size."""
    rng, p = np.random.default_rng(0), []
    for _ in range(400):
        label = rng.integers(0, 2, 200)
        seen = label + rng.normal(0, 1.5, 200)
        p.append(compare_aucs(label, seen + rng.normal(0, 1, 200), seen + rng.normal(0, 1, 200)).p)
    for level in (0.05, 0.2, 0.5):
        assert np.mean(np.array(p) < level) == pytest.approx(level, abs=3 * math.sqrt(level * (1 - level) / 400))


@pytest.mark.parametrize(
    "change", [lambda s: s, lambda s: s**3, lambda s: np.full_like(s, 0.5)], ids=["same", "order", "constant"]
)
def test_scores_in_the_same_order_do_not_differ(change):
    label, scores = make(200, decimals=2)
    found = compare_aucs(label, change(scores[0]), change(change(scores[0])))
    assert (found.value, found.standard_error, found.z, found.p) == (0, 0, 0, 1)


def test_all_right_against_all_wrong_is_certain():
    label = np.array([0, 0, 1, 1])
    found = compare_aucs(label, label / 1.0, 1.0 - label)
    assert (found.value, found.standard_error, found.z, found.p) == (1, 0, math.inf, 0)
    assert compare_aucs(label, 1.0 - label, label / 1.0).z == -math.inf


def test_the_other_way_round_only_the_sign_changes():
    label, scores = make(200)
    one, other = compare_aucs(label, scores[0], scores[1]), compare_aucs(label, scores[1], scores[0])
    assert (one.value, one.z, one.p) == (-other.value, -other.z, other.p)


@pytest.mark.parametrize(
    ("label", "score", "message"),
    [
        ([1, 1, 1, 1], [0.1, 0.2, 0.3, 0.4], r"of 4 samples 4 have label 1 and 0 label 0.*Score more samples"),
        ([0, 0, 0], [0.1, 0.2, 0.3], "0 have label 1 and 3 label 0"),
        ([1, 0, 0, 0], [0.1, 0.2, 0.3, 0.4], "needs 2 or more samples of each label"),
        ([1, 1, 0, 5], [0.1, 0.2, 0.3, 0.4], "neither 0 nor 1: 5"),
        ([1, 1, 0, 0], [0.1, 0.2, 0.3, np.nan], "scores are not finite"),
        ([1, 1, 0], [0.1, 0.2, 0.3, 0.4], r"shape \(3,\)"),
        ([], [], "of 0 samples"),
    ],
)
def test_what_has_no_test_is_refused(label, score, message):
    with pytest.raises(ValueError, match=message):
        compare_aucs(np.array(label), np.array(score), np.array(score))


def test_one_user_with_a_label_is_refused():
    with pytest.raises(
        ValueError, match="needs 2 or more users with each label; 1 users have samples of label 1 and 2 of label 0"
    ):
        compare_aucs(np.array([1, 1, 0, 0]), np.array([0.9, 0.8, 0.1, 0.2]), np.zeros(4), np.array([7, 7, 7, 8]))
