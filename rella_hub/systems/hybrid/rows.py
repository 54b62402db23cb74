"""The rows that a hybrid system is trained on: of each sample its text, its hybrid prompt, or both, as tokens in files beside the run."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from datasets import Dataset, concatenate_datasets

from rella_hub.language_models.answer_rows import lengths_of, rows_on_disk
from rella_hub.language_models.item_prompts import ItemPrompts
from rella_hub.systems.answering import COLUMNS, END, possible_answers, targets_of
from rella_hub.systems.hybrid.options import TEXT_ONLY
from rella_hub.systems.hybrid.questions import Hybrid
from rella_hub.tables import shots
from rella_hub.tables.rows import RowReader

ROWS_AT_ONCE = 1024
TEXT, HYBRID = 0, 1


@dataclass(frozen=True)
class Validation:
    """Questions as tokens, each with all its answers."""

    prompts: list[list[int]]
    answers: list[list[list[int]]]
    target: np.ndarray  # (S,) which answer is right


@dataclass(frozen=True)
class RowMaker:
    """Rows of a config of the data set in `folder`. hybrid: None where prompts are text alone."""

    folder: Path
    config_name: str
    reader: ItemPrompts
    hybrid: Hybrid | None

    def train(self, scratch: Path, curriculum: str, num_shots: int | None) -> tuple[Dataset, np.ndarray]:
        """The rows of the first `num_shots` samples, those of one kind before those of the other; and (kinds, n) their lengths."""
        _, count = shots.count_shots(self.folder, self.config_name, num_shots)
        kinds = {TEXT_ONLY: [TEXT], "direct": [HYBRID]}.get(curriculum, [TEXT, HYBRID])
        parts = [rows_on_disk(scratch / f"train{kind}.arrow", self._tokenized(kind, count)) for kind in kinds]
        return concatenate_datasets(parts), np.stack([lengths_of(part) for part in parts])

    def validation(self, num_validation: int | None, seed: int) -> Validation:
        chosen = shots.seeded_numbers(self.folder, self.config_name, "validation", num_validation, seed)
        rows = RowReader(self.folder, self.config_name, "validation", [*COLUMNS, "target_item_id"]).take(chosen)
        return Validation(*self.read(rows, self.hybrid is not None, possible_answers(rows)), targets_of(rows))

    def read(self, rows: pa.Table, hybrid: bool, answers: list[list[str]]) -> tuple[list, list]:
        """The prompts of rows of the config, and these answers to them, as tokens."""
        prompts, items = self.hybrid.put(rows) if hybrid else (rows["prompt"].to_pylist(), None)
        return self.reader.encode(prompts, items, answers)

    def _tokenized(self, kind: int, count: int) -> Iterator[tuple]:
        reader = RowReader(self.folder, self.config_name, "train", [*COLUMNS, "completion"])
        for begin in range(0, count, ROWS_AT_ONCE):
            rows = reader.take(np.arange(begin, min(begin + ROWS_AT_ONCE, count)))
            prompts, answers = self.read(
                rows, kind == HYBRID, [[title + END] for title in rows["completion"].to_pylist()]
            )
            yield prompts, [only for (only,) in answers]
