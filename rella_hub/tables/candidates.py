"""The candidates of next-item questions: a table a draw, and the config that puts the questions of a draw into words.

    candidates, candidates_draw1, ...                     sample_id, item_ids: C items in random order, the target among them once
    next_item_k<K>, next_item_k<K>_draw1, ...             the same as prompts that show K behaviors

Draws are independent of each other: how far a result depends on one is known from several.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from datasets import Features, List, Value

from rella_hub.tables import store
from rella_hub.tables.keys import rows_of

TABLE, PROMPTS = "candidates", "next_item"
FEWEST = 2
_TABLE = re.compile(rf"{TABLE}(?:_draw(?P<draw>[1-9]\d*))?")
_PROMPTS = re.compile(rf"{PROMPTS}_k(?P<history_length>[1-9]\d*)(?:_draw(?P<draw>[1-9]\d*))?")


def schema(candidates: int) -> Features:
    return Features({"sample_id": Value("int64"), "item_ids": List(Value("int32"), length=candidates)})


def prompts_schema(candidates: int) -> Features:
    """`prompt` and `completion` are TRL's; the ids are for systems that know items by more than their titles."""
    return Features(
        {
            "sample_id": Value("int64"),
            "prompt": Value("string"),
            "completion": Value("string"),  # the title of the target
            "target_item_id": Value("int32"),
            "history_item_ids": List(Value("int32")),  # as shown, the oldest first
            "candidate_item_ids": List(Value("int32"), length=candidates),  # as listed in the prompt
            "candidates": List(Value("string"), length=candidates),  # their titles
        }
    )


def table_of(draw: int) -> str:
    """The name of the table of a draw."""
    return f"{TABLE}_draw{draw}" if draw else TABLE


@dataclass(frozen=True)
class Config:
    """A config of prompts that ask for the next item; its name says all of it."""

    history_length: int
    draw: int = 0

    @property
    def name(self) -> str:
        return f"{PROMPTS}_k{self.history_length}" + (f"_draw{self.draw}" if self.draw else "")

    @property
    def table(self) -> str:
        """The candidates that it lists."""
        return table_of(self.draw)


def draw_of(name: str) -> int | None:
    """Which draw a table of candidates is; None for any other table."""
    match = _TABLE.fullmatch(name)
    return int(match["draw"] or 0) if match else None


def parse_config(name: str) -> Config | None:
    """What the name of a config of next-item prompts says; None for any other name."""
    match = _PROMPTS.fullmatch(name)
    return Config(int(match["history_length"]), int(match["draw"] or 0)) if match else None


def check(targets: np.ndarray, item_ids: np.ndarray, where: object) -> None:
    """ValueError where a row (S, C) does not hold its target (S,) once, or an item twice."""
    holds = (item_ids == targets[:, None]).sum(axis=1)
    if (holds == 0).any():
        first = int(np.argmax(holds == 0))
        raise ValueError(
            f"{where}: the candidates of {np.count_nonzero(holds == 0)} samples lack the target (the first is row {first}, target item "
            f"{targets[first]}). Draw them again: dataset_builders/candidates.py --overwrite true"
        )
    ordered = np.sort(item_ids, axis=1)
    doubled = (ordered[:, 1:] == ordered[:, :-1]).any(axis=1)
    if doubled.any():
        raise ValueError(
            f"{where}: {np.count_nonzero(doubled)} samples have a candidate twice (the first is row {int(np.argmax(doubled))}). Draw them "
            "again: dataset_builders/candidates.py --overwrite true"
        )


def matrix(column: pa.ChunkedArray) -> np.ndarray:
    """(S, C) of a column of lists of one length."""
    lists = column.combine_chunks()
    values = lists.flatten().to_numpy(zero_copy_only=False)
    return values.reshape(len(lists), -1)


@dataclass(frozen=True)
class Questions:
    """Next-item questions in the order of their samples' split."""

    sample_id: np.ndarray  # (S,) int64
    user_id: np.ndarray  # (S,) int32
    position: np.ndarray  # (S,) int32: of the target in the user's interactions
    target: np.ndarray  # (S,) int32
    item_ids: np.ndarray  # (S, C) int32: the candidates


def read_questions(folder: Path, split: str, draw: int = 0) -> Questions:
    """All questions of a split; ValueError where no candidates were drawn for it, or they do not fit the samples."""
    name = table_of(draw)
    if split not in store.table_splits(folder, name):
        there = ", ".join(one for one in store.table_names(folder) if draw_of(one) is not None) or "none"
        raise ValueError(
            f"{folder} has no candidates of the split {split!r} in {name}. Tables of candidates: {there}. Draw them: python "
            f"dataset_builders/candidates.py --candidate_draws {draw + 1} (a task such as next_item)."
        )
    columns = ["sample_id", "user_id", "position", "item_id"]
    samples, drawn = store.read(folder, "samples", split, columns), store.read(folder, name, split)
    sample_id, user_id, position, target = (samples[column].to_numpy() for column in columns)
    rows = rows_of(
        sample_id, drawn["sample_id"].to_numpy(), f"samples of {split} have no candidates in {folder / name}"
    )
    item_ids = matrix(drawn["item_ids"])[rows]
    check(target, item_ids, f"{folder / name}, {split}")
    return Questions(sample_id, user_id, position, target, item_ids)
