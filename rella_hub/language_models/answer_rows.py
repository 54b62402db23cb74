"""Tokenized prompts with their answers, as a data set that lies on disk: memory holds what is read of it, whatever its length."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
from datasets import Dataset

from rella_hub.files.replace import full_disk_said
from rella_hub.language_models.room import Room
from rella_hub.language_models.token_rows import TokenRows

IGNORED = -100  # the label of a token that bears no loss
SCHEMA = pa.schema({"input_ids": pa.list_(pa.int32()), "labels": pa.list_(pa.int32())})


def tokenized_rows(prompts: Sequence[Sequence[int]], completions: Sequence[list[int]]) -> Dataset:
    """Rows of `input_ids` and `labels`, in memory; the labels cover the completion alone."""
    return Dataset(pa.Table.from_batches([_batch(prompts, completions)], schema=SCHEMA))


def rows_on_disk(
    path: Path, parts: Iterable[tuple[Sequence[Sequence[int]], Sequence[list[int]]]], loss_on_prompt: bool = False
) -> Dataset:
    """The same of many parts, each of prompts and completions, in the file `path`, which must stay as long as the data set.

    loss_on_prompt: the labels cover the prompts, too, so that `prompts_of` cannot tell them from their answers.
    """
    with full_disk_said(path), pa.OSFile(str(path), "wb") as file, pa.ipc.new_stream(file, SCHEMA) as stream:
        for prompts, completions in parts:
            stream.write_batch(_batch(prompts, completions, loss_on_prompt))
    return Dataset.from_file(str(path))


def lengths_of(rows: Dataset) -> np.ndarray:
    """(n,) tokens of each row, without reading any."""
    return np.concatenate([np.diff(ids.ends, prepend=0) for ids, _ in _in_parts(rows)] or [np.empty(0, np.int64)])


def prompts_of(rows: Dataset, yes: int) -> tuple[TokenRows, np.ndarray]:
    """The prompts without their answers, and (n,) 1 where the answer begins with the token `yes`."""
    ids, lengths, said = [], [], []
    for inputs, labels in _in_parts(rows):
        bears_loss = labels.ids != IGNORED
        row = np.repeat(np.arange(len(labels)), labels.lengths)
        first = np.flatnonzero(bears_loss & np.r_[True, ~bears_loss[:-1] | (np.diff(row) > 0)])
        begins = labels.ends - labels.lengths
        first = first[np.unique(row[first], return_index=True)[1]]  # of each row
        ids.append(inputs.ids[np.arange(len(row)) < first[row]])
        lengths.append(first - begins)
        said.append(labels.ids[first] == yes)
    return TokenRows(np.concatenate(ids), np.cumsum(np.concatenate(lengths))), np.concatenate(said).astype(int)


def require_room_for_rows(room: Room, name: str, rows: Dataset, answers: Sequence[int]) -> None:
    """`Room.require` of all rows, a part at a time."""
    for ids, _ in _in_parts(rows):
        room.require(name, ids, answers)


def _batch(
    prompts: Sequence[Sequence[int]], completions: Sequence[list[int]], loss_on_prompt: bool = False
) -> pa.RecordBatch:
    inputs = TokenRows.of([[*p, *c] for p, c in zip(prompts, completions, strict=True)])
    labels = inputs.ids.copy()
    asked = np.fromiter(map(len, prompts), np.int64, len(prompts))
    place = np.arange(len(labels)) - np.repeat(inputs.ends - inputs.lengths, inputs.lengths)
    if not loss_on_prompt:
        labels[place < np.repeat(asked, inputs.lengths)] = IGNORED
    ends = pa.array(np.r_[0, inputs.ends], pa.int32())
    columns = [pa.ListArray.from_arrays(ends, pa.array(values, pa.int32())) for values in (inputs.ids, labels)]
    return pa.record_batch(columns, schema=SCHEMA)


def _in_parts(rows: Dataset) -> Iterator[tuple[TokenRows, TokenRows]]:
    """The two columns, one batch of the file at a time."""
    for batch in rows.data.table.to_batches():
        ids, labels = (_token_rows(batch.column(name)) for name in SCHEMA.names)
        yield ids, labels


def _token_rows(lists: pa.ListArray) -> TokenRows:
    return TokenRows(lists.flatten().to_numpy(), np.cumsum(lists.value_lengths().to_numpy().astype(np.int64)))
