"""The rows that a student of rationales is trained and validated on: prompts with texts of their own for answers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from datasets import Dataset
from transformers import PreTrainedTokenizerBase

from rella_hub.language_models.answer_rows import rows_on_disk
from rella_hub.language_models.tokens import encode_completions, encode_prompts
from rella_hub.systems.adapter.options import Options
from rella_hub.tables.rows import RowReader

ROWS_AT_ONCE = 256


@dataclass(frozen=True)
class Texts:
    """The rows of a config whose answers are texts, as a tokenizer reads them."""

    folder: Path
    config_name: str
    tokenizer: PreTrainedTokenizerBase
    options: Options

    def rows(self, path: Path, split: str, numbers: np.ndarray) -> Dataset:
        return rows_on_disk(path, self._tokenized(split, numbers))

    def _tokenized(self, split: str, numbers: np.ndarray) -> Iterator[tuple[list, list]]:
        reader, arguments = (
            RowReader(self.folder, self.config_name, split, ["prompt", "completion"]),
            self.options.chat_template_kwargs,
        )
        for begin in range(0, len(numbers), ROWS_AT_ONCE):
            rows = reader.take(numbers[begin : begin + ROWS_AT_ONCE])
            asked, answers = (rows[name].to_pylist() for name in ("prompt", "completion"))
            prompts = encode_prompts(self.tokenizer, asked, self.options.max_length, arguments)
            texts = [
                encode_completions(self.tokenizer, prompt, [answer], arguments)[0]
                for prompt, answer in zip(asked, answers, strict=True)
            ]
            longest = max(len(prompt) + len(text) for prompt, text in zip(prompts, texts, strict=True))
            if longest > self.options.max_length:
                raise ValueError(
                    f"A prompt and its rationale have {longest:,} tokens, more than --max_length {self.options.max_length:,}. Nothing is "
                    "cut: raise it, or ask for shorter rationales (--shown, --max_new_tokens)."
                )
            yield prompts, texts
