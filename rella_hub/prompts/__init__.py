"""The prompt styles: each file here is one sentence frame with its closed set of answers, and adding a file is registering it.

A style maps whole tables to whole columns of text. It defines

- ``VERSION``, which rises whenever a character of any prompt changes, and ``ANSWERS``: the completion of label 0 and of label 1;
- ``fragments(words, users, items, ratings, history_length)``: all that its prompts of a corpus are composed of;
- ``prompts(fragments, user, target, item, rating, liked, shown)``: (S,) texts. user, target: (S,) rows of `users` and `items`; item,
  rating, liked: (S, K) row, value and label of each behavior shown; shown: (S, K), False where a history has fewer.

A config names its style (`subr_k30_tallrec`), unless it is `pointwise`.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from types import ModuleType

import numpy as np
import polars as pl

from rella_hub.corpora import Words
from rella_hub.open_folder import load_member, members
from rella_hub.views import POINTWISE, parse_config


def style_names() -> list[str]:
    return members(sys.modules[__name__])


def load_style(name: str) -> ModuleType:
    return load_member(sys.modules[__name__], "prompt style", name)


def style_of(config_name: str) -> str:
    """The name of the style of a config's prompts."""
    config = parse_config(config_name)
    return config.style if config else POINTWISE


def one_prompt(
    words: Words,
    user: Mapping[str, str],
    behaviors: Sequence[tuple[Mapping[str, str], float, bool]],
    target: Mapping[str, str],
    style: str = POINTWISE,
) -> str:
    """The prompt of a single case, such as one that a user types in: the very text that the tables would have.

    user, target: the text fields of the corpus's users and items; behaviors: of each the item, its
    rating and whether it was liked, the oldest first.
    """
    users, items = pl.DataFrame([{"user_id": 0, **user}]), pl.DataFrame([target, *(item for item, _, _ in behaviors)])
    rating = np.array([[rating for _, rating, _ in behaviors]], dtype=np.float32)  # (1, K)
    frame = load_style(style)
    (text,) = frame.prompts(
        frame.fragments(words, users, items, np.unique(rating), rating.shape[1]),
        user=np.zeros(1, dtype=np.int64),
        target=np.zeros(1, dtype=np.int64),
        item=1 + np.arange(rating.shape[1])[None],
        rating=rating,
        liked=np.array([[liked for _, _, liked in behaviors]], dtype=bool),
        shown=np.ones(rating.shape, dtype=bool),
    ).to_pylist()
    return text
