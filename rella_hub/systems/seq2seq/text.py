"""The text that P5 reads of a sample: the user, the target, the question, and the history behind them.

    Will user_7 like the movie item_12 or not? Answer yes or no. user_7 has watched and rated these movies, the latest first:
    item_9 4, item_3 2.

What it holds is what P5's prompts 2-11 and 2-12 hold (user, history, candidate, yes or no), with real labels in place of sampled
negatives and with the ratings, which are fields of ReLLa's table 1; the sentences are our own, as are the order and the K: ReLLa prints no
prompt for P5. The history stands last and its latest behavior first, so that a cut at the right drops what is oldest and never the
target. The ratings of a history are older than the target; the target's own is in no text.

A text is a row of fragments with a blank between any two, each of whole words, so that the tokens of a text are those of its fragments.
"""

from __future__ import annotations

import numpy as np

from rella_hub.corpora import Words

VERSION = 1  # rises whenever a character of any text changes
ANSWERS = ("no", "yes")  # index = label


class Texts:
    """Every fragment that a text of one corpus can hold, and which of them a sample's text consists of."""

    def __init__(self, words: Words, users: int, items: int, ratings: np.ndarray):
        """users, items: how many there are; they are numbered from 1. ratings: (R,) the rating values, ascending."""
        order = ", the latest first" if words.in_time_order else ""
        constants = [
            "Will",
            f"like the {words.item}",
            "or not? Answer yes or no.",
            f"has {words.consumed} and rated these {words.item}s{order}:",
        ]
        values = [f"{rating:g}" for rating in ratings]
        parts = [
            constants,
            [f"user_{number}" for number in range(1, users + 1)],
            [f"item_{number}" for number in range(1, items + 1)],
            [f"{value}," for value in values],
            [f"{value}." for value in values],
        ]
        self.fragments = [fragment for part in parts for fragment in part]
        starts = np.cumsum([0, *map(len, parts)])
        self._user, self._item = starts[1] - 1, starts[2] - 1  # + a number from 1
        self._ratings, self._amid, self._last = ratings, starts[3], starts[4]

    def codes(
        self, user: np.ndarray, target: np.ndarray, item: np.ndarray, rating: np.ndarray, shown: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """(S, 7 + 2K) fragments of the texts, by number, and which of them are used.

        user, target: (S,) numbers. item, rating: (S, K) number and value of behaviors, the latest first; shown: (S, K) which are there,
        those at the left.
        """
        samples, length = shown.shape
        codes = np.empty((samples, 7 + 2 * length), dtype=np.int64)
        codes[:, [0, 2, 4, 6]] = np.arange(4)
        codes[:, [1, 5]] = (self._user + user)[:, None]
        codes[:, 3] = self._item + target
        codes[:, 7::2] = self._item + item
        is_last = shown & ~np.pad(shown[:, 1:], ((0, 0), (0, min(length, 1))))
        codes[:, 8::2] = np.where(is_last, self._last, self._amid) + np.searchsorted(self._ratings, rating)
        used = np.ones(codes.shape, dtype=bool)
        used[:, 5:7] = shown.any(axis=1, keepdims=True)
        used[:, 7:] = np.repeat(shown, 2, axis=1)
        return codes, used

    def texts(self, codes: np.ndarray, used: np.ndarray) -> list[str]:
        """The texts themselves, for a reader and for a check; the model gets their tokens."""
        return [" ".join(self.fragments[code] for code in row[there]) for row, there in zip(codes, used, strict=True)]
