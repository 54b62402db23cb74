"""Views → prompts: the text a language model is shown for each sample, and the answer it should give.

Every shard of every config is a task of its own, so that an engine may run them anywhere.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa

from rella_hub.corpora import Corpus, load_corpus
from rella_hub.prompts import load_style
from rella_hub.stages.arguments import (
    PUBLISHED_ROWS,
    THIS_PROCESS,
    USUAL_VECTORS,
    EngineArguments,
    FolderArguments,
    PromptArguments,
    RowArguments,
    VectorArguments,
    ViewArguments,
)
from rella_hub.stages.configs import configs
from rella_hub.tables import published, records, schema, store
from rella_hub.tables.histories import positions_within_user
from rella_hub.tables.keys import codes_of
from rella_hub.views import Config, load_view

ROWS_PER_PART = (
    20_000  # about 30 MB of text: large enough to be vectorized, small enough to stay in memory many times over
)


def build_prompts(
    where: FolderArguments,
    view_options: ViewArguments,
    options: PromptArguments,
    rows: RowArguments = PUBLISHED_ROWS,
    engine: EngineArguments = THIS_PROCESS,
    vectors: VectorArguments = USUAL_VECTORS,
) -> None:
    corpus, style = load_corpus(where.corpus), load_style(options.style)
    require_answers(corpus)
    selected = rows.choose(corpus)
    longest = max(view_options.history_length)
    for config in configs(view_options, vectors, options.style):
        made_from = _made_from(where, config, style.VERSION, selected)
        if not records.stands(where.folder, config.name, made_from, where.overwrite):
            _build(where, config, made_from, longest, selected, engine)


def require_answers(corpus: Corpus) -> None:
    """ValueError for a corpus without ratings."""
    if corpus.rating_range is None:
        raise ValueError(
            f"{corpus.name} has no ratings, so nobody knows the answer to a prompt. Build its tables and views: "
            "dataset_builders/prepare.py, embed.py and view.py."
        )


def _build(
    where: FolderArguments,
    config: Config,
    made_from: dict,
    longest: int,
    selected: dict[str, int | None],
    engine: EngineArguments,
) -> None:
    name, view = config.name, config.table
    chosen = {
        split: _rows_of_view(where.folder, config, split, selected) for split in store.table_splits(where.folder, view)
    }
    rows = {split: len(rows_of_view) for split, rows_of_view in chosen.items()}
    with store.writing(where.folder, name, schema.PROMPTS, rows, made_from) as writer:
        tasks = [
            _Shard(
                writer=writer,
                shard=shard,
                rows=chosen[shard.split][shard.begin : shard.end],
                folder=where.folder.absolute(),  # a worker may stand in another one
                view=view,
                corpus=where.corpus,
                style=config.style,
                longest=longest,
                fingerprint=made_from["inputs"]["interactions"],
            )
            for shard in writer.shards
        ]
        engine.run(_write_shard, tasks, name)
    counts = ", ".join(f"{count:,} {split}" for split, count in rows.items())
    print(f"{where.folder / name}: {counts} prompts.", flush=True)


def _rows_of_view(folder: Path, config: Config, split: str, selected: dict[str, int | None]) -> np.ndarray:
    """(n,) ascending rows of a split of a view that get a prompt."""
    view, per_sample = config.table, load_view(config.view).rows_per_sample
    of_samples = "train" if split == "mixed" else split
    shown = published.rows_of(
        folder, of_samples, store.made_from(folder, view).get("selected_rows", {}).get(of_samples)
    )
    wanted = published.rows_of(folder, of_samples, selected[of_samples])
    if len(wanted) > len(shown):
        raise ValueError(
            f"{folder / view} has {len(shown):,} {of_samples} rows, asked for are {len(wanted):,} prompts. "
            f"Build the view with as many: dataset_builders/view.py --{of_samples}_rows {len(wanted)} --overwrite true"
        )
    rows = np.searchsorted(shown, wanted)
    return (per_sample * rows[:, None] + np.arange(per_sample)).ravel() if split == "mixed" else rows


@dataclass(frozen=True)
class Sources:
    """The tables a prompt is composed from, with every id turned into a row number once."""

    users: pl.DataFrame
    items: pl.DataFrame
    ratings: np.ndarray  # (R,) distinct rating values
    user_code: np.ndarray  # (N,) of each interaction
    item_code: np.ndarray  # (N,)
    rating: np.ndarray  # (N,)
    label: np.ndarray  # (N,)
    position: np.ndarray  # (N,)


def load_sources(folder: Path) -> Sources:
    users, items = (store.frame(folder, name) for name in ("users", "items"))
    interactions = store.read(folder, "interactions", columns=["user_id", "item_id", "rating", "label"])
    user_id, item_id, rating, label = (interactions[c].to_numpy() for c in ("user_id", "item_id", "rating", "label"))
    return Sources(
        users=users,
        items=items,
        ratings=np.unique(rating),
        user_code=codes_of(user_id, users["user_id"].to_numpy(), "users have interactions but no row in users"),
        item_code=codes_of(item_id, items["item_id"].to_numpy(), "items have interactions but no row in items"),
        rating=rating,
        label=label.astype(np.int8),
        position=positions_within_user(user_id),
    )


def _made_from(where: FolderArguments, config: Config, version: int, selected: dict[str, int | None]) -> dict:
    inputs = ["users", "items", "interactions", config.table]
    return {
        "corpus": where.corpus,
        "inputs": records.input_fingerprints(where.folder, inputs),
        "prompt_style": config.style,
        "prompt_version": version,
        "selected_rows": selected,
    }


@dataclass(frozen=True)
class _Shard:
    writer: store.Writer
    shard: store.Shard
    rows: np.ndarray  # (n,) ascending, of the view's split: those of this shard
    folder: Path
    view: str
    corpus: str
    style: str
    longest: int  # of the history lengths asked for
    fingerprint: str  # of the interactions


def _write_shard(task: _Shard) -> None:
    task.writer.write(task.shard, _parts(task))


_LOADING = threading.Lock()


@lru_cache(maxsize=1)
def _loaded(folder: Path, corpus: str, style: str, longest: int, fingerprint: str) -> tuple:
    """The sources and fragments that the tasks of one process share."""
    source, words = load_sources(folder), load_corpus(corpus).words
    return source, load_style(style).fragments(words, source.users, source.items, source.ratings, longest)


def _parts(task: _Shard) -> Iterator[pa.Table]:
    with _LOADING:  # the first tasks of several threads would each load for themselves
        source, fragments = _loaded(task.folder, task.corpus, task.style, task.longest, task.fingerprint)
    style = load_style(task.style)
    completions = pa.array(style.ANSWERS)
    for begin in range(0, len(task.rows), ROWS_PER_PART):
        wanted = task.rows[begin : begin + ROWS_PER_PART]
        view = store.read_rows(task.folder, task.view, wanted[0], wanted[-1] + 1, task.shard.split)
        if len(view) > len(wanted):
            view = view.take(wanted - wanted[0])
        sample_id = view["sample_id"].to_numpy()
        positions, shown = shown_positions(view["positions"].combine_chunks())
        rows = (sample_id - source.position[sample_id])[:, None] + positions  # (S, K) rows of interactions
        text = style.prompts(
            fragments,
            source.user_code[sample_id],
            source.item_code[sample_id],
            source.item_code[rows],
            source.rating[rows],
            source.label[rows] == 1,
            shown,
        )
        label = source.label[sample_id]
        yield pa.table(
            {"sample_id": sample_id, "prompt": text, "completion": completions.take(pa.array(label)), "label": label}
        )


def shown_positions(lists: pa.ListArray) -> tuple[np.ndarray, np.ndarray]:
    """Lists → (S, K) positions, 0 where unused, and (S, K) whether used; K is the longest list's."""
    counts = lists.value_lengths().to_numpy()
    shown = np.arange(counts.max(initial=0)) < counts[:, None]
    positions = np.zeros(shown.shape, dtype=np.int32)
    positions[shown] = lists.flatten().to_numpy()
    return positions, shown
