"""Samples (+ item_vectors) → views: which earlier behaviors each sample shows.

Two kinds of task, both independent of each other, so that an engine may run them anywhere. A block of users is answered whole
and its rows are laid aside by the shard they belong to; then every shard is put together from what was laid aside for it. No
task holds more than its block or its shard, whatever the size of the corpus: the published order is a random one, and this
is how rows get from the order of the users into it.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa

from rella_hub.corpora import load_corpus
from rella_hub.stages.arguments import (
    PUBLISHED_ROWS,
    THIS_PROCESS,
    USUAL_VECTORS,
    EngineArguments,
    FolderArguments,
    RowArguments,
    VectorArguments,
    ViewArguments,
)
from rella_hub.stages.configs import configs
from rella_hub.tables import published, records, schema, store
from rella_hub.views import VECTORS, Config, Histories, View, load_view

SAMPLES_PER_BLOCK = 250_000
BLOCKS_PER_WORKER = 4  # at least, so that the last block of a small corpus does not keep one worker waiting for another
_BEHAVIORS, _SHARED = "behaviors-", "shared-"  # what the names of a view's arrays begin with


def build_views(
    where: FolderArguments,
    options: ViewArguments,
    rows: RowArguments = PUBLISHED_ROWS,
    engine: EngineArguments = THIS_PROCESS,
    vectors: VectorArguments = USUAL_VECTORS,
) -> None:
    selected = rows.choose(load_corpus(where.corpus))
    for config in configs(options, vectors):
        _build(where, config, selected, engine)


def _build(where: FolderArguments, config: Config, selected: dict[str, int | None], engine: EngineArguments) -> None:
    name, view, parts = config.table, load_view(config.view), [part.table for part in config.parts]
    needed = [config.vectors_table if table == VECTORS else table for table in view.needs]
    made_from = {
        "corpus": where.corpus,
        "inputs": records.input_fingerprints(where.folder, ["samples", *needed, *parts]),
        "view": config.view,
        "history_length": config.history_length,
        "selected_rows": selected,
        **({"similarity": config.similarity} if VECTORS in view.needs else {}),
        **({"parameter": config.number} if view.parameter is not None else {}),
    }
    if records.stands(where.folder, name, made_from, where.overwrite):
        return
    order = {split: published.rows_of(where.folder, split, selected[split]) for split in store.SPLITS}
    rows = {split: len(chosen) for split, chosen in order.items()}
    if parts:
        rows = {"mixed": len(parts) * rows["train"], "validation": rows["validation"], "test": rows["test"]}
    with (
        store.writing(where.folder, name, schema.VIEWS, rows, made_from) as writer,
        store.scratch(where.folder, name) as scratch,
    ):
        if parts:
            tasks = [_Mixed(writer, shard, where.folder.absolute(), tuple(parts)) for shard in writer.shards]
            engine.run(_mix_shard, tasks, name)
        else:
            _lay_out(where.folder, order, scratch)
            if view.needs:
                _lay_out_by_user(writer, scratch)
                _lay_out_arrays(where.folder, scratch, view, config)
                engine.run(_answer_block, _blocks(scratch, config, engine.parallel), name)
            shards = [_Shard(writer, n, scratch, config) for n in range(len(writer.shards))]
            engine.run(_put_together, shards, f"{name}, shards")
    print(f"{where.folder / name}: {sum(rows.values()):,} rows.", flush=True)


def _lay_out(folder: Path, order: dict[str, np.ndarray], scratch: Path) -> None:
    """Lay out what is in every row: `sample_id` and `position`, as published."""
    samples = []
    for split, rows in order.items():
        table = store.read(folder, "samples", split, ["sample_id", "position"])
        samples.append([table[column].to_numpy()[rows] for column in ("sample_id", "position")])
    sample_id, position = (np.concatenate(column) for column in zip(*samples, strict=True))
    np.save(scratch / "sample_id.npy", sample_id)
    np.save(scratch / "position.npy", position)


def _lay_out_by_user(writer: store.Writer, scratch: Path) -> None:
    """The same rows sorted by sample, each with the shard and the row in it that it goes to."""
    sample_id, position = (np.load(scratch / f"{name}.npy") for name in ("sample_id", "position"))
    lengths = [shard.end - shard.begin for shard in writer.shards]
    by_user = np.argsort(sample_id)  # sample ids are rows of interactions: this is by user and position
    shard = np.repeat(np.arange(len(lengths), dtype=np.int32), lengths)
    row = np.concatenate([np.arange(length, dtype=np.int32) for length in lengths])
    for name, column in (("sample_id", sample_id), ("position", position), ("shard", shard), ("row", row)):
        np.save(scratch / f"by_user_{name}.npy", column[by_user])


def _lay_out_arrays(folder: Path, scratch: Path, view: View, config: Config) -> None:
    """Lay out what the view needs of other tables, for every task to read its part of."""
    behaviors, shared = view.load(folder, config)
    for prefix, arrays in ((_BEHAVIORS, behaviors), (_SHARED, shared)):
        for name, array in arrays.items():
            np.save(scratch / f"{prefix}{name}.npy", array)


def _laid_out(scratch: Path, prefix: str) -> dict[str, np.ndarray]:
    return {path.stem.removeprefix(prefix): np.load(path, mmap_mode="r") for path in scratch.glob(f"{prefix}*.npy")}


@dataclass(frozen=True)
class _Block:
    """The samples `begin` to `end`, by user and position: all those of some users."""

    scratch: Path
    begin: int
    end: int
    config: Config


def _blocks(scratch: Path, config: Config, workers: int) -> list[_Block]:
    start = np.load(scratch / "by_user_sample_id.npy") - np.load(scratch / "by_user_position.npy")
    first_of_user = np.flatnonzero(np.r_[True, start[1:] != start[:-1]]) if len(start) else np.zeros(1, dtype=int)
    size = max(1, min(SAMPLES_PER_BLOCK, -(-len(start) // (BLOCKS_PER_WORKER * workers))))
    nearest = np.searchsorted(first_of_user, np.arange(0, len(start), size), side="right") - 1
    bounds = [*np.unique(first_of_user[nearest]).tolist(), len(start)]
    return [_Block(scratch, begin, end, config) for begin, end in pairwise(bounds)]


def _answer_block(block: _Block) -> None:
    """Answer all samples of some users and lay their positions aside, by shard."""
    samples = slice(block.begin, block.end)

    def column(name: str) -> np.ndarray:
        return np.load(block.scratch / f"by_user_{name}.npy", mmap_mode="r")[samples]

    sample_id, position = np.array(column("sample_id")), np.array(column("position"))
    first, last = (sample_id[0] - position[0], sample_id[-1]) if len(sample_id) else (0, -1)
    behaviors = {
        name: np.array(array[first : last + 1]) for name, array in _laid_out(block.scratch, _BEHAVIORS).items()
    }
    histories = Histories(position, sample_id - position - first, behaviors, _laid_out(block.scratch, _SHARED))
    positions = load_view(block.config.view).select(histories, block.config)
    shard, row = np.array(column("shard")), column("row")
    by_shard = np.argsort(shard, kind="stable")
    bounds = np.flatnonzero(np.r_[True, np.diff(shard[by_shard]) != 0, True]) if len(shard) else []
    for begin, end in pairwise(bounds):
        rows = by_shard[begin:end]
        np.save(block.scratch / f"{shard[rows[0]]}-{block.begin}.npy", np.column_stack([row[rows], positions[rows]]))


@dataclass(frozen=True)
class _Shard:
    writer: store.Writer
    number: int  # in writer.shards
    scratch: Path
    config: Config


def _put_together(task: _Shard) -> None:
    """Write one shard of a view that is not mixed."""
    view, history_length = load_view(task.config.view), task.config.history_length
    shards = task.writer.shards
    begin = sum(shard.end - shard.begin for shard in shards[: task.number])
    rows = slice(begin, begin + shards[task.number].end - shards[task.number].begin)
    sample_id, position = (
        np.array(np.load(task.scratch / f"{name}.npy", mmap_mode="r")[rows]) for name in ("sample_id", "position")
    )
    if not view.needs:
        positions = view.select(Histories(position, sample_id - position), task.config)
    else:
        positions = np.empty((len(position), history_length), dtype=np.int32)
        for path in task.scratch.glob(f"{task.number}-*.npy"):
            part = np.load(path)
            positions[part[:, 0]] = part[:, 1:]
            path.unlink()
    schema.check_views(position, positions, history_length)
    task.writer.write(shards[task.number], [pa.table({"sample_id": sample_id, "positions": _as_lists(positions)})])


@dataclass(frozen=True)
class _Mixed:
    writer: store.Writer
    shard: store.Shard
    folder: Path
    parts: tuple[str, ...]  # the tables


def _mix_shard(task: _Mixed) -> None:
    """Write one shard of a mixed view: of `mixed` all parts in turn, of the other splits the last part."""
    begin, end, split = task.shard.begin, task.shard.end, task.shard.split
    if split == "mixed":
        count = len(task.parts)
        first, last = begin // count, -(-end // count)
        parts = [store.read_rows(task.folder, name, first, last, "train") for name in task.parts]
        for part in parts[1:]:
            assert part["sample_id"].equals(parts[0]["sample_id"]), "all views stand in the order of the samples"
        in_turn = np.arange(count * (last - first)).reshape(count, -1).T.ravel()
        table = pa.concat_tables(parts).take(in_turn[begin - count * first : end - count * first])
    else:
        table = store.read_rows(task.folder, task.parts[-1], begin, end, split)
    task.writer.write(task.shard, [table])


def _as_lists(positions: np.ndarray) -> pa.ListArray:
    """(S, K) with -1 for unused → lists of the used ones."""
    shown = positions >= 0
    offsets = np.r_[0, np.cumsum(shown.sum(axis=1))].astype(np.int32)
    return pa.ListArray.from_arrays(offsets, positions[shown])
