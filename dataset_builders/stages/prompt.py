"""Views → prompts: the text a language model is shown for each sample, and the answer it should give."""

from __future__ import annotations

import importlib
import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import CancelledError, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa

from dataset_builders import prompts as styles
from dataset_builders.corpora import load_corpus
from dataset_builders.stages.arguments import FolderArguments, PromptArguments, ViewArguments
from dataset_builders.stages.view import VIEWS, config_name, table_name
from dataset_builders.tables import provenance, schema, store
from dataset_builders.tables.histories import positions_within_user
from dataset_builders.tables.keys import codes_of

ROWS_PER_PART = (
    20_000  # about 30 MB of text: large enough to be vectorized, small enough to stay in memory many times over
)


def build_prompts(where: FolderArguments, view_options: ViewArguments, options: PromptArguments) -> None:
    style, words = load_style(options.prompt_style), load_corpus(where.corpus).words
    wanted = []
    for history_length in dict.fromkeys(view_options.history_length):  # one asked for twice is built once
        for view in VIEWS:
            if view in view_options.view:
                config = config_name(view, history_length)
                made_from = _made_from(where, config, options.prompt_style, style.VERSION)
                if not provenance.stands(where.folder, config, made_from, where.overwrite):
                    wanted.append((config, history_length, made_from))
    if not wanted:
        return
    source, stopped = load_sources(where.folder), threading.Event()

    def build(config: str, history_length: int, made_from: dict) -> None:
        fragments = style.fragments(words, source.users, source.items, source.ratings, history_length)
        splits = {
            split: (
                store.count_rows(where.folder, table_name(config), split),
                _until(stopped, _parts(where.folder, config, split, history_length, source, style, fragments)),
            )
            for split in store.table_splits(where.folder, table_name(config))
        }
        store.write(where.folder, config, schema.PROMPTS, splits, made_from)
        print(
            f"{where.folder / config}: "
            + ", ".join(f"{rows:,} {split}" for split, (rows, _) in splits.items())
            + " prompts.",
            flush=True,
        )

    # Composing and compressing both run outside the interpreter's lock, so two configs at a time fill two cores.
    with ThreadPoolExecutor(2) as pool:
        pending = {pool.submit(build, *config) for config in wanted}
        try:
            while pending:
                done, pending = wait(pending, timeout=0.2)  # in short turns: Ctrl-C is seen between two of them
                for future in done:
                    future.result()
        except BaseException:  # Ctrl-C too: end what is under way, begin nothing else
            stopped.set()
            pool.shutdown(cancel_futures=True)
            raise


def _until(stopped: threading.Event, parts: Iterable[pa.Table]) -> Iterator[pa.Table]:
    for part in parts:
        if stopped.is_set():
            raise CancelledError
        yield part


def load_style(name: str):
    if name.startswith("_") or not (Path(styles.__path__[0]) / f"{name}.py").is_file():
        raise ValueError(f"There is no prompt style {name!r} in dataset_builders/prompts/.")
    return importlib.import_module(f"{styles.__name__}.{name}")


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
    users, items = (pl.from_arrow(store.read(folder, name)) for name in ("users", "items"))
    interactions = store.read(folder, "interactions", columns=["user_id", "item_id", "rating", "label"])
    user_id, item_id, rating, label = (interactions[c].to_numpy() for c in ("user_id", "item_id", "rating", "label"))
    return Sources(
        users=users,
        items=items,
        ratings=np.unique(rating),
        user_code=codes_of(user_id, users["user_id"].to_numpy(), "users have interactions but no row in users"),
        item_code=codes_of(item_id, items["item_id"].to_numpy(), "items have interactions but no row in items"),
        rating=rating,
        label=label,
        position=positions_within_user(user_id),
    )


def _made_from(where: FolderArguments, config: str, style: str, version: int) -> dict:
    inputs = ["users", "items", "interactions", table_name(config)]
    return {
        "corpus": where.corpus,
        "inputs": provenance.input_fingerprints(where.folder, inputs),
        "prompt_style": style,
        "prompt_version": version,
    }


def _parts(folder: Path, config: str, split: str, history_length: int, source: Sources, style, fragments):
    completions = pa.array(style.ANSWERS)
    for batch in store.iterate(folder, table_name(config), split, ROWS_PER_PART):
        sample_id = batch["sample_id"].to_numpy()
        positions, shown = shown_positions(batch["positions"], history_length)
        rows = (sample_id - source.position[sample_id])[:, None] + positions  # (S, K) rows of interactions
        text = style.prompts(
            fragments,
            source.user_code[sample_id],
            source.item_code[sample_id],
            source.item_code[rows],
            source.rating[rows],
            shown,
        )
        label = source.label[sample_id]
        yield pa.table(
            {"sample_id": sample_id, "prompt": text, "completion": completions.take(pa.array(label)), "label": label}
        )


def shown_positions(lists: pa.ListArray, history_length: int) -> tuple[np.ndarray, np.ndarray]:
    """Lists → (S, K) positions, 0 where unused, and (S, K) whether used."""
    counts = np.diff(lists.offsets.to_numpy())
    shown = np.arange(history_length) < counts[:, None]
    positions = np.zeros(shown.shape, dtype=np.int64)
    positions[shown] = lists.flatten().to_numpy()
    return positions, shown
