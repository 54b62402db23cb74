"""The prompt styles: each file here is one sentence frame with its closed set of answers, and adding a file is registering it.

A style maps whole tables to whole columns of text. It defines

- ``VERSION``, which rises whenever a character of any prompt changes, and ``ANSWERS``: the completion of label 0 and of label 1;
- ``fragments(words, users, items, ratings, history_length)``: all that its prompts of a corpus are composed of;
- ``prompts(fragments, user, target, item, rating, liked, shown)``: (S,) texts. user, target: (S,) rows of `users` and `items`; item,
  rating, liked: (S, K) row, value and label of each behavior shown; shown: (S, K), False where a history has fewer.

A config names its style (`subr_k30_tallrec`), unless it is `pointwise`.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import ModuleType

import numpy as np
import polars as pl

from rella_hub.corpora import Words
from rella_hub.open_folder import load_member, members
from rella_hub.views import POINTWISE, parse_config

MARK = 0xF0000  # the first of the characters that no text has: one for each behavior, where it is marked


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


def prompt_with_places(
    words: Words,
    user: Mapping[str, str],
    behaviors: Sequence[tuple[Mapping[str, str], float, bool]],
    target: Mapping[str, str],
    style: str = POINTWISE,
) -> tuple[str, list[tuple[int, int]]]:
    """`one_prompt`, and where in it each behavior is told of: (begin, end) characters, in the order of `behaviors`.

    The place of a behavior begins with its title and ends with its line, or where the next behavior of that line begins.
    """

    def marked_title(items: pl.DataFrame) -> pl.Series:
        target, *shown = words.title(items).to_list()
        return pl.Series("title", [target, *(chr(MARK + k) + title for k, title in enumerate(shown))], dtype=pl.String)

    marked = one_prompt(replace(words, title=marked_title), user, behaviors, target, style)
    marks = re.compile(f"[{chr(MARK)}-{chr(MARK + max(0, len(behaviors) - 1))}]")
    text, places = marks.sub("", marked), [(0, 0)] * len(behaviors)
    found = list(marks.finditer(marked))
    for before, mark in enumerate(found):
        line = marked.find("\n", mark.end())
        stops = [line if line >= 0 else len(marked), *(later.start() for later in found[before + 1 : before + 2])]
        places[ord(mark[0]) - MARK] = (mark.start() - before, min(stops) - before - 1)
    if text != one_prompt(words, user, behaviors, target, style):
        raise ValueError("A title of this sample holds characters for private use, so its place cannot be marked.")
    return text, places
