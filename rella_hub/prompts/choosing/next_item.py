"""The next-item prompt: the latest items, the oldest first; the candidates; "which one is next?", to be answered with a title.

Source: LLaRA (arXiv 2312.02445) for what it holds and in which order; the sentences are our own. LLaRA lists titles with commas between
them and says in some wordings that there are 10 candidates where there are 20; here each title has a line, because titles hold commas, and
the prompt does not count. LLaRA shows a movie without its year; here an item is named as its corpus names it.

A prompt ends with a newline and an answer starts with its title, so that no tokenizer merges the two.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
import pyarrow as pa

from rella_hub.corpora import UNKNOWN, Words
from rella_hub.texts.compose import concatenate

VERSION = 1
FIXED = 3  # fragments that every prompt holds: see `fragments`


@dataclass(frozen=True)
class Fragments:
    texts: pa.LargeStringArray  # the fixed ones, then each title as it stands in the history, then each as a candidate
    items: int


def titles(words: Words, items: pl.DataFrame) -> pl.Series:
    """(I,) what each item is called in prompts and answers. An item without a title is called as any unknown text of a corpus."""
    title = words.title(items)
    return title.set(title.str.strip_chars() == "", UNKNOWN)


def fragments(words: Words, items: pl.DataFrame, after_shown: str = "", after_candidate: str = "") -> Fragments:
    """after_shown, after_candidate: what stands behind each title in the history and among the candidates, such as a slot for a vector."""
    order = ", the oldest first" if words.in_time_order else ""
    fixed = [
        f"A user has {words.consumed} these {words.item}s{order}:\n",
        f"One of these {words.item}s is the next one that the user {words.consumed}:\n",
        f"Which {words.item} is it? Answer with its title and nothing else.\n",
    ]
    title = titles(words, items).rename("")
    texts = pl.concat([pl.Series(fixed), "* " + title + f"{after_shown}\n", "* " + title + f"{after_candidate}\n"])
    return Fragments(texts.to_arrow().cast(pa.large_string()), len(items))


def prompts(known: Fragments, item: np.ndarray, shown: np.ndarray, candidates: np.ndarray) -> pa.LargeStringArray:
    """(S,) prompts."""
    samples = len(item)
    always = np.ones((samples, 1), dtype=bool)
    parts = [
        (np.zeros((samples, 1), dtype=np.int64), always),
        (FIXED + item, shown),
        (np.full((samples, 1), 1), always),
        (FIXED + known.items + candidates, np.ones(candidates.shape, dtype=bool)),
        (np.full((samples, 1), 2), always),
    ]
    codes, used = (np.concatenate(part, axis=1) for part in zip(*parts, strict=True))
    return concatenate(known.texts, codes, used)
