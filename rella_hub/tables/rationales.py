"""The table of rationales: who was asked about which behaviors, what was written, and its three steps.

    rationales_<name>    splits `train`, what can be used, and `unusable`, what was kept aside, each with its `problem`

A rationale is written from the behaviors before one of the user's training samples, and is good for that sample and every later one: what
it was written from never holds a target that it is used for.
"""

from __future__ import annotations

import re
from pathlib import Path

import polars as pl
from datasets import Features, List, Value

from rella_hub.tables import store

TABLE, UNUSABLE = "rationales", "unusable"
STEPS = ("step_1", "step_2", "step_3")
FEATURES = Features(
    {
        "sample_id": Value("int64"),  # the first sample that it may serve
        "user_id": Value("int32"),
        "position": Value("int32"),  # of that sample: how many behaviors come before it
        "history_item_ids": List(Value("int32")),  # those that were shown, the oldest first
        **dict.fromkeys(STEPS, Value("string")),
        "text": Value("string"),  # as it was written
        "problem": Value("string"),  # why it cannot be used; empty where it can
        "prompt_tokens": Value("int32"),
        "completion_tokens": Value("int32"),
    }
)
_NAME = re.compile(rf"{TABLE}_([a-z0-9]+)")


def table_of(name: str) -> str:
    """The table of the rationales of that name. ValueError for what cannot be part of a name."""
    if not _NAME.fullmatch(f"{TABLE}_{name}"):
        raise ValueError(f"--rationales is {name!r}. Give a name of lower-case letters and digits, such as teacher.")
    return f"{TABLE}_{name}"


def is_rationales(table: str) -> bool:
    return bool(_NAME.fullmatch(table))


def read(folder: Path, name: str) -> pl.DataFrame:
    """What can be used of the rationales of that name, a row a user."""
    table = table_of(name)
    if store.provenance(folder, table) is None:
        raise ValueError(f"{folder} has no {table}. Write it first: python dataset_builders/rationalize.py --help")
    found = pl.DataFrame(store.read(folder, table))
    if not found["user_id"].is_unique().all():
        raise ValueError(f"{folder / table} has more than one rationale of a user. Build it again.")
    return found
