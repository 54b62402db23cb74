"""The rows that an adapter is trained and validated on, tokenized part by part into files beside the run."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from datasets import Dataset
from transformers import PreTrainedTokenizerBase

from rella_hub.language_models.answer_rows import rows_on_disk
from rella_hub.language_models.tokens import Answers, answer_tokens, encode_completions, encode_prompts
from rella_hub.prompts import load_style, style_of
from rella_hub.tables import shots
from rella_hub.tables.rows import RowReader

ROWS_AT_ONCE = 1024


@dataclass(frozen=True)
class TuningRows:
    train: Dataset
    validation: Dataset
    answers: Answers


@dataclass(frozen=True)
class RowMaker:
    """Rows of a config of the data set in `folder`, as `tokenizer` reads them."""

    folder: Path
    config_name: str
    tokenizer: PreTrainedTokenizerBase
    max_length: int
    chat_template_kwargs: dict | None

    def make(
        self, scratch: Path, num_shots: int | None, num_validation: int, seed: int, loss_on_prompt: bool = False
    ) -> TuningRows:
        """The first `num_shots` samples, a seeded choice of validation, and the tokens that decide; `scratch` gets the files."""
        split, count = shots.count_shots(self.folder, self.config_name, num_shots)
        chosen = shots.seeded_numbers(self.folder, self.config_name, "validation", num_validation, seed)
        reader = RowReader(self.folder, self.config_name, split, ["prompt"])
        example = reader.take(np.arange(1))["prompt"][0].as_py()
        asked = example, load_style(style_of(self.config_name)).ANSWERS, self.chat_template_kwargs
        completions = encode_completions(self.tokenizer, *asked)
        parts = self._tokenized(split, np.arange(count), completions)
        train = rows_on_disk(scratch / "train.arrow", parts, loss_on_prompt)
        validation = rows_on_disk(scratch / "validation.arrow", self._tokenized("validation", chosen, completions))
        return TuningRows(train, validation, answer_tokens(self.tokenizer, *asked))

    def read(self, split: str, numbers: np.ndarray, prompts: list[str]) -> list[list[int]]:
        """Token ids of the prompts of the rows of a split with these numbers."""
        return encode_prompts(self.tokenizer, prompts, self.max_length, self.chat_template_kwargs)

    def _tokenized(self, split: str, numbers: np.ndarray, completions: list[list[int]]) -> Iterator[tuple]:
        reader = RowReader(self.folder, self.config_name, split, ["prompt", "label"])
        for begin in range(0, len(numbers), ROWS_AT_ONCE):
            wanted = numbers[begin : begin + ROWS_AT_ONCE]
            rows = reader.take(wanted)
            prompts = self.read(split, wanted, rows["prompt"].to_pylist())
            yield prompts, [completions[label] for label in rows["label"].to_pylist()]
