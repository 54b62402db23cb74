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

from rella_hub.cli import refuse_without
from rella_hub.corpora import load_corpus
from rella_hub.stages.arguments import (
    PUBLISHED_ROWS,
    THIS_PROCESS,
    EngineArguments,
    FolderArguments,
    RowArguments,
    ViewArguments,
)
from rella_hub.tables import published, records, schema, store
from rella_hub.tables.keys import codes_of
from rella_hub.views import config_name, recency, reit, subr, table_name

SAMPLES_PER_BLOCK = 250_000
BLOCKS_PER_WORKER = 4  # at least, so that the last block of a small corpus does not keep one worker waiting for another
VIEWS = ("recency", "subr", "reit")  # in the order in which they need each other


def build_views(
    where: FolderArguments,
    options: ViewArguments,
    rows: RowArguments = PUBLISHED_ROWS,
    engine: EngineArguments = THIS_PROCESS,
) -> None:
    selected = rows.choose(load_corpus(where.corpus))
    check_views(options)
    for history_length in options.history_length:
        for view in VIEWS:
            if view in options.view:
                _build(where, view, history_length, options.similarity, selected, engine)


def check_views(options: ViewArguments) -> None:
    """ValueError for an unknown view or similarity, or a history length that shows nothing."""
    for view in options.view:
        if view not in VIEWS:
            raise ValueError(f"There is no view {view!r}. Expected one of {', '.join(VIEWS)}.")
    for history_length in options.history_length:
        if history_length < 1:
            raise ValueError(f"--history_length is {history_length}; a prompt must show at least 1 behavior.")
    if options.similarity not in subr.SIMILARITIES:
        raise ValueError(
            f"There is no similarity {options.similarity!r}. Expected one of {', '.join(subr.SIMILARITIES)}."
        )
    if "subr" not in options.view:
        refuse_without("--view subr", options, ["similarity"])


def require_parts(where: FolderArguments, options: ViewArguments) -> None:
    """ValueError when `reit` is asked for without the two views that it mixes, and they are not there either."""
    for history_length in options.history_length if "reit" in options.view else []:
        for part in ("recency", "subr"):
            name = table_name(config_name(part, history_length))
            if part not in options.view and not store.table_splits(where.folder, name):
                raise ValueError(
                    f"The view reit mixes recency and subr, and {where.folder} has no {name}. Ask for it too: --view recency subr reit"
                )


def _build(
    where: FolderArguments,
    view: str,
    history_length: int,
    similarity: str,
    selected: dict[str, int | None],
    engine: EngineArguments,
) -> None:
    name = table_name(config_name(view, history_length))
    mixed_from = [table_name(config_name(part, history_length)) for part in ("recency", "subr")]
    inputs = {
        "recency": ["samples"],
        "subr": ["samples", "interactions", "item_vectors"],
        "reit": ["samples", *mixed_from],
    }[view]
    made_from = {
        "corpus": where.corpus,
        "inputs": records.input_fingerprints(where.folder, inputs),
        "view": view,
        "history_length": history_length,
        "selected_rows": selected,
        **({"similarity": similarity} if view == "subr" else {}),
    }
    if records.stands(where.folder, name, made_from, where.overwrite):
        return
    order = {split: published.rows_of(where.folder, split, selected[split]) for split in store.SPLITS}
    rows = {split: len(chosen) for split, chosen in order.items()}
    if view == "reit":
        rows = {"mixed": 2 * rows["train"], "validation": rows["validation"], "test": rows["test"]}
    with (
        store.writing(where.folder, name, schema.VIEWS, rows, made_from) as writer,
        store.scratch(where.folder, name) as scratch,
    ):
        if view == "reit":
            tasks = [_Mixed(writer, shard, where.folder.absolute(), *mixed_from) for shard in writer.shards]
            engine.run(_mix_shard, tasks, name)
        else:
            _lay_out(where.folder, order, scratch)
            if view == "subr":
                _lay_out_by_user(writer, scratch)
                blocks = _lay_out_subr(where.folder, scratch, history_length, similarity, engine)
                engine.run(_answer_block, blocks, name)
            shards = [_Shard(writer, n, scratch, view, history_length) for n in range(len(writer.shards))]
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


@dataclass(frozen=True)
class _Block:
    """The samples `begin` to `end`, by user and position: all those of some users."""

    scratch: Path
    begin: int
    end: int
    history_length: int
    similarity: str


def _lay_out_subr(
    folder: Path, scratch: Path, history_length: int, similarity: str, engine: EngineArguments
) -> list[_Block]:
    item_code, vectors = _vectors_of_interactions(folder, similarity)
    code, distinct = subr.distinct_vectors(vectors)
    np.save(scratch / "vectors.npy", distinct)
    np.save(scratch / "vector_code.npy", code[item_code])
    start = np.load(scratch / "by_user_sample_id.npy") - np.load(scratch / "by_user_position.npy")
    first_of_user = np.flatnonzero(np.r_[True, start[1:] != start[:-1]]) if len(start) else np.zeros(1, dtype=int)
    size = max(1, min(SAMPLES_PER_BLOCK, -(-len(start) // (BLOCKS_PER_WORKER * engine.parallel))))
    nearest = np.searchsorted(first_of_user, np.arange(0, len(start), size), side="right") - 1
    bounds = [*np.unique(first_of_user[nearest]).tolist(), len(start)]
    return [_Block(scratch, begin, end, history_length, similarity) for begin, end in pairwise(bounds)]


def _vectors_of_interactions(folder: Path, similarity: str) -> tuple[np.ndarray, np.ndarray]:
    """(N,) row of each interaction's item in the vectors, and the vectors (I, D): found by item id, never by row number."""
    table = store.read(folder, "item_vectors").sort_by("item_id").combine_chunks()
    vectors = table["vector"].combine_chunks().flatten().to_numpy().reshape(len(table), -1)
    if similarity != "cosine":  # the other distances are taken on the vectors as PCA gave them
        vectors = vectors * table["norm"].to_numpy()[:, None]
    item_id = store.read(folder, "interactions", columns=["item_id"])["item_id"].to_numpy()
    return codes_of(
        item_id, table["item_id"].to_numpy(), "items have interactions but no item vector (run embed.py again)"
    ), vectors


def _answer_block(block: _Block) -> None:
    """Answer all samples of some users and lay their positions aside, by shard."""
    samples = slice(block.begin, block.end)

    def column(name: str) -> np.ndarray:
        return np.load(block.scratch / f"by_user_{name}.npy", mmap_mode="r")[samples]

    sample_id, position = np.array(column("sample_id")), np.array(column("position"))
    first, last = (sample_id[0] - position[0], sample_id[-1]) if len(sample_id) else (0, -1)
    positions = subr.select_distinct(
        position,
        sample_id - position - first,
        np.array(np.load(block.scratch / "vector_code.npy", mmap_mode="r")[first : last + 1]),
        np.load(block.scratch / "vectors.npy", mmap_mode="r"),
        block.history_length,
        block.similarity,
    )
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
    view: str
    history_length: int


def _put_together(task: _Shard) -> None:
    """Write one shard of `recency` or `subr`."""
    shards = task.writer.shards
    begin = sum(shard.end - shard.begin for shard in shards[: task.number])
    rows = slice(begin, begin + shards[task.number].end - shards[task.number].begin)
    sample_id, position = (
        np.array(np.load(task.scratch / f"{name}.npy", mmap_mode="r")[rows]) for name in ("sample_id", "position")
    )
    if task.view == "recency":
        positions = recency.select(position, task.history_length)
    else:
        positions = np.empty((len(position), task.history_length), dtype=np.int32)
        for path in task.scratch.glob(f"{task.number}-*.npy"):
            part = np.load(path)
            positions[part[:, 0]] = part[:, 1:]
            path.unlink()
    schema.check_views(position, positions, task.history_length)
    task.writer.write(shards[task.number], [pa.table({"sample_id": sample_id, "positions": _as_lists(positions)})])


@dataclass(frozen=True)
class _Mixed:
    writer: store.Writer
    shard: store.Shard
    folder: Path
    recency: str  # the two tables
    subr: str


def _mix_shard(task: _Mixed) -> None:
    """Write one shard of `reit`: of `mixed` both views in turn, of the other splits SUBR."""
    begin, end, split = task.shard.begin, task.shard.end, task.shard.split
    if split == "mixed":
        first, last = begin // 2, -(-end // 2)
        parts = [store.read_rows(task.folder, name, first, last, "train") for name in (task.recency, task.subr)]
        assert parts[0]["sample_id"].equals(parts[1]["sample_id"]), "both views stand in the order of the samples"
        turn = reit.mix(np.arange(last - first), np.arange(last - first, 2 * (last - first)))
        table = pa.concat_tables(parts).take(turn[begin - 2 * first : end - 2 * first])
    else:
        table = store.read_rows(task.folder, task.subr, begin, end, split)
    task.writer.write(task.shard, [table])


def _as_lists(positions: np.ndarray) -> pa.ListArray:
    """(S, K) with -1 for unused → lists of the used ones."""
    shown = positions >= 0
    offsets = np.r_[0, np.cumsum(shown.sum(axis=1))].astype(np.int32)
    return pa.ListArray.from_arrays(offsets, positions[shown])
