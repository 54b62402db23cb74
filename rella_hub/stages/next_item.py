"""Candidates → next-item prompts: the question in words, its answer, and the items by id for systems that know more of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from rella_hub.corpora import load_corpus
from rella_hub.prompts.choosing import next_item as style
from rella_hub.stages.arguments import CandidateArguments, FolderArguments
from rella_hub.stages.candidates import require_next_item
from rella_hub.tables import candidates, records, store
from rella_hub.tables.keys import codes_of, rows_of
from rella_hub.views import NOTHING, Histories, load_view
from rella_hub.views import Config as ViewConfig

VIEW = "recency"
ROWS_PER_PART = 20_000


def asked_configs(folder: Path, lengths: list[int], draws: int) -> list[candidates.Config]:
    """The configs of all draws for these history lengths, or else for the task's own, if it puts its questions into words."""
    asked = require_next_item(folder)
    for length in lengths:
        if length < 1:
            raise ValueError(f"--history_length is {length}; a prompt must show at least 1 behavior.")
    wanted = lengths or ([asked.history_length] if asked.in_words else [])
    return [candidates.Config(length, draw) for length in dict.fromkeys(wanted) for draw in range(draws)]


def build_next_item_prompts(where: FolderArguments, options: CandidateArguments, lengths: list[int]) -> None:
    """Write the prompts of every draw."""
    for config in asked_configs(where.folder, lengths, options.candidate_draws):
        made_from = {
            "corpus": where.corpus,
            "inputs": records.input_fingerprints(where.folder, ["items", "interactions", "samples", config.table]),
            "history_length": config.history_length,
            "prompt_style": "next_item",
            "prompt_version": style.VERSION,
        }
        if not records.stands(where.folder, config.name, made_from, where.overwrite):
            _write(where, config, made_from)


@dataclass(frozen=True)
class _Sources:
    """The tables that prompts are composed from."""

    item_id: np.ndarray  # (I,) ascending
    titles: pa.LargeStringArray  # (I,)
    behaviors: np.ndarray  # (N,) item id of each interaction
    fragments: style.Fragments

    @staticmethod
    def read(where: FolderArguments) -> _Sources:
        words, items = load_corpus(where.corpus).words, store.frame(where.folder, "items")
        behaviors = store.read(where.folder, "interactions", columns=["item_id"])["item_id"].to_numpy()
        titles = style.titles(words, items).to_arrow().cast(pa.large_string())
        return _Sources(items["item_id"].to_numpy(), titles, behaviors, style.fragments(words, items))

    def code(self, item_id: np.ndarray) -> np.ndarray:
        return codes_of(item_id, self.item_id, "items of prompts have no row in items")


def _write(where: FolderArguments, config: candidates.Config, made_from: dict) -> None:
    folder, name = where.folder, config.name
    rows = {split: store.count_rows(folder, config.table, split) for split in store.table_splits(folder, config.table)}
    size = store.made_from(folder, config.table)["candidates"]
    sources = _Sources.read(where)
    with store.writing(folder, name, candidates.prompts_schema(size), rows, made_from) as writer:
        for shard in writer.shards:
            writer.write(shard, _parts(folder, config, shard, sources))
    print(f"{folder / name}: {', '.join(f'{n:,} {split}' for split, n in rows.items())} prompts.", flush=True)


def _parts(folder: Path, config: candidates.Config, shard: store.Shard, sources: _Sources) -> Iterator[pa.Table]:
    samples = store.read(folder, "samples", shard.split, ["sample_id", "position"])
    all_ids, all_positions = (column.to_numpy() for column in samples.columns)
    for begin in range(shard.begin, shard.end, ROWS_PER_PART):
        end = min(begin + ROWS_PER_PART, shard.end)
        drawn = store.read_rows(folder, config.table, begin, end, shard.split)
        sample_id = drawn["sample_id"].to_numpy()
        position = all_positions[rows_of(sample_id, all_ids, "candidates are of samples that are not there")]
        yield _compose(sources, config, sample_id, position, candidates.matrix(drawn["item_ids"]))


def _compose(
    sources: _Sources, config: candidates.Config, sample_id: np.ndarray, position: np.ndarray, item_ids: np.ndarray
) -> pa.Table:
    positions = load_view(VIEW).select(
        Histories(position, sample_id - position), ViewConfig(VIEW, config.history_length)
    )
    shown = positions != NOTHING  # (S, K), oldest first
    history = sources.behaviors[np.where(shown, (sample_id - position)[:, None] + positions, 0)]
    target, asked = sources.behaviors[sample_id], sources.code(item_ids)
    size = item_ids.shape[1]
    offsets = np.r_[0, np.cumsum(shown.sum(axis=1))].astype(np.int32)
    listed = pa.FixedSizeListArray.from_arrays
    return pa.table(
        {
            "sample_id": sample_id,
            "prompt": style.prompts(sources.fragments, sources.code(history), shown, asked),
            "completion": sources.titles.take(pa.array(sources.code(target))),
            "target_item_id": target,
            "history_item_ids": pa.ListArray.from_arrays(offsets, history[shown]),
            "candidate_item_ids": listed(pa.array(item_ids.ravel(), type=pa.int32()), size),
            "candidates": listed(sources.titles.take(pa.array(asked.ravel())).cast(pa.string()), size),
        }
    )
