"""Whether a model has room for what it is to read: a row of its tables for every token and every position.

Without it PyTorch fails in the middle of the work, on a GPU by taking the whole process with it. The tables of the loaded model are
asked, because a configuration can say otherwise; models with rotary or relative positions have no such table and no such limit.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import torch

POSITIONS = re.compile(r"(^|\.)(wpe|(?!rel)\w*pos\w*_(embed|enc)\w*|(embed|enc)\w*_pos\w*)$")


def require_room(
    model: torch.nn.Module, name: str, rows: Sequence[Sequence[int]], answers: Sequence[int] = (), what: str = "prompt"
) -> None:
    """ValueError when `model` (called `name`) cannot read one of the tokenized `rows`, or cannot say one of `answers`."""
    if not rows:
        return
    tokens = model.get_input_embeddings().weight.shape[0]
    head = model.get_output_embeddings() if answers else None
    said = tokens if head is None else min(tokens, getattr(head, "out_features", None) or head.weight.shape[0])
    largest = max(max(row, default=0) for row in rows)
    if largest >= tokens or max(answers, default=0) >= said:
        raise ValueError(
            f"The tokenizer of {name!r} writes the token {max([largest, *answers])}, but the model has only {min(tokens, said)}: tokens "
            "were added to the tokenizer and not to the model (resize_token_embeddings), or the two are of different models."
        )
    longest, limit = max(map(len, rows)), longest_input(model)
    if limit is not None and longest > limit:
        too_long = sum(len(row) > limit for row in rows)
        raise ValueError(
            f"{too_long:,} of {len(rows):,} {what}s are longer than the {limit:,} tokens that {name!r} has positions for (the longest has "
            f"{longest:,}). Nothing is cut: take a model with a longer context, or a config with a smaller history_length."
        )


def longest_input(model: torch.nn.Module) -> int | None:
    """The number of positions in a model's table of them; None where it has no table."""
    limits = [
        module.num_embeddings - _reserved(module)
        for name, module in model.named_modules()
        if isinstance(module, torch.nn.Embedding) and POSITIONS.search(name)
    ]
    limits += [len(table) for name, table in model.named_buffers() if table.ndim == 2 and POSITIONS.search(name)]
    if model.config.model_type == "mpt":  # builds its bias for so many positions and no more
        limits.append(model.config.max_seq_len)
    return min(limits, default=None)


def _reserved(table: torch.nn.Embedding) -> int:
    """The rows before that of the first position: OPT states them, RoBERTa counts on from its padding token."""
    stated = getattr(table, "offset", 0)
    counted = table.padding_idx + 1 if type(table) is torch.nn.Embedding and table.padding_idx is not None else 0
    return max(stated, counted)
