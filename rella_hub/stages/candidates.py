"""Samples → candidates: for each next-item question its target and items drawn at random, once and for all systems.

Uniform without replacement among all items but those that are kept out: items are drawn with replacement, and what is kept out or was drawn
already is rejected. Whole blocks of samples are drawn at a time; each has a generator of its own, so a block never depends on another one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from rella_hub.stages.arguments import CandidateArguments, FolderArguments
from rella_hub.tables import candidates, records, store
from rella_hub.tables.keys import codes_of
from rella_hub.tasks import NextItem, next_item_of

SAMPLES_PER_BLOCK = 20_000
SHOWN, HISTORY = EXCLUDES = ("shown", "history")
ROUNDS = 50  # of rejection; what is open then has few items left to draw from, and is drawn from those
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
        codes = draw(rng, kept_out.of(sample_id, position), kept_out.code(target), len(kept_out.items), size)
        item_ids = kept_out.items[codes]
        candidates.check(target, item_ids, folder / candidates.table_of(made_from["draw"]))
        lists = pa.FixedSizeListArray.from_arrays(pa.array(item_ids.ravel(), type=pa.int32()), size)
        yield pa.table({"sample_id": sample_id, "item_ids": lists})


@dataclass(frozen=True)
class _KeptOut:
    """Which items are no candidates of a sample beside its target: all of its user, or the latest that are shown."""

    items: np.ndarray  # (I,) ids, ascending
    user: np.ndarray  # (N,) a number for each user, of each interaction
    item: np.ndarray  # (N,) row in `items`, of each interaction
    shown: int | None  # how many are shown; None keeps out all of the user

    @staticmethod
    def read(folder: Path, items: np.ndarray, shown: int | None) -> _KeptOut:
        table = store.read(folder, "interactions", columns=["user_id", "item_id"])
        user, item = (column.to_numpy() for column in table.columns)
        codes = codes_of(item, items, "items have interactions but no row in items")
        return _KeptOut(items, np.cumsum(np.r_[False, user[1:] != user[:-1]]), codes, shown)

    def code(self, item_id: np.ndarray) -> np.ndarray:
        return codes_of(item_id, self.items, "target items have no row in items")

    def of(self, sample_id: np.ndarray, position: np.ndarray) -> np.ndarray:
        """Ascending keys ``sample * I + item`` of the pairs that are kept out, by the place of the sample in `sample_id` (S,)."""
        if self.shown is None:
            first = np.searchsorted(self.user, self.user[sample_id])
            count = np.searchsorted(self.user, self.user[sample_id], side="right") - first
        else:
            count = np.minimum(position, self.shown)
            first = sample_id - count
        sample = np.repeat(np.arange(len(sample_id)), count)
        place = np.arange(len(sample)) - np.repeat(np.cumsum(count) - count, count)
        return np.unique(sample * len(self.items) + self.item[np.repeat(first, count) + place])


def draw(rng: np.random.Generator, kept_out: np.ndarray, target: np.ndarray, items: int, size: int) -> np.ndarray:
    """(S, size) item codes in random order: `target` (S,) and others that are neither it nor kept out.

    kept_out: ascending keys ``sample * items + item``. ValueError where too few items are left.
    """
    rows = np.arange(len(target))
    refused = np.union1d(kept_out, rows * items + target)
    left = items - np.bincount(refused // items, minlength=len(target))
    if (left < size - 1).any():
        first = int(np.argmin(left))
        raise ValueError(
            f"{size} candidates are asked for, but {np.count_nonzero(left < size - 1)} samples have fewer items left to draw (the first has "
            f"{left[first]} of {items}). Ask for fewer with --num_candidates, or keep out only what is shown (--candidates_exclude shown)."
        )
    found = np.full((len(target), size), -1, dtype=np.int64)
    found[:, 0] = target
    filled = np.ones(len(target), dtype=np.int64)
    for _ in range(ROUNDS):
        if not len(open_ := np.flatnonzero(filled < size)):
            break
        _take(rng.integers(items, size=(len(open_), size)), open_, found, filled, refused, items)
    for row in np.flatnonzero(filled < size):
        taken = np.r_[refused[refused // items == row] % items, found[row, : filled[row]]]
        others = np.setdiff1d(np.arange(items), taken)
        found[row, filled[row] :] = rng.choice(others, size - filled[row], replace=False)
    return rng.permuted(found, axis=1)


def _take(
    drawn: np.ndarray, rows: np.ndarray, found: np.ndarray, filled: np.ndarray, refused: np.ndarray, items: int
) -> None:
    """Put into `found[rows]` what of `drawn` (R, size) is new there and not refused, in its order, as far as there is room."""
    size = found.shape[1]
    keys = rows[:, None] * items + drawn
    at = np.searchsorted(refused, keys).clip(max=max(len(refused) - 1, 0))
    good = refused[at] != keys
    both = np.concatenate([found[rows], np.where(good, drawn, -1)], axis=1)  # (R, 2 size)
    order = np.argsort(both, axis=1, kind="stable")
    ordered = np.take_along_axis(both, order, axis=1)
    first = np.ones(both.shape, dtype=bool)
    np.put_along_axis(first, order, np.c_[np.ones(len(rows), bool), ordered[:, 1:] != ordered[:, :-1]], axis=1)
    good &= first[:, size:]
    place = filled[rows, None] + np.cumsum(good, axis=1) - 1
    good &= place < size
    row, column = np.nonzero(good)
    found[rows[row], place[row, column]] = drawn[row, column]
    filled[rows] += good.sum(axis=1)
