"""The ReLLa prompt: profile, numbered rated behaviors, one target, "will the user like it?", to be answered Yes or No.

Source: ReLLa, section 3.1 and figure 2 for what it holds and in which order; the sentences are our own. User ids, item ids
and zip codes are left out, as in the paper.

A prompt ends with a newline and an answer starts with its word, so that no tokenizer merges the two.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
import polars as pl
import pyarrow as pa

from rella_hub.corpora import Words
from rella_hub.texts.compose import concatenate

VERSION = 1
ANSWERS = ("No.", "Yes.")  # index = label
CLOSING_NOTE = "Answer with Yes or No and nothing else."
STARS = re.compile(r"\(\d+(?:\.\d+)? stars?\)$")


@dataclass(frozen=True)
class Fragments:
    """Every piece of text a prompt of one corpus can hold, in one array, and where each kind begins."""

    texts: pa.LargeStringArray
    numbers: int  # + k: "k. "
    behaviors: int  # + item code * ratings + rating code: "title (4 stars)\n"
    questions: int  # + subject code * items + item code
    ratings: np.ndarray  # (R,) the rating values, ascending
    subject: np.ndarray  # (U,) subject code of each user
    items: int


def fragments(
    words: Words, users: pl.DataFrame, items: pl.DataFrame, ratings: np.ndarray, history_length: int
) -> Fragments:
    """All fragments for prompts of up to `history_length` behaviors. Headers come first, one a user, at the user's row."""
    users = pl.DataFrame({"profile": words.profile(users), "subject": words.subject(users)})
    title = pl.DataFrame({"title": words.title(items)})
    subjects = users["subject"].unique().sort()
    order = ", the oldest first," if words.in_time_order else ""
    headers = users.select(
        pl.when(pl.col("profile") == "").then(pl.lit("")).otherwise(pl.col("profile") + "\n")
        + capitalized(pl.col("subject"))
        + f" has {words.consumed} these {words.item}s{order} and rated each one:\n"
    ).to_series()
    numbers = pl.Series([f"{k}. " for k in range(history_length)], dtype=pl.String)
    stars = pl.DataFrame({"stars": [in_stars(rating) for rating in ratings]})
    behaviors = (
        title.join(stars, how="cross", maintain_order="left_right")
        .select(pl.col("title") + " " + pl.col("stars") + "\n")
        .to_series()
    )
    questions = pl.concat(
        [
            title.select(
                f'Will {subject} like the {words.item} "' + pl.col("title") + '"?\n'
                f"The more stars a {words.item} got, the more {subject} liked it.\n"
                f"{CLOSING_NOTE}\n"
            ).to_series()
            for subject in subjects
        ]
    )
    parts = [headers, numbers, behaviors, questions]
    starts = np.cumsum([0, *map(len, parts)])
    return Fragments(
        texts=pl.concat([part.rename("text") for part in parts]).to_arrow().cast(pa.large_string()),
        numbers=int(starts[1]),
        behaviors=int(starts[2]),
        questions=int(starts[3]),
        ratings=ratings,
        subject=np.searchsorted(subjects.to_numpy(), users["subject"].to_numpy()),
        items=len(items),
    )


def prompts(
    known: Fragments,
    user: np.ndarray,
    target: np.ndarray,
    item: np.ndarray,
    rating: np.ndarray,
    liked: np.ndarray,
    shown: np.ndarray,
) -> pa.LargeStringArray:
    """(S,) prompts. user, target: (S,) row codes; item, rating: (S, K) code and value of each behavior; it tells its label, too."""
    codes, used = behavior_codes(known, user, item, rating, shown)
    question = known.questions + known.subject[user] * known.items + target
    codes = np.column_stack([codes, question.astype(codes.dtype)])
    used = np.column_stack([used, np.ones(len(used), dtype=bool)])
    return concatenate(known.texts, codes, used)


def behavior_codes(
    known: Fragments, user: np.ndarray, item: np.ndarray, rating: np.ndarray, shown: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """(S, 1 + 2K) fragment codes of the profile and the numbered behaviors, and which of them are used."""
    samples, history_length = shown.shape
    codes = np.empty((samples, 1 + 2 * history_length), dtype=np.int32)
    codes[:, 0] = user
    codes[:, 1::2] = known.numbers + np.arange(history_length)
    codes[:, 2::2] = known.behaviors + item * len(known.ratings) + np.searchsorted(known.ratings, rating)
    used = np.ones(codes.shape, dtype=bool)
    used[:, 1:] = np.repeat(shown, 2, axis=1)
    return codes, used


def mark_items(prompt: str, mark: str) -> tuple[str, int]:
    """The prompt with `mark` behind the stars of each behavior and before the closing note, for the target; and how many there are.

    ValueError for a text that is no prompt of this style, or that holds the mark already.
    """
    lines = prompt.split("\n")
    behaviors = [
        number
        for number, line in enumerate(lines)
        if re.match(r"\d+\. ", line) and STARS.search(line) and lines[-2:] == [CLOSING_NOTE, ""]
    ]
    numbered = all(lines[row].startswith(f"{place}. ") for place, row in enumerate(behaviors))
    if not behaviors or not numbered or mark in prompt:
        raise ValueError(
            f"This is no prompt of the style pointwise whose behaviors can be told apart, or it holds {mark!r}: {prompt[:80]!r}. Build the "
            "prompts again, in that style."
        )
    for row in behaviors:
        lines[row] += mark
    lines[-2] = mark + lines[-2]
    return "\n".join(lines), len(behaviors) + 1


def in_stars(rating: float) -> str:
    """ "(4 stars)", "(1 star)", "(0.5 star)"."""
    return f"({rating:g} star{'s' if rating > 1 else ''})"


def capitalized(text: pl.Expr) -> pl.Expr:
    return text.str.slice(0, 1).str.to_uppercase() + text.str.slice(1)
