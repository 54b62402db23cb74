"""Any systems on any split → score files: chunk by chunk, resumed, by one process or many, the same file to the last byte.

A system is what `rella_hub.systems` says. Beside that it may have

    read_from         table that its rows are read from instead of the config, where it reads no prompt
    columns           columns of the config that it reads, beside sample_id and label. Default: ("prompt",)
    rows_per_chunk    samples that are scored and kept at a time. Default: 1,024
    tokens            how many it has read so far
    model             its torch module, once the first chunk is scored, for a dry run to weigh
    progress          set to a function that is to be called with the rows and tokens of each batch
    noted             what its record says beside its identity
    scores_of(rows, wanted)   (W, n): the scores of several systems in one pass, by their numbers in `scored`, a list of them
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa

from rella_hub.files.writer import sole_writer
from rella_hub.stages.chunks.parts import Parts
from rella_hub.stages.chunks.processes import processes
from rella_hub.stages.chunks.run import Advance, Work, run
from rella_hub.systems.score_options import RunOptions
from rella_hub.systems.targets import Samples, Target, columns_of
from rella_hub.tables import records, store
from rella_hub.tables.constant import is_constant
from rella_hub.tables.scores import users_of, write_scores

ROWS_PER_CHUNK = 1024


@dataclass(frozen=True)
class Job:
    """The work on chunks, as it travels to the workers: `open` gives the system, `targets` its score files."""

    open: Callable[[], object]
    samples: Samples
    parts: tuple[Parts, ...]
    at: str  # the folder that names of models and data sets are relative to

    def __call__(self) -> Work:
        if Path.cwd() != Path(self.at):  # a worker of an engine stands elsewhere
            os.chdir(self.at)
        system = self.open()
        self._require_same(system)
        o = self.samples.options
        if hasattr(system, "prepare"):
            system.prepare(self.samples.folder, o.config_name, o.split)
        reader = self.samples.reader(["sample_id", "label", *columns_of(system)])

        def work(chunk: int, advance: Advance) -> None:
            begin, end = self.parts[0].bounds(chunk)
            rows = reader.take(self.samples.numbers[begin:end])
            wanted = [number for number, one in enumerate(self.parts) if not one.has(chunk)]
            told = _Told(advance)
            system.progress, before = told, getattr(system, "tokens", 0)
            scores = scores_of(system, rows, wanted)
            tokens = getattr(system, "tokens", 0) - before
            for number, score in zip(wanted, scores, strict=True):
                table = pa.table({"sample_id": rows["sample_id"], "label": rows["label"], "score": score})
                self.parts[number].write(chunk, table, tokens)
            advance(len(rows) - told.rows, tokens - told.tokens)

        return work

    def _require_same(self, system) -> None:
        """ValueError where a worker's system is another one, or computes otherwise, than the one that the run is of."""
        for one, parts in zip(getattr(system, "scored", [system]), self.parts, strict=True):
            here = {key: parts.made_from.get(key) for key in one.identity}
            if here != (found := json.loads(json.dumps(one.identity))):
                raise ValueError(
                    f"A worker has another system than this process: {records.difference(found, here)}. All need the same files under the "
                    "same names, the same libraries and the same kind of processor."
                )


class _Told:
    """What was told of a chunk before its end."""

    def __init__(self, advance: Advance):
        self._advance, self.rows, self.tokens = advance, 0, 0

    def __call__(self, rows: int, tokens: int) -> None:
        self.rows, self.tokens = self.rows + rows, self.tokens + tokens
        self._advance(rows, tokens)


def scores_of(system, rows: pa.Table, wanted: list[int]) -> Sequence[np.ndarray]:
    return system.scores_of(rows, wanted) if hasattr(system, "scores_of") else [system.scores(rows)]


def rows_per_chunk(system, options: RunOptions) -> int:
    options.check()
    return options.rows_per_chunk or getattr(system, "rows_per_chunk", ROWS_PER_CHUNK)


def write_score_files(
    targets: Sequence[Target],
    samples: Samples,
    open_system: Callable[[list[int]], object],
    options: RunOptions,
    size: int,
) -> None:
    """Score what is missing of `targets` in chunks of `size` samples, and write each file whole or not at all.

    open_system: gives the system of the targets with these numbers; where an engine sends it to other processes, a function that
    they can import, with plain values.
    """
    options.check()
    group = processes()
    every = [
        Parts(one.path, {**one.pinned, "fingerprint": one.record["fingerprint"]}, len(samples.numbers), size)
        for one in targets
    ]
    chunks = targets[0].chunks(every[0].chunks)
    with ExitStack() as locks:
        if group.is_first:
            _open(targets, every, options.overwrite, locks)
        group.wait()
        missing = [number for number, one in enumerate(every) if one.is_open()]
        if not missing:
            return
        parts = [every[number] for number in missing]
        at_home = replace(samples, folder=samples.folder.absolute())
        job = Job(partial(open_system, missing), at_home, tuple(parts), str(Path.cwd()))
        try:
            rate = run(job, parts, chunks, group, "prompt", options.engine, options.workers)
        finally:
            if group.is_first:
                for one in parts:
                    one.remove_if_empty()
        if group.is_first:
            for number in missing:
                _require_unchanged(samples, targets[number], every[number])
                scores = _join(targets[number], every[number], chunks, samples)
                speed = f", {rate:,.1f} prompts/s" if rate else ""
                print(f"{targets[number].path}: {scores:,} scores{speed}.", flush=True)


def _open(targets: Sequence[Target], parts: Sequence[Parts], overwrite: bool, locks: ExitStack) -> None:
    """Make ready the folders of those targets that are not current, and see to it that nobody else writes them."""
    for target, one in zip(targets, parts, strict=True):
        if target.is_current(overwrite):
            one.remove()  # a run that was killed just before its end leaves it
            continue
        locks.enter_context(sole_writer(target.path, beside=True))
        one.open(overwrite)


def _require_unchanged(samples: Samples, target: Target, parts: Parts) -> None:
    """ValueError, and the chunks removed, where the data set has been replaced since the record was made."""
    table = samples.options.config_name if "prompts_fingerprint" in target.record else "samples"
    now = store.provenance(samples.folder, table) or {}
    known = target.record.get("prompts_fingerprint", target.record.get("samples_fingerprint"))
    if now.get("fingerprint") != known:
        parts.remove()
        raise ValueError(
            f"{samples.folder / table} was replaced while it was scored, so its scores are of two builds. They are removed; run again."
        )


def _join(target: Target, parts: Parts, chunks: range, samples: Samples) -> int:
    """Write the score file and remove its chunks; how many scores it has."""
    tables, tokens = zip(*parts.read(chunks), strict=True)
    table = pa.concat_tables(tables)
    record = target.record | ({"tokens": sum(tokens)} if any(tokens) else {})
    sample_id, label, score = (table[name].to_numpy() for name in ("sample_id", "label", "score"))
    user_id = users_of(samples.folder, samples.options.split, sample_id)
    write_scores(target.path, sample_id, user_id, label, score, record)
    parts.remove()
    if "prompts_fingerprint" in record and is_constant(score) and _prompts_differ(samples):
        print(
            f"WARNING: {record['system']} gives every prompt the same score ({score[0]:.6f}), so it tells nothing: its weights or their "
            "number format (try --dtype float32) are at fault, or its prompts do not come through.",
            file=sys.stderr,
        )
    return len(score)


def _prompts_differ(samples: Samples) -> bool:
    some = samples.reader(["prompt"]).take(samples.numbers[:ROWS_PER_CHUNK])
    return len(set(some["prompt"].to_pylist())) > 1
