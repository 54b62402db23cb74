"""P(Yes): the softmax over the logits of the tokens Yes and No at the last position of the prompt.

``P(Yes) = exp(s_yes) / (exp(s_yes) + exp(s_no))``. Source: ReLLa, section 3.1, equation 3.

Prompts of like length are scored together and padded at the right: under a causal mask no real token sees what stands to its
right, so no attention mask is needed and the score of a prompt does not depend on its neighbors. Only the last positions go
through the language-model head, whose vocabulary-wide logits would otherwise cost more than a small model itself.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch
from tqdm import tqdm

from rella_hub.language_models.tokens import Answers

TOKENS_PER_BATCH = 8192  # keeps a 7-billion-parameter model on a GPU busy, and a small one on a laptop inside its cache

WELL_FILLED = 8  # a batch with an eighth of that many tokens need not take in prompts of other lengths
SIMILAR = 0.75  # of the longest prompt of the batch


def p_yes(
    model: torch.nn.Module,
    prompts: Sequence[Sequence[int]],
    answers: Answers,
    tokens_per_batch: int = TOKENS_PER_BATCH,
    progress: bool = False,
) -> np.ndarray:
    """(N,) float64 P(Yes) of each tokenized prompt, in the order given."""
    return p_yes_of_systems(model, [lambda: None], prompts, answers, tokens_per_batch, progress)[0][0]


def p_yes_of_systems(
    model: torch.nn.Module,
    systems: Sequence[Callable[[], None]],
    prompts: Sequence[Sequence[int]],
    answers: Answers,
    tokens_per_batch: int = TOKENS_PER_BATCH,
    progress: bool = False,
) -> tuple[np.ndarray, np.ndarray]:
    """(S, N) P(Yes) of each tokenized prompt by each system, and (S,) the seconds that each took.

    A system is a function that makes `model` that system, such as one that activates an adapter. Each batch is put together
    once and read by all of them in turn, so a system's scores are the same to the last digit with others or alone.
    """
    scores, seconds = np.empty((len(systems), len(prompts)), dtype=np.float64), np.zeros(len(systems))
    device = next(model.parameters()).device
    pair = torch.tensor([answers.no, answers.yes], device=device)
    was_training = model.training
    model.eval()
    try:
        with (
            torch.inference_mode(),
            tqdm(total=len(prompts), unit="prompt", desc="scoring", disable=not progress) as bar,
        ):
            for rows in batches_of_like_length([len(p) for p in prompts], tokens_per_batch):
                input_ids, last = pad_right([prompts[row] for row in rows])
                input_ids = input_ids.to(device)
                for s, become in enumerate(systems):
                    begin = time.perf_counter()
                    become()
                    try:
                        logits = last_logits(model, input_ids, last)  # (B, V)
                    except IndexError as error:
                        raise ValueError(
                            f"The model cannot read a prompt of {int(last.max()) + 1:,} tokens ({error}): it has no place for so many "
                            "positions, or for one of the tokens. Take a model with a longer context, or its own tokenizer."
                        ) from error
                    scores[s, rows] = logits[:, pair].double().softmax(dim=1)[:, 1].cpu().numpy()
                    seconds[s] += time.perf_counter() - begin
                bar.update(len(rows))
    finally:
        model.train(was_training)
    if not np.isfinite(scores).all():
        raise ValueError(
            f"{int((~np.isfinite(scores)).sum())} of {scores.size} prompts got a score that is not finite; "
            "the model's weights or its number format (try --dtype float32) are at fault."
        )
    return scores, seconds


def last_logits(model: torch.nn.Module, input_ids: torch.Tensor, last: torch.Tensor) -> torch.Tensor:
    """(B, V) logits at position `last` (B,) of each row of `input_ids` (B, T)."""
    kept, row_of = last.unique(return_inverse=True)  # like lengths: few distinct last positions in a batch
    logits = model(input_ids=input_ids, logits_to_keep=kept.to(input_ids.device), use_cache=False).logits  # (B, U, V)
    return logits[torch.arange(len(last)), row_of]


def batches_of_like_length(lengths: Sequence[int], tokens_per_batch: int) -> Iterator[np.ndarray]:
    """Row numbers in batches of at most `tokens_per_batch` padded tokens, the longest first, so that memory fails early or never.

    A batch that is well filled also ends where the prompts get a quarter shorter than its longest: padding costs more than
    one more call.
    """
    order = np.argsort(-np.asarray(lengths), kind="stable")
    sorted_lengths = np.asarray(lengths)[order]
    begin = 0
    while begin < len(order):
        longest = max(1, int(sorted_lengths[begin]))
        end = begin + max(1, tokens_per_batch // longest)
        filled = begin + max(1, tokens_per_batch // WELL_FILLED // longest)
        similar = begin + int(np.searchsorted(-sorted_lengths[begin:], -SIMILAR * longest, side="right"))
        end = min(end, max(filled, similar), len(order))
        yield order[begin:end]
        begin = end


def pad_right(prompts: Sequence[Sequence[int]]) -> tuple[torch.Tensor, torch.Tensor]:
    """(B, T) token ids padded at the right, and (B,) the position of each row's last real token."""
    lengths = torch.tensor([len(p) for p in prompts])
    input_ids = torch.zeros(len(prompts), int(lengths.max()), dtype=torch.long)
    for row, prompt in enumerate(prompts):
        input_ids[row, : len(prompt)] = torch.as_tensor(prompt)
    return input_ids, lengths - 1
