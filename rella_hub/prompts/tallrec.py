"""The TALLRec prompt: what the user liked, what the user disliked, one target, "will the user like it?", to be answered Yes or No.

Source: TALLRec (arXiv 2305.00447), released code, for what it holds and in which order: two lists of quoted titles in time order, an item
is liked where its label is 1; instruction, input and response are marked as in the Alpaca template. The sentences are our own. Neither the
profile of the user nor a rating is told. (For books the released code names the authors too; here a book is named as the corpus names it.)

A prompt ends with a newline and an answer starts with its word, so that no tokenizer merges the two.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
import pyarrow as pa

from rella_hub.corpora import Words
from rella_hub.texts.compose import concatenate

VERSION = 1
ANSWERS = ("No.", "Yes.")  # index = label
FIXED = 4  # fragments that every prompt can hold: see `fragments`
NOTHING = "none"


@dataclass(frozen=True)
class Fragments:
    texts: pa.LargeStringArray  # the fixed ones, then each title, then each title behind a comma
    items: int


def fragments(
    words: Words, users: pl.DataFrame, items: pl.DataFrame, ratings: np.ndarray, history_length: int
) -> Fragments:
    """All fragments; of the users and the ratings nothing is told."""
    item = words.item
    task = (
        f"### Instruction:\nBelow are {item}s that a user liked and {item}s that the user disliked. Say whether the user will like one "
        'more. Answer "Yes." or "No." and nothing else.\n\n### Input:\nLiked: '
    )
    fixed = [
        task,
        ".\nDisliked: ",
        ".\nThe next one: ",
        ".\nWill the user like it?\n\n### Response:\n",
    ]
    title = pl.DataFrame({"title": words.title(items)}).select('"' + pl.col("title") + '"').to_series()
    texts = pl.concat([pl.Series([*fixed, NOTHING], dtype=pl.String), title.rename(""), (", " + title).rename("")])
    return Fragments(texts.to_arrow().cast(pa.large_string()), len(items))


def prompts(
    known: Fragments,
    user: np.ndarray,
    target: np.ndarray,
    item: np.ndarray,
    rating: np.ndarray,
    liked: np.ndarray,
    shown: np.ndarray,
) -> pa.LargeStringArray:
    """(S,) prompts."""
    samples = len(target)
    first = FIXED + 1

    def fixed(code: int) -> tuple[np.ndarray, np.ndarray]:
        return np.full((samples, 1), code, dtype=np.int64), np.ones((samples, 1), dtype=bool)

    def listed(of_it: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
        """The titles of the behaviors of one list, all but its first one behind a comma; `none` for an empty list."""
        behind = np.cumsum(of_it, axis=1) > 1
        nothing = np.asarray(~of_it.any(axis=1, keepdims=True))
        return [(first + item + behind * known.items, of_it), (fixed(FIXED)[0], nothing)]

    parts = [fixed(0), *listed(shown & liked), fixed(1), *listed(shown & ~liked), fixed(2)]
    parts += [((first + target)[:, None], np.ones((samples, 1), dtype=bool)), fixed(3)]
    codes, used = (np.concatenate(part, axis=1) for part in zip(*parts, strict=True))
    return concatenate(known.texts, codes, used)
