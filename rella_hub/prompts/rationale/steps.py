"""A rationale read strictly: three steps, in order, each once and filled, in English, nothing before them. Else the reason why not."""

from __future__ import annotations

import re
from dataclasses import astuple, dataclass

HEADING = re.compile(
    r"^[ \t]*(?:[#>*-]+[ \t]*)?\**step[ \t]*(\d+)\**[ \t]*[:.)]\**[ \t]*", re.IGNORECASE | re.MULTILINE
)
WORD = re.compile(r"[^\W\d_]+")
ENGLISH = {"the", "and", "of", "to", "is", "are", "with", "for", "that", "user", "likes", "prefers", "enjoys"}
FEWEST_ENGLISH = 2  # different ones of these in a paragraph that says what a user prefers

EMPTY, CUT_OFF, NO_STEPS = "nothing was written", "cut off before its end", "no steps"
ANOTHER_ORDER, BEFORE, BLANK = "not the steps 1, 2 and 3 in order", "text before step 1", "an empty step"
NOT_ENGLISH = "not in English"


@dataclass(frozen=True)
class Rationale:
    step_1: str
    step_2: str
    step_3: str

    @property
    def text(self) -> str:
        """As a student learns to write it; reading it gives the same steps again."""
        return "\n".join(f"Step {number}: {step}" for number, step in enumerate(astuple(self), 1))


def read(text: str, whole: bool = True) -> Rationale | str:
    """The steps of a text that a teacher wrote, or what is wrong with it. whole: False where the writer had no room to end."""
    if not text.strip():
        return EMPTY
    headings = list(HEADING.finditer(text))
    if not headings:
        return NO_STEPS
    if [int(found[1]) for found in headings] != [1, 2, 3]:
        return CUT_OFF if not whole and len(headings) < 3 else ANOTHER_ORDER
    if not whole:
        return CUT_OFF
    if text[: headings[0].start()].strip():
        return BEFORE
    ends = [*(found.start() for found in headings[1:]), len(text)]
    steps = [text[found.end() : end].strip() for found, end in zip(headings, ends, strict=True)]
    if not all(map(WORD.search, steps)):
        return BLANK
    words = {word.lower() for word in WORD.findall(steps[0])}
    return Rationale(*steps) if len(words & ENGLISH) >= FEWEST_ENGLISH else NOT_ENGLISH
