"""How likely a model finds each of several answers to a prompt, such as 20 titles.

    log P(c | p) = sum over the tokens t of c of log P(c_t | p, c_<t)

A prompt is read once: its keys and values serve all of its answers. In a batch prompts stand at the right, behind padding that is masked
and has no position; answers stand at the left, where a causal mask hides the padding behind them.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from transformers import DynamicCache

from rella_hub.language_models.p_yes import Budget


def log_likelihoods(
    model: torch.nn.Module,
    prompts: Sequence[Sequence[int]],
    answers: Sequence[Sequence[Sequence[int]]],
    budget: Budget,
    advance: Callable[[int, int], None] | None = None,
) -> np.ndarray:
    """(N, C) float64 of the C answers to each prompt, all of them as tokens.

    budget: of the tokens whose keys and values are kept at once. advance: is told how many prompts and tokens of each batch are done.
    """
    found = np.empty((len(prompts), len(answers[0]) if len(answers) else 0))
    was_training = model.training
    model.eval()
    try:
        with torch.inference_mode():
            for rows in _batches(prompts, answers, budget):
                found[rows] = _of_batch(model, [prompts[row] for row in rows], [answers[row] for row in rows])
                if advance is not None:
                    advance(len(rows), sum(len(prompts[row]) + sum(map(len, answers[row])) for row in rows))
    finally:
        model.train(was_training)
    if not np.isfinite(found).all():
        raise ValueError(
            f"{int((~np.isfinite(found)).sum())} of {found.size} answers got a likelihood that is not finite; the model's weights or its "
            "number format (try --dtype float32) are at fault."
        )
    return found


def answer_lengths(answers: Sequence[Sequence[Sequence[int]]]) -> np.ndarray:
    """(N, C) tokens, by which a likelihood is divided to be one of a token."""
    return np.array([[len(answer) for answer in row] for row in answers])


def _batches(prompts: Sequence, answers: Sequence, budget: Budget) -> Iterator[np.ndarray]:
    """Numbers of prompts of like length, the longest first, as many as the budget has keys and values for."""
    kept = np.array(
        [sum(len(prompt) + len(answer) for answer in row) for prompt, row in zip(prompts, answers, strict=True)]
    )
    order = np.argsort([-len(prompt) for prompt in prompts], kind="stable")
    begin = 0
    while begin < len(order):
        at_once = max(1, budget.tokens // int(kept[order[begin]]))
        yield order[begin : begin + at_once]
        begin += at_once


def _of_batch(model: torch.nn.Module, prompts: list, answers: list) -> np.ndarray:
    """(B, C) of one batch."""
    device, several = next(model.parameters()).device, len(answers[0])
    input_ids, real = (one.to(device) for one in pad_left(prompts))
    cache = DynamicCache(config=_inner(model).config)
    first = _logits(model, input_ids, real, _positions(real), cache, logits_to_keep=1)  # (B, 1, V)
    flat = [answer for row in answers for answer in row]
    longest = max(map(len, flat))
    tokens = torch.zeros(len(flat), longest, dtype=torch.long, device=device)
    said = torch.zeros(len(flat), longest, dtype=torch.bool, device=device)
    for row, answer in enumerate(flat):
        tokens[row, : len(answer)] = torch.as_tensor(answer)
        said[row, : len(answer)] = True
    logits = first.repeat_interleave(several, dim=0)  # (B C, 1, V)
    if longest > 1:
        cache.batch_repeat_interleave(several)
        mask = torch.cat([real.repeat_interleave(several, dim=0), said[:, :-1]], dim=1)
        positions = _positions(mask)[:, real.shape[1] :]
        more = _logits(model, tokens[:, :-1], mask, positions, cache)  # (B C, L - 1, V)
        logits = torch.cat([logits, more], dim=1)
    log_p = logits.float().log_softmax(dim=2).gather(2, tokens[:, :, None])[:, :, 0]  # (B C, L)
    return log_p.double().masked_fill(~said, 0).sum(dim=1).view(len(prompts), several).cpu().numpy()


def pad_left(prompts: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor]:
    """(B, T) token ids padded at the left, and (B, T) which of them are real."""
    width = max(map(len, prompts))
    input_ids = torch.zeros(len(prompts), width, dtype=torch.long)
    real = torch.zeros(len(prompts), width, dtype=torch.bool)
    for row, prompt in enumerate(prompts):
        input_ids[row, width - len(prompt) :] = torch.as_tensor(prompt)
        real[row, width - len(prompt) :] = True
    return input_ids, real


def _positions(real: Tensor) -> Tensor:
    """(B, T) places of the real tokens, counted from 0."""
    return (real.long().cumsum(dim=1) - 1).clamp(min=0)


def _logits(model, input_ids: Tensor, real: Tensor, positions: Tensor, cache: DynamicCache, **more) -> Tensor:
    taken = inspect.signature(_inner(model).forward).parameters
    named = {"cache" if "cache" in taken else "past_key_values": cache}  # the name of transformers before 5.24
    if "position_ids" in taken:  # else it counts by the mask itself
        named["position_ids"] = positions
    return model(input_ids=input_ids, attention_mask=real.long(), use_cache=True, **named, **more).logits


def _inner(model: torch.nn.Module) -> Any:
    """The base model, without LoRA around it."""
    return model.get_base_model() if hasattr(model, "get_base_model") else model
