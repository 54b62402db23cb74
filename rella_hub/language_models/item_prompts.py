"""Prompts with items in them as token ids: a mark in the text becomes the token of an item (rella_hub/language_models/projector.py)."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from transformers import AddedToken, PreTrainedTokenizerBase

from rella_hub.language_models.room import Room
from rella_hub.language_models.tokens import encode_continuations
from rella_hub.tables.checked import shown

MARK = "<|item|>"  # the place of an item in a text


@dataclass(frozen=True)
class ItemPrompts:
    """How a base reads prompts with items.

    tokenizer: of the base, with the mark as a token of its own, whose id no model ever sees. name, room: of the base.
    """

    tokenizer: PreTrainedTokenizerBase
    name: str
    room: Room
    max_length: int | None
    chat_template_kwargs: Mapping | None

    @classmethod
    def of(
        cls,
        tokenizer: PreTrainedTokenizerBase,
        name: str,
        room: Room,
        max_length: int | None,
        arguments: Mapping | None,
    ) -> ItemPrompts:
        marked = copy.deepcopy(tokenizer)
        marked.add_tokens([AddedToken(MARK, normalized=False, special=False)])
        return cls(marked, name, room, max_length, arguments)

    def encode(
        self,
        prompts: Sequence[str],
        items: Sequence[Sequence[int] | np.ndarray] | None,
        answers: Sequence[Sequence[str]],
    ) -> tuple[list[list[int]], list[list[list[int]]]]:
        """Token ids of each prompt and of each of its answers. items: of each prompt the numbers of its items, from 0, in the order of the
        marks; None: text alone.

        ValueError where a prompt is too long, merges with an answer, or holds the mark in its own words.
        """
        ids, said = encode_continuations(self.tokenizer, prompts, answers, self.chat_template_kwargs, self.max_length)
        mark = self.tokenizer.convert_tokens_to_ids(MARK)
        rows = [np.asarray(row) for row in ids]
        marked = [np.flatnonzero(row == mark) for row in rows]
        for number, (row, places) in enumerate(zip(rows, marked, strict=True)):
            wanted = 0 if items is None else len(items[number])
            if len(places) != wanted:
                raise ValueError(
                    f"A prompt has {len(places)} places of items where {wanted} are meant: one of its titles holds {MARK!r} "
                    f"({shown(prompts[number])}). Take a data set without that item."
                )
            row[places] = 0
        longest = [max(several, key=len) for several in said]
        largest = max(max(answer) for several in said for answer in several)
        self.room.require(self.name, [np.r_[row, more] for row, more in zip(rows, longest, strict=True)], (largest,))
        for row, places, numbers in zip(rows, marked, items or (), strict=False):
            row[places] = self.room.tokens + np.asarray(numbers)
        return [row.tolist() for row in rows], said
