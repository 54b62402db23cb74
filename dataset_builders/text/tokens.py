"""Prompts and answers as token ids, the same for training and for scoring.

Where the tokenizer has a chat template the prompt is put into it as a user's message; otherwise it stands as it is. The ids of
the answers are found in context, after a real prompt: many tokenizers write a word at the start of a text and the same word
inside it as different tokens.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from transformers import PreTrainedTokenizerBase


@dataclass(frozen=True)
class Answers:
    """The single tokens that decide between the two answers."""

    no: int
    yes: int


def in_template(tokenizer: PreTrainedTokenizerBase, prompt: str) -> str:
    """The prompt as the base model reads it: in its chat template when it has one."""
    if not tokenizer.chat_template:
        return prompt
    message = [{"role": "user", "content": prompt}]
    return tokenizer.apply_chat_template(message, tokenize=False, add_generation_prompt=True)


def encode_prompts(
    tokenizer: PreTrainedTokenizerBase, prompts: Sequence[str], max_length: int | None
) -> list[list[int]]:
    """Token ids of each prompt. ValueError when any is longer than `max_length` tokens: nothing is cut or dropped."""
    # A chat template writes its own special tokens.
    ids = tokenizer([in_template(tokenizer, p) for p in prompts], add_special_tokens=not tokenizer.chat_template)[
        "input_ids"
    ]
    ids = [_without_end(tokenizer, row) for row in ids]
    if max_length is not None:
        too_long = sum(len(row) > max_length for row in ids)
        if too_long:
            raise ValueError(
                f"{too_long:,} of {len(ids):,} prompts are longer than max_length = {max_length} tokens (the longest has "
                f"{max(map(len, ids)):,}). Nothing is cut: raise --max_length, or use a config with a smaller history_length."
            )
    return ids


def encode_completions(tokenizer: PreTrainedTokenizerBase, prompt: str, completions: Sequence[str]) -> list[list[int]]:
    """Token ids of each completion as it follows `prompt`, with the end-of-text token. ValueError when the two merge."""
    alone = encode_prompts(tokenizer, [prompt], None)[0]
    encoded = []
    for completion in completions:
        together = tokenizer(
            in_template(tokenizer, prompt) + completion, add_special_tokens=not tokenizer.chat_template
        )
        together = _without_end(tokenizer, together["input_ids"])
        if together[: len(alone)] != alone or len(together) == len(alone):
            raise ValueError(
                f"This tokenizer merges the end of the prompt ({prompt[-20:]!r}) with the answer {completion!r}, so that training "
                "and scoring would see different prompts. End the prompt so that the two stay apart."
            )
        encoded.append(together[len(alone) :])
    end = [] if tokenizer.eos_token_id is None else [tokenizer.eos_token_id]
    return [[*ids, *end] for ids in encoded]


def answer_tokens(tokenizer: PreTrainedTokenizerBase, prompt: str, answers: tuple[str, str]) -> Answers:
    """The token that decides each answer (no, yes) after `prompt`. ValueError when an answer's word is not one token."""
    first = []
    for answer, ids in zip(answers, encode_completions(tokenizer, prompt, answers), strict=True):
        word = answer.rstrip(".")
        written = tokenizer.decode(ids[:1], clean_up_tokenization_spaces=False).strip()
        if written not in (word, answer):
            raise ValueError(
                f"The answer {answer!r} is not decided by one token: this tokenizer begins it with {written!r}. P(Yes) is the "
                "softmax over two single tokens; use a tokenizer with the words Yes and No in its vocabulary."
            )
        first.append(ids[0])
    if first[0] == first[1]:
        raise ValueError(f"The answers {answers[0]!r} and {answers[1]!r} begin with the same token {first[0]}.")
    return Answers(no=first[0], yes=first[1])


def _without_end(tokenizer: PreTrainedTokenizerBase, ids: list[int]) -> list[int]:
    """Some tokenizers end every text with the end-of-text token; a prompt that ended would not be answered."""
    return ids[:-1] if len(ids) > 1 and ids[-1] == tokenizer.eos_token_id else ids
