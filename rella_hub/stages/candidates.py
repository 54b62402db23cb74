"""Samples → candidates: for each next-item question its target and items drawn at random, once and for all systems.

Uniform without replacement among all items but those that are kept out: items are drawn with replacement, and what is kept out or was drawn
already is rejected. Whole blocks of samples are drawn at a time; each has a generator of its own, so a block never depends on another one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from rella_hub.stages.arguments import CandidateArguments, FolderArguments
from rella_hub.tables import candidates, records, store
from rella_hub.tables.keys import codes_of
from rella_hub.tasks import NextItem, next_item_of

SAMPLES_PER_BLOCK = 20_000
SHOWN, HISTORY = EXCLUDES = ("shown", "history")
ROUNDS = 50  # of rejection; what is open then has few items left to draw from, and is drawn from those
NONE = -1
INPUTS = ("items", "interactions", "samples")


def require_next_item(folder: Path) -> NextItem:
    """What the protocol of a data set says of candidates. ValueError where its samples ask something else."""
    task = store.made_from(folder, "samples")["rules"]["protocol"]
    asked = next_item_of(task)
    if asked is None:
        raise ValueError(
            f"The samples of {folder} are those of the task {task}, which asks whether a user will like an item. Prepare a next-item task: "
            "python dataset_builders/release.py --task next_item (in a folder of its own: --output)."
        )
    return asked


def draw_candidates(where: FolderArguments, options: CandidateArguments) -> None:
    """Write a table of candidates for each draw that is asked for."""
    check(options)
    asked = require_next_item(where.folder)
    size = options.num_candidates or asked.candidates
    for draw in range(options.candidate_draws):
        made_from = {
            "corpus": where.corpus,
            "inputs": records.input_fingerprints(where.folder, list(INPUTS)),
            "candidates": size,
            "excluded": options.candidates_exclude,
            "seed": store.made_from(where.folder, "samples")["seed"],
            "draw": draw,
            **({"shown": asked.history_length} if options.candidates_exclude == SHOWN else {}),
        }
        if not records.stands(where.folder, candidates.table_of(draw), made_from, where.overwrite):
            _write(where.folder, asked, made_from)


def check(options: CandidateArguments) -> None:
    """ValueError for options that no table can be drawn by."""
    if options.candidates_exclude not in EXCLUDES:
        raise ValueError(
            f"--candidates_exclude is {options.candidates_exclude!r}; expected one of {', '.join(EXCLUDES)}."
        )
    if options.num_candidates is not None and options.num_candidates < candidates.FEWEST:
        raise ValueError(f"--num_candidates is {options.num_candidates}; a choice needs at least {candidates.FEWEST}.")
    if options.candidate_draws < 1:
        raise ValueError(f"--candidate_draws is {options.candidate_draws}; at least 1 is needed.")


def _write(folder: Path, asked: NextItem, made_from: dict) -> None:
    name, size = candidates.table_of(made_from["draw"]), made_from["candidates"]
    splits = [split for split in asked.candidates_of if split in store.table_splits(folder, "samples")]
    rows = {split: store.count_rows(folder, "samples", split) for split in splits}
    items = np.sort(store.read(folder, "items", columns=["item_id"])["item_id"].to_numpy())
    kept_out = _KeptOut.read(folder, items, made_from.get("shown"))
    with store.writing(folder, name, candidates.schema(size), rows, made_from) as writer:
        for shard in writer.shards:
            number = splits.index(shard.split)
            writer.write(shard, _parts(folder, shard, kept_out, made_from, number))
    print(f"{folder / name}: {', '.join(f'{n:,} {split}' for split, n in rows.items())} rows of {size}.", flush=True)


def _parts(folder: Path, shard: store.Shard, kept_out: _KeptOut, made_from: dict, split: int) -> Iterator[pa.Table]:
    size = made_from["candidates"]
    for begin in range(shard.begin, shard.end, SAMPLES_PER_BLOCK):
        end = min(begin + SAMPLES_PER_BLOCK, shard.end)
        rows = store.read_rows(folder, "samples", begin, end, shard.split, ["sample_id", "position", "item_id"])
        sample_id, position, target = (column.to_numpy() for column in rows.columns)
        rng = np.random.default_rng([made_from["seed"], made_from["draw"], split, begin])
        codes = draw(rng, *kept_out.of(sample_id, position), kept_out.code(target), len(kept_out.items), size)
        item_ids = kept_out.items[codes]
        candidates.check(target, item_ids, folder / candidates.table_of(made_from["draw"]))
        lists = pa.FixedSizeListArray.from_arrays(pa.array(item_ids.ravel(), type=pa.int32()), size)
        yield pa.table({"sample_id": sample_id, "item_ids": lists})


@dataclass(frozen=True)
class _KeptOut:
    """Which items are no candidates of a sample: all of its user, or the latest that are shown and the target."""

    items: np.ndarray  # (I,) ids, ascending
    user: np.ndarray  # (N,) a number for each user, of each interaction
    item: np.ndarray  # (N,) row in `items`, of each interaction
    of_users: np.ndarray  # ascending keys ``user * I + item``
    shown: int | None  # how many are shown; None keeps out all of the user

    @staticmethod
    def read(folder: Path, items: np.ndarray, shown: int | None) -> _KeptOut:
        table = store.read(folder, "interactions", columns=["user_id", "item_id"])
        user_id, item_id = (column.to_numpy() for column in table.columns)
        item = codes_of(item_id, items, "items have interactions but no row in items")
        user = np.cumsum(np.r_[False, user_id[1:] != user_id[:-1]])
        return _KeptOut(items, user, item, _sorted_set(user * len(items) + item), shown)

    def code(self, item_id: np.ndarray) -> np.ndarray:
        return codes_of(item_id, self.items, "target items have no row in items")

    def of(self, sample_id: np.ndarray, position: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(S,) which set each sample has, and ascending keys ``set * I + item`` of what is in the sets."""
        if self.shown is None:
            return self.user[sample_id], self.of_users
        count: Any = np.minimum(position, self.shown) + 1  # and the target
        sets = np.repeat(np.arange(len(sample_id)), count)
        place = np.arange(len(sets)) - np.repeat(np.cumsum(count), count)  # -count ... -1
        behaviors = np.repeat(sample_id + 1, count) + place
        return np.arange(len(sample_id)), _sorted_set(sets * len(self.items) + self.item[behaviors])


def _sorted_set(keys: np.ndarray) -> np.ndarray:
    """The distinct keys, ascending. (np.unique hashes integers, which takes a hundred times as long on keys as alike as these.)"""
    ordered = np.sort(keys)
    return ordered[np.r_[True, ordered[1:] != ordered[:-1]][: len(ordered)]]


def draw(
    rng: np.random.Generator, owner: np.ndarray, refused: np.ndarray, target: np.ndarray, items: int, size: int
) -> np.ndarray:
    """(S, size) item codes in random order: `target` (S,), and others that are not in the set `owner` (S,) of the sample.

    refused: ascending keys ``set * items + item``, the target in the set too. ValueError where too few items are left.
    """
    left = (items - np.bincount(refused // items, minlength=owner.max(initial=0) + 1))[owner]
    if (left < size - 1).any():
        first = int(np.argmax(left < size - 1))
        raise ValueError(
            f"{size} candidates are asked for, {np.count_nonzero(left < size - 1)} samples have fewer items left (the first "
            f"has {left[first]} of {items}). Ask for fewer with --num_candidates, or keep out what is shown alone (--candidates_exclude "
            "shown)."
        )
    found = np.full((len(target), size), NONE, dtype=np.int64)
    found[:, 0] = target
    filled = np.ones(len(target), dtype=np.int64)
    for _ in range(ROUNDS):
        if not len(open_ := np.flatnonzero(filled < size)):
            break
        drawn = rng.integers(items, size=(len(open_), size))
        keys = owner[open_, None] * items + drawn
        known = refused[np.searchsorted(refused, keys).clip(max=len(refused) - 1)] == keys
        _take(np.where(known, NONE, drawn), open_, found, filled)
    for row in np.flatnonzero(filled < size):
        own = refused[refused // items == owner[row]] % items
        others = np.setdiff1d(np.arange(items), np.r_[own, found[row, : filled[row]]])
        found[row, filled[row] :] = rng.choice(others, size - filled[row], replace=False)
    return rng.permuted(found, axis=1)


def _take(drawn: np.ndarray, rows: np.ndarray, found: np.ndarray, filled: np.ndarray) -> None:
    """Put into `found[rows]` what of `drawn` (R, size) is new there, in its order, as far as there is room."""
    size = found.shape[1]
    both = np.concatenate([found[rows], drawn], axis=1)  # (R, 2 size)
    order = np.argsort(both, axis=1, kind="stable")
    ordered = np.take_along_axis(both, order, axis=1)
    new = np.empty(both.shape, dtype=bool)
    np.put_along_axis(new, order, np.c_[np.ones(len(rows), bool), ordered[:, 1:] != ordered[:, :-1]], axis=1)
    good = new[:, size:] & (drawn != NONE)
    place = filled[rows, None] + np.cumsum(good, axis=1) - 1
    good &= place < size
    row, column = np.nonzero(good)
    found[rows[row], place[row, column]] = drawn[row, column]
    filled[rows] += good.sum(axis=1)
