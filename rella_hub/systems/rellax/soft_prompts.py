"""Prompts with an item behind the stars of each behavior, and the target before the closing note: as tokens that a CTR model fills.

Source: ReLLaX (arXiv 2501.13344), soft prompt augmentation, and its released code for the two places. An item is the token V + its code
in the CTR model's vocabulary, where V is how many tokens the base has (rella_hub/language_models/projector.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tokenizers import AddedToken

from rella_hub.language_models.load import load_tokenizer
from rella_hub.language_models.tokens import encode_prompts
from rella_hub.prompts.pointwise import mark_items
from rella_hub.systems.adapter.rows import RowMaker
from rella_hub.systems.rellax.knowledge import Knowledge
from rella_hub.tables.rows import RowReader

MARK = "<|item|>"  # holds the place of an item while a prompt is tokenized; the base never sees it


class ItemReader:
    """A tokenizer of a base that reads prompts with items in them."""

    def __init__(self, base: str, revision: str | None, first_item: int, max_length: int, arguments: dict | None):
        """first_item: the number of tokens that the base has."""
        self._tokenizer = load_tokenizer(base, revision)
        if MARK in self._tokenizer.get_vocab():
            raise ValueError(
                f"The tokenizer of {base!r} has a token {MARK!r} of its own, where items stand. Take another --base."
            )
        self._tokenizer.add_tokens([AddedToken(MARK, special=False, normalized=False)])
        self._mark = self._tokenizer.convert_tokens_to_ids(MARK)
        self._first_item, self._max_length, self._arguments = first_item, max_length, arguments

    def read(self, prompts: Sequence[str], items: Sequence[np.ndarray]) -> list[list[int]]:
        """Token ids of each prompt. items: of each the codes of its behaviors and of its target.

        ValueError where a prompt shows another number of behaviors, or is too long: an item counts as a token.
        """
        marked = [mark_items(prompt, MARK) for prompt in prompts]
        for (_, places), codes in zip(marked, items, strict=True):
            if places != len(codes):
                raise ValueError(
                    f"A prompt shows {places - 1} behaviors, its view {len(codes) - 1}: prompts and view are not of one build. Build "
                    "them again."
                )
        rows = encode_prompts(self._tokenizer, [text for text, _ in marked], self._max_length, self._arguments)
        return [self._with_items(row, codes) for row, codes in zip(rows, items, strict=True)]

    def _with_items(self, row: list[int], codes: np.ndarray) -> list[int]:
        left = iter(codes.tolist())
        return [self._first_item + next(left) if token == self._mark else token for token in row]


@dataclass(frozen=True)
class ItemRowMaker(RowMaker):
    """RowMaker whose prompts have items in them."""

    knowledge: Knowledge
    reader: ItemReader

    def read(self, split: str, numbers: np.ndarray, prompts: list[str]) -> list[list[int]]:
        ids = sample_ids_of(self.folder, self.config_name, split, numbers)
        return self.reader.read(prompts, self.knowledge.items(self.config_name, split, ids))


def sample_ids_of(folder: Path, config_name: str, split: str, numbers: np.ndarray) -> np.ndarray:
    """(n,) of the rows of a split of prompts with these ascending numbers."""
    return RowReader(folder, config_name, split, ["sample_id"]).take(numbers)["sample_id"].to_numpy()
