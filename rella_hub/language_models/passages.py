"""Greedy texts of several lines: what a model writes after each prompt, up to its end-of-text token.

Batches are padded at the left, as in rella_hub/language_models/generation.py, so that a text does not depend on its neighbors.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from transformers import GenerationConfig, PreTrainedTokenizerBase

from rella_hub.language_models.continuations import pad_left
from rella_hub.language_models.generation import plainly
from rella_hub.language_models.p_yes import Budget, batches_of_like_length


@dataclass(frozen=True)
class Passage:
    text: str
    whole: bool  # False where it did not end within the tokens that it may have
    tokens: int


def passages(
    model: torch.nn.Module,
    tokenizer: PreTrainedTokenizerBase,
    prompts: Sequence[Sequence[int]],
    longest: int,
    budget: Budget,
) -> list[Passage]:
    """The text that follows each tokenized prompt, of `longest` tokens at most."""
    found: list[Passage | None] = [None] * len(prompts)
    model.eval()
    with torch.inference_mode(), plainly(model):
        for rows in batches_of_like_length([len(prompt) + longest for prompt in prompts], budget.tokens):
            for row, passage in zip(
                rows, _written(model, tokenizer, [prompts[row] for row in rows], longest), strict=True
            ):
                found[row] = passage
    return [passage for passage in found if passage is not None]


def _written(model, tokenizer: PreTrainedTokenizerBase, prompts: list, longest: int) -> list[Passage]:
    input_ids, real = (one.to(next(model.parameters()).device) for one in pad_left(prompts))
    end, pad = tokenizer.eos_token_id, tokenizer.pad_token_id
    settings = GenerationConfig(
        do_sample=False,
        num_beams=1,
        max_new_tokens=longest,
        eos_token_id=end,
        pad_token_id=pad if pad is not None else 0,
    )
    written = model.generate(input_ids=input_ids, attention_mask=real.long(), generation_config=settings)
    return [_passage(tokenizer, row.tolist(), end) for row in written[:, input_ids.shape[1] :]]


def _passage(tokenizer: PreTrainedTokenizerBase, ids: list[int], end: int | None) -> Passage:
    whole = end is not None and end in ids
    ids = ids[: ids.index(end)] if whole else ids
    return Passage(str(tokenizer.decode(ids, skip_special_tokens=True)), whole, len(ids))
