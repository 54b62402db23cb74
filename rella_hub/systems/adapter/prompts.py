"""Prompts as a base model reads them, chunk by chunk, and as every adapter on it must read them too."""

from __future__ import annotations

import json
from collections.abc import Sequence

from transformers import PreTrainedTokenizerBase

from rella_hub.language_models.load import load_tokenizer
from rella_hub.language_models.reading import adapter_tokenizer, trained_template_arguments
from rella_hub.language_models.token_rows import TokenRows
from rella_hub.language_models.tokens import Answers, answer_tokens, encode_prompts
from rella_hub.systems.adapter.options import ScoreOptions


class PromptReader:
    """The tokenizer of a base, with those of the adapters (folder or Hub id, and revision) that are scored on it."""

    def __init__(self, options: ScoreOptions, adapters: Sequence[tuple[str, str | None]], answers: tuple[str, str]):
        self._options, self._answers = options, answers  # of label 0 and of label 1
        self._tokenizer = load_tokenizer(str(options.base), options.base_revision)
        for adapter, revision in adapters:
            _require_same_arguments(options, adapter, revision)
        self._own = {
            adapter: tokenizer
            for adapter, revision in adapters
            if (tokenizer := adapter_tokenizer(adapter, self._tokenizer, revision)) is not None
            and not _are_one(tokenizer, self._tokenizer)
        }

    def read(self, prompts: Sequence[str]) -> tuple[TokenRows, Answers]:
        """The prompts and the answers to them as tokens. ValueError where a prompt is too long, or an adapter reads one otherwise."""
        rows, answers = self._read(self._tokenizer, prompts, self._options.max_length)
        for adapter, own in self._own.items():
            try:
                same = self._read(own, prompts, None) == (rows, answers)
            except ValueError:  # it cannot read them at all
                same = False
            if not same:
                raise ValueError(
                    f"The adapter {adapter!r} brings a tokenizer of its own, which reads these prompts otherwise than that of the base: "
                    "it was trained on other tokens, or in another chat template. Pass the base that it was trained on with --base, or "
                    "leave it out."
                )
        return rows, answers

    def _read(self, tokenizer, prompts: Sequence[str], max_length: int | None) -> tuple[TokenRows, Answers]:
        arguments = self._options.chat_template_kwargs
        rows = TokenRows.of(encode_prompts(tokenizer, prompts, max_length, arguments))
        return rows, answer_tokens(tokenizer, prompts[0], self._answers, arguments)


def require_same_reading(
    options: ScoreOptions, adapters: Sequence[tuple[str, str | None]], tokenizer: PreTrainedTokenizerBase
) -> None:
    """ValueError where an adapter was trained on other tokens than those of the base, or with other arguments of its template."""
    for adapter, revision in adapters:
        _require_same_arguments(options, adapter, revision)
        own = adapter_tokenizer(adapter, tokenizer, revision)
        if own is not None and not _are_one(own, tokenizer):
            raise ValueError(
                f"The adapter {adapter!r} brings a tokenizer of its own, which is another one than that of the base. Pass the base that it "
                "was trained on with --base."
            )


def _require_same_arguments(options: ScoreOptions, adapter: str, revision: str | None) -> None:
    """ValueError when the record of an adapter tells of other arguments of the chat template than are asked for."""
    told, arguments = trained_template_arguments(adapter, revision)
    if told and arguments != options.chat_template_kwargs:
        raise ValueError(
            f"The adapter {adapter!r} was trained with other arguments of the chat template ({json.dumps(arguments)}) than are asked for "
            f"({json.dumps(options.chat_template_kwargs)}). "
            + (f"Pass --chat_template_kwargs '{json.dumps(arguments)}'." if arguments else "Leave them out.")
        )


def _are_one(own: PreTrainedTokenizerBase, of_base: PreTrainedTokenizerBase) -> bool:
    """Whether two tokenizers are the same in all that they read by, so that nothing has to be read twice."""

    def read_by(tokenizer: PreTrainedTokenizerBase) -> tuple | None:
        backend = getattr(tokenizer, "backend_tokenizer", None)
        if backend is None or type(own) is not type(of_base):
            return None
        settings = (tokenizer.chat_template, tokenizer.special_tokens_map, tokenizer.added_tokens_decoder)
        return backend.to_str(), *map(repr, settings)

    return read_by(own) is not None and read_by(own) == read_by(of_base)
