"""Which of several names an answer in words names: none, one, or too many to tell.

    substring    a name that is part of the answer, in lower case and stripped (LLaRA, released code); valid where it is exactly one
    exact        a name that is the answer, in lower case and stripped; valid where no two candidates are called so

By the substring rule nobody is right always: "Alien" is part of "Aliens", and some items share a title. How often a perfect answerer is
valid is a ceiling that belongs beside every ValidRatio.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

SUBSTRING, EXACT = RULES = ("substring", "exact")
NOBODY = -1


def named(answers: Sequence[str], names: Sequence[Sequence[str]], rule: str) -> np.ndarray:
    """(S,) the number of the candidate that each answer names, -1 where it is not exactly one. names: (S, C)."""
    found = np.full(len(answers), NOBODY)
    for row, (answer, of_row) in enumerate(zip(answers, names, strict=True)):
        said = _plain(answer)
        is_meant = said.__contains__ if rule == SUBSTRING else said.__eq__
        meant = [number for number, name in enumerate(of_row) if is_meant(_plain(name))]
        if len(meant) == 1:
            found[row] = meant[0]
    return found


def ceiling(names: Sequence[Sequence[str]], target: np.ndarray, rule: str) -> float:
    """The ValidRatio of an answerer who says the title of the target, and nothing else, every time."""
    perfect = [of_row[right] for of_row, right in zip(names, target, strict=True)]
    return float((named(perfect, names, rule) == target).mean()) if len(target) else float("nan")


def _plain(text: str) -> str:
    return text.lower().strip()
