"""Which candidate an answer names, by LLaRA's rule and by the exact one, and what a perfect answerer reaches."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rella_hub.language_models.matching import RULES, ceiling, named

NAMES = ["Alien", "Aliens", "Heat", "Toy Story", "Toy Story", "Casino"]


@pytest.mark.parametrize(
    ("answer", "substring", "exact"),
    [
        ("Heat", 2, 2),
        (" heat ", 2, 2),
        ("I would say Heat.", 2, -1),
        ("Alien", 0, 0),
        ("Aliens", -1, 1),  # Alien is part of it
        ("Heat or Casino", -1, -1),
        ("Toy Story", -1, -1),  # two items are called so
        ("Jaws", -1, -1),
        ("", -1, -1),
    ],
)
def test_an_answer_names_a_candidate(answer, substring, exact):
    assert [int(named([answer], [NAMES], rule)[0]) for rule in RULES] == [substring, exact]


def test_the_ceiling_is_what_a_perfect_answerer_reaches():
    names, target = [NAMES] * 6, np.arange(6)
    assert ceiling(names, target, "substring") == pytest.approx(3 / 6)  # not Aliens, nor either Toy Story
    assert ceiling(names, target, "exact") == pytest.approx(4 / 6)
    assert np.isnan(ceiling([], target[:0], "exact"))


words = st.text("abAB ", max_size=4)


@given(st.lists(st.tuples(words, st.lists(words, min_size=1, max_size=5)), max_size=6))
def test_the_rule_of_the_released_code(rows):
    """The oracle: it counts the names that it finds, and takes the one where it is one."""
    answers, names = [answer for answer, _ in rows], [several for _, several in rows]
    for answer, several, ours in zip(answers, names, named(answers, names, "substring"), strict=True):
        found = [name for name in several if name.strip().lower() in answer.strip().lower()]
        assert (ours >= 0) == (len(found) == 1)
        assert ours < 0 or several[ours] == found[0]
