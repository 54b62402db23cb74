"""Prompts and answers as token ids, the same for training and for scoring.

Where the tokenizer has a chat template the prompt is put into it as a user's message (template.py); otherwise it stands as it
is. `chat_template_kwargs` are the arguments of the template, such as {"enable_thinking": False}. The ids of the answers are found
in context, after a real prompt: many tokenizers write a word at the start of a text and the same word inside it as different
tokens.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from transformers import PreTrainedTokenizerBase

from rella_hub.language_models.chat_template import ChatTemplate, chat_template_of


@dataclass(frozen=True)
class Answers:
    """The single tokens that decide between the two answers."""

    no: int
    yes: int


def in_template(tokenizer: PreTrainedTokenizerBase, prompt: str, chat_template_kwargs: Mapping | None = None) -> str:
    """The prompt as the base model reads it: in its chat template when it has one."""
    template = chat_template_of(tokenizer, chat_template_kwargs)
    return prompt if template is None else template.fill(prompt)


def encode_prompts(
    tokenizer: PreTrainedTokenizerBase,
    prompts: Sequence[str],
    max_length: int | None,
    chat_template_kwargs: Mapping | None = None,
) -> list[list[int]]:
    """Token ids of each prompt. ValueError when any is longer than `max_length` tokens: nothing is cut or dropped."""
    template = chat_template_of(tokenizer, chat_template_kwargs)
    _require_plain_text(tokenizer, template, prompts)
    if template is not None and prompts:
        template.require_place_for_answer(prompts[0])
    ids = _encode(tokenizer, template, [prompt if template is None else template.fill(prompt) for prompt in prompts])
    if max_length is not None:
        too_long = sum(len(row) > max_length for row in ids)
        if too_long:
            raise ValueError(
                f"{too_long:,} of {len(ids):,} prompts are longer than max_length = {max_length} tokens (the longest has "
                f"{max(map(len, ids)):,}). Nothing is cut: raise --max_length, or use a config with a smaller history_length."
            )
    return ids


def encode_completions(
    tokenizer: PreTrainedTokenizerBase,
    prompt: str,
    completions: Sequence[str],
    chat_template_kwargs: Mapping | None = None,
) -> list[list[int]]:
    """Token ids of each completion as it follows `prompt`, with the end-of-text token. ValueError when the two merge."""
    _, (encoded,) = encode_continuations(tokenizer, [prompt], [completions], chat_template_kwargs)
    end = [] if tokenizer.eos_token_id is None else [tokenizer.eos_token_id]
    return [[*ids, *end] for ids in encoded]


def encode_continuations(
    tokenizer: PreTrainedTokenizerBase,
    prompts: Sequence[str],
    continuations: Sequence[Sequence[str]],
    chat_template_kwargs: Mapping | None = None,
    max_length: int | None = None,
) -> tuple[list[list[int]], list[list[list[int]]]]:
    """Token ids of each prompt, and of each of what may follow it, as it does. ValueError when the two merge anywhere."""
    alone = encode_prompts(tokenizer, prompts, max_length, chat_template_kwargs)
    template = chat_template_of(tokenizer, chat_template_kwargs)
    read = [prompt if template is None else template.fill(prompt) for prompt in prompts]
    together = iter(
        _encode(
            tokenizer,
            template,
            [start + said for start, more in zip(read, continuations, strict=True) for said in more],
        )
    )
    encoded = []
    for start, ids, more in zip(read, alone, continuations, strict=True):
        rows = [next(together) for _ in more]
        for said, row in zip(more, rows, strict=True):
            if row[: len(ids)] != ids or len(row) == len(ids):
                raise ValueError(
                    f"This tokenizer merges the end of the prompt ({start[-20:]!r}) with the answer {said!r}, so that training "
                    "and scoring would see different prompts. End the prompt so that the two stay apart."
                )
        encoded.append([row[len(ids) :] for row in rows])
    return alone, encoded


def answer_tokens(
    tokenizer: PreTrainedTokenizerBase,
    prompt: str,
    answers: tuple[str, str],
    chat_template_kwargs: Mapping | None = None,
) -> Answers:
    """The token that decides each answer (no, yes) after `prompt`. ValueError when an answer's word is not one token."""
    first = []
    encoded = encode_completions(tokenizer, prompt, answers, chat_template_kwargs)
    for answer, ids in zip(answers, encoded, strict=True):
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


def _encode(tokenizer: PreTrainedTokenizerBase, template: ChatTemplate | None, texts: Sequence[str]) -> list[list[int]]:
    if template is not None:  # it writes its own special tokens
        return tokenizer(texts, add_special_tokens=False)["input_ids"]
    return [_without_end(tokenizer, row) for row in tokenizer(texts)["input_ids"]]


def _require_plain_text(
    tokenizer: PreTrainedTokenizerBase, template: ChatTemplate | None, prompts: Sequence[str]
) -> None:
    """ValueError when a prompt holds what the tokenizer reads as a token of control, such as the end of a turn, and not as text."""
    added = [token for token in tokenizer.added_tokens_decoder.values() if not token.content.isspace()]
    control = {token.content for token in added if token.special or (template and token.content in template.text)}
    if not control:
        return
    first = {text[0] for text in control}
    pattern = re.compile("|".join(map(re.escape, sorted(control, key=len, reverse=True))))
    for prompt in prompts:
        found = pattern.search(prompt) if any(letter in prompt for letter in first) else None
        if found:
            line = prompt[prompt.rfind("\n", 0, found.start()) + 1 :].partition("\n")[0]
            raise ValueError(
                f"A prompt holds {found[0]!r} ({line[:100]!r}), which the tokenizer of {tokenizer.name_or_path!r} reads as a control token "
                "and not as text. Take another --base, or a data set without that item."
            )


def _without_end(tokenizer: PreTrainedTokenizerBase, ids: list[int]) -> list[int]:
    """Some tokenizers end every text with the end-of-text token; a prompt that ended would not be answered."""
    return ids[:-1] if len(ids) > 1 and ids[-1] == tokenizer.eos_token_id else ids
