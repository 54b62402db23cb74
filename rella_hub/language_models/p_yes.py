"""P(Yes): the softmax over the logits of the tokens Yes and No at the last position of the prompt.

``P(Yes) = exp(s_yes) / (exp(s_yes) + exp(s_no))``. Source: ReLLa, section 3.1, equation 3.

Prompts of like length are scored together and padded at the right: under a causal mask no real token sees what stands to its
right, so no attention mask is needed and the score of a prompt does not depend on its neighbors. Only the last positions go
through the language-model head, whose vocabulary-wide logits would otherwise cost more than a small model itself.

TALLRec scores by another rule, `difference`: sigmoid(p_yes - p_no), p the softmax over the whole vocabulary. Paper: not stated. Released
code: so, by a softmax over two probabilities. Ours: the softmax above, and theirs where it is asked for. Why: theirs lies from .27 to
.73, so its log loss means nothing, and it orders otherwise: (.30, .10) stands below (.60, .35), of log-odds 1.10 and 0.54.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from rella_hub.language_models.token_rows import TokenRows
from rella_hub.language_models.tokens import Answers

TOKENS_PER_BATCH = 8192  # keeps a 7-billion-parameter model on a GPU busy, and a small one on a laptop inside its cache

SOFTMAX, DIFFERENCE = "softmax", "difference"
RULES = (SOFTMAX, DIFFERENCE)

WELL_FILLED = 8  # a batch with an eighth of that many tokens need not take in prompts of other lengths
SIMILAR = 0.75  # of the longest prompt of the batch


@dataclass
class Budget:
    """How many padded tokens are read at once: less where a GPU has no memory for as many."""

    tokens: int = TOKENS_PER_BATCH
    _said: bool = False

    def shrink(self, padded: int, prompts: int, error: Exception) -> None:
        """Half of a batch of `padded` tokens. ValueError where the batch was one prompt alone."""
        if prompts == 1:
            raise ValueError(
                f"The GPU has no memory for a prompt of {padded:,} tokens alone. Take --quantization 8bit or 4bit, or a config with a "
                "smaller history_length."
            ) from error
        self.tokens = max(1, padded // 2)
        if not self._said:
            print(
                f"note: the GPU has no memory for {padded:,} tokens at once; from here on {self.tokens:,} or fewer are read at once "
                f"(--tokens_per_batch).",
                file=sys.stderr,
                flush=True,
            )
        self._said = True


def p_yes(
    model: torch.nn.Module,
    prompts: Sequence[Sequence[int]],
    answers: Answers,
    tokens_per_batch: int = TOKENS_PER_BATCH,
) -> np.ndarray:
    """(N,) float64 P(Yes) of each tokenized prompt, in the order given."""
    return p_yes_of_systems(model, [lambda: None], prompts, answers, Budget(tokens_per_batch))[0]


def p_yes_of_systems(
    model: torch.nn.Module,
    systems: Sequence[Callable[[], None]],
    prompts: Sequence[Sequence[int]],
    answers: Answers,
    budget: Budget,
    advance: Callable[[int, int], None] | None = None,
    see: Callable[[np.ndarray], None] | None = None,
    rule: str = SOFTMAX,
) -> np.ndarray:
    """(S, N) P(Yes) of each tokenized prompt by each system.

    A system is a function that makes `model` that system, such as one that activates an adapter. Each batch is put together
    once and read by all of them in turn, so a system's scores are the same to the last digit with others or alone.
    advance: is told how many prompts and tokens of each batch are done. see: is told the numbers of the prompts of each batch before
    it is read, for a model that reads more of them than tokens. rule: one of `RULES`.
    """
    prompts = TokenRows.of(prompts)
    lengths = prompts.lengths
    scores = np.empty((len(systems), len(prompts)), dtype=np.float64)
    was_training = model.training
    model.eval()
    try:
        with torch.inference_mode():
            for rows in batches_of_like_length(lengths, budget.tokens):
                for part, found in _of_batch(model, systems, prompts, rows, answers, budget, see, rule):
                    scores[:, part] = found
                if advance is not None:
                    advance(len(rows), int(lengths[rows].sum()))
    finally:
        model.train(was_training)
    if not np.isfinite(scores).all():
        raise ValueError(
            f"{int((~np.isfinite(scores)).sum())} of {scores.size} prompts got a score that is not finite; "
            "the model's weights or its number format (try --dtype float32) are at fault."
        )
    return scores


def _of_batch(
    model, systems, prompts: TokenRows, rows: np.ndarray, answers: Answers, budget: Budget, see, rule: str
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """The rows of a batch with their scores (S, n), in as many parts as the memory of a GPU asks for."""
    waiting = [rows]
    while waiting:
        part = waiting.pop(0)
        longest = max(1, int(prompts.lengths[part].max()))
        at_once = max(1, budget.tokens // longest)
        if len(part) > at_once:
            waiting[:0] = [part[begin : begin + at_once] for begin in range(0, len(part), at_once)]
            continue
        if see is not None:
            see(part)
        try:
            found = _scores(model, systems, [prompts[row] for row in part], answers, rule)
        except torch.cuda.OutOfMemoryError as error:
            budget.shrink(longest * len(part), len(part), error)
            found = None
        if found is None:  # here, where the error no longer holds what was computed so far
            torch.cuda.empty_cache()
            waiting.insert(0, part)
        else:
            yield part, found


def _scores(model, systems: Sequence[Callable[[], None]], prompts: list, answers: Answers, rule: str) -> np.ndarray:
    """(S, B) scores of one batch."""
    device = next(model.parameters()).device
    pair = torch.tensor([answers.no, answers.yes], device=device)
    input_ids, last = pad_right(prompts)
    input_ids = input_ids.to(device)
    scores = []
    for become in systems:
        become()
        try:
            logits = last_logits(model, input_ids, last)  # (B, V)
        except IndexError as error:
            raise ValueError(
                f"The model cannot read a prompt of {int(last.max()) + 1:,} tokens ({error}): it has no place for so many "
                "positions, or for one of the tokens. Take a model with a longer context, or its own tokenizer."
            ) from error
        scores.append(decided(logits, pair, rule).cpu().numpy())
    return np.stack(scores)


def decided(logits: torch.Tensor, pair: torch.Tensor, rule: str) -> torch.Tensor:
    """(B,) float64 scores of (B, V) logits; pair: the tokens of no and yes."""
    if rule == SOFTMAX:
        return logits[:, pair].double().softmax(dim=1)[:, 1]
    no, yes = logits.double().softmax(dim=1)[:, pair].unbind(dim=1)
    return torch.sigmoid(yes - no)


def last_logits(model: torch.nn.Module, input_ids: torch.Tensor, last: torch.Tensor) -> torch.Tensor:
    """(B, V) logits at position `last` (B,) of each row of `input_ids` (B, T)."""
    kept, row_of = last.unique(return_inverse=True)  # like lengths: few distinct last positions in a batch
    logits = model(input_ids=input_ids, logits_to_keep=kept.to(input_ids.device), use_cache=False).logits  # (B, U, V)
    return logits[torch.arange(len(last)), row_of]


def batches_of_like_length(lengths: Sequence[int] | np.ndarray, tokens_per_batch: int) -> Iterator[np.ndarray]:
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
