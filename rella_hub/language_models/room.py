"""Whether a model has room for what it is to read: a row of its tables for every token and every position.

Without it PyTorch fails in the middle of the work, on a GPU by taking the whole process with it. The tables of the loaded model are
asked, because a configuration can say otherwise; models with rotary or relative positions have no such table and no such limit.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from rella_hub.language_models.token_rows import TokenRows

POSITIONS = re.compile(r"(^|\.)(wpe|(?!rel)\w*pos\w*_(embed|enc)\w*|(embed|enc)\w*_pos\w*)$")


@dataclass(frozen=True)
class Room:
    """What a model has places for."""

    tokens: int  # that it reads
    said: int  # that it says
    positions: int | None

    def require(
        self, name: str, rows: Sequence[Sequence[int]], answers: Sequence[int] = (), what: str = "prompt"
    ) -> None:
        """ValueError when the model (called `name`) cannot read one of the tokenized `rows`, or cannot say one of `answers`."""
        if not len(rows):
            return
        rows = TokenRows.of(rows)
        said = self.said if answers else self.tokens
        largest = int(rows.ids.max(initial=0))
        if largest >= self.tokens or max(answers, default=0) >= said:
            raise ValueError(
                f"The tokenizer of {name!r} writes the token {max([largest, *answers])}, but the model has only {min(self.tokens, said)}: "
                "tokens were added to the tokenizer and not to the model (resize_token_embeddings), or the two are of different models."
            )
        longest, limit = int(rows.lengths.max()), self.positions
        if limit is not None and longest > limit:
            too_long = int((rows.lengths > limit).sum())
            raise ValueError(
                f"{too_long:,} of {len(rows):,} {what}s are longer than the {limit:,} tokens that {name!r} has positions for (the longest "
                f"has {longest:,}). Nothing is cut: take a model with a longer context, or a config with a smaller history_length."
            )


def room_of(model: torch.nn.Module) -> Room:
    tokens = model.get_input_embeddings().weight.shape[0]
    head = model.get_output_embeddings()
    said = tokens if head is None else min(tokens, getattr(head, "out_features", None) or head.weight.shape[0])
    return Room(tokens, said, longest_input(model))


def require_room(
    model: torch.nn.Module, name: str, rows: Sequence[Sequence[int]], answers: Sequence[int] = (), what: str = "prompt"
) -> None:
    """`Room.require` of one model, once."""
    room_of(model).require(name, rows, answers, what)


def longest_input(model: torch.nn.Module) -> int | None:
    """The number of positions in a model's table of them; None where it has no table."""
    limits = [
        module.num_embeddings - _reserved(module)
        for name, module in model.named_modules()
        if isinstance(module, torch.nn.Embedding) and POSITIONS.search(name)
    ]
    limits += [len(table) for name, table in model.named_buffers() if table.ndim == 2 and POSITIONS.search(name)]
    if model.config.model_type == "mpt":  # builds its bias for so many positions and no more
        config: Any = model.config
        limits.append(config.max_seq_len)  # noqa: B009: a module of torch to the checker
    return min(limits, default=None)


def _reserved(table: torch.nn.Embedding) -> int:
    """The rows before that of the first position: OPT states them, RoBERTa counts on from its padding token."""
    stated = getattr(table, "offset", 0)
    counted = table.padding_idx + 1 if type(table) is torch.nn.Embedding and table.padding_idx is not None else 0
    return max(stated, counted)
