"""Samples (+ item_vectors) → views: which earlier behaviors each sample shows."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa

from dataset_builders.corpora import load_corpus
from dataset_builders.stages.arguments import FolderArguments, ViewArguments
from dataset_builders.tables import provenance, schema, store
from dataset_builders.tables.keys import codes_of
from dataset_builders.views import recency, reit, subr

ROWS_PER_PART = 100_000
VIEWS = ("recency", "subr", "reit")  # in the order in which they need each other


def config_name(view: str, history_length: int) -> str:
    """The name of the Hub config of a view's prompts."""
    return f"{view}_k{history_length}"


def table_name(config: str) -> str:
    """The name of the table of the view itself, beside its prompts."""
    return f"view_{config}"


def build_views(where: FolderArguments, options: ViewArguments) -> None:
    load_corpus(where.corpus)  # names the corpora there are
    check_views(options)
    for history_length in options.history_length:
        for view in VIEWS:
            if view in options.view:
                _build(where, view, history_length, options.similarity)


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


def _build(where: FolderArguments, view: str, history_length: int, similarity: str) -> None:
    name = table_name(config_name(view, history_length))
    mixed_from = [table_name(config_name(part, history_length)) for part in ("recency", "subr")]
    inputs = {
        "recency": ["samples"],
        "subr": ["samples", "interactions", "item_vectors"],
        "reit": ["samples", *mixed_from],
    }[view]
    made_from = {
        "corpus": where.corpus,
        "inputs": provenance.input_fingerprints(where.folder, inputs),
        "view": view,
        "history_length": history_length,
        **({"similarity": similarity} if view == "subr" else {}),
    }
    if provenance.stands(where.folder, name, made_from, where.overwrite):
        return
    build = {"recency": _recency, "subr": _subr, "reit": _reit}[view]
    splits = build(where.folder, history_length, similarity)
    store.write(where.folder, name, schema.VIEWS, splits, made_from)
    print(f"{where.folder / name}: {sum(rows for rows, _ in splits.values()):,} rows.", flush=True)


def _recency(folder: Path, history_length: int, _similarity: str) -> dict:
    return _per_split(folder, history_length, lambda sample_id, position: recency.select(position, history_length))


def _subr(folder: Path, history_length: int, similarity: str) -> dict:
    samples = {split: store.read(folder, "samples", split, ["sample_id", "position"]) for split in store.SPLITS}
    together = pa.concat_tables(samples.values())
    sample_id, position = (together[c].to_numpy() for c in ("sample_id", "position"))
    order = np.argsort(sample_id)  # sample ids are rows of interactions: this is by user and position
    sample_id, position = sample_id[order], position[order]
    item_code, vectors = _vectors_of_interactions(folder, similarity)
    positions = subr.select(
        position, sample_id - position, item_code, vectors, history_length, similarity, progress=True
    )
    return _per_split(folder, history_length, lambda ids, _: positions[np.searchsorted(sample_id, ids)])


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


def _reit(folder: Path, history_length: int, _similarity: str) -> dict:
    recency_name, subr_name = (table_name(config_name(view, history_length)) for view in ("recency", "subr"))
    rows = store.count_rows(folder, "samples", "train")

    def mixed():
        pairs = zip(
            *(store.iterate(folder, name, "train", ROWS_PER_PART // 2) for name in (recency_name, subr_name)),
            strict=True,
        )
        for by_recency, by_subr in pairs:
            assert by_recency["sample_id"].equals(by_subr["sample_id"]), "both views stand in the order of the samples"
            turn = reit.mix(np.arange(len(by_recency)), np.arange(len(by_recency), 2 * len(by_recency)))
            yield pa.Table.from_batches([by_recency, by_subr]).take(turn)

    def same(split: str):
        return (pa.Table.from_batches([batch]) for batch in store.iterate(folder, subr_name, split, ROWS_PER_PART))

    return {"mixed": (2 * rows, mixed())} | {
        split: (store.count_rows(folder, "samples", split), same(split)) for split in ("validation", "test")
    }


def _per_split(folder: Path, history_length: int, select: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> dict:
    """Each split's number of rows and its parts, in the order of the samples."""

    def parts(split: str):
        for batch in store.iterate(folder, "samples", split, ROWS_PER_PART, ["sample_id", "position"]):
            sample_id, position = batch["sample_id"].to_numpy(), batch["position"].to_numpy()
            positions = select(sample_id, position)
            schema.check_views(position, positions, history_length)
            yield pa.table({"sample_id": sample_id, "positions": _as_lists(positions)})

    return {split: (store.count_rows(folder, "samples", split), parts(split)) for split in store.SPLITS}


def _as_lists(positions: np.ndarray) -> pa.ListArray:
    """(S, K) with -1 for unused → lists of the used ones."""
    shown = positions >= 0
    offsets = np.r_[0, np.cumsum(shown.sum(axis=1))].astype(np.int32)
    return pa.ListArray.from_arrays(offsets, positions[shown])
