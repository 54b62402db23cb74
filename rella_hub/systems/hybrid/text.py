"""The words of a next-item question: what was consumed, which items are to choose from, and that one title is the answer.

By parts as LLaRA's figure 2 has them: the shown items, the request, the candidates, the instruction to name one of them. The sentences are
our own, in three wordings, as its released code has three a corpus. A prompt ends with a newline and an answer is a title with one, so
that no tokenizer merges the two.

Divergence, the number of candidates. Paper: 20. Released code: some of its wordings say 10 where 20 follow. Ours: as many as there
are. Why: it is what the model reads.
"""

from __future__ import annotations

from collections.abc import Sequence

from rella_hub.corpora import Words

VERSION = 1  # rises whenever a character of any prompt changes
END = "\n"  # of an answer
FRAMES = tuple(
    "\n".join(lines) + "\n"
    for lines in (
        (
            "The user has {consumed} these {item}s{order}: {shown}.",
            "Which of the following {count} {item}s comes next? {candidates}.",
            "Answer with one of these titles alone.",
        ),
        (
            "These are the {item}s that a user has {consumed}{order}: {shown}.",
            "There are {count} {item}s to choose from: {candidates}.",
            "Name the one title among them that the user will choose next.",
        ),
        (
            "A user's history of {item}s that were {consumed}{order}: {shown}.",
            "Predict what follows. It is one of {count} {item}s: {candidates}.",
            "The answer is its title and nothing else.",
        ),
    )
)


def prompt(words: Words, shown: Sequence[str], candidates: Sequence[str], wording: int = 0, mark: str = "") -> str:
    """shown, candidates: titles, in order. mark: stands behind each title, such as the place of an item's vector."""
    return FRAMES[wording].format(
        item=words.item,
        consumed=words.consumed,
        order=", the oldest first" if words.in_time_order else "",
        shown=", ".join(title + mark for title in shown),
        count=len(candidates),
        candidates=", ".join(title + mark for title in candidates),
    )


def answer(title: str) -> str:
    return title + END
