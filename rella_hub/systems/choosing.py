"""Any system that chooses on the questions of a split → its file of choices: chunk by chunk, resumed, the same file to the last byte.

A system that chooses is what `rella_hub.systems` says, with

    choices(rows)    -> a mapping of columns: scores (n, C), or chosen_item_id (n,) with -1 for no valid answer, and generated (n,) texts

in place of `scores`. `rows` is a pyarrow table of sample_id, user_id, position, target_item_id, item_ids and, where the system has
`columns`, those of the config. Who is given scores alone chooses the highest; with `chosen_item_id` beside them that is the choice.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from rella_hub.files import places
from rella_hub.files.writer import sole_writer
from rella_hub.hub import resolve as hub
from rella_hub.stages.chunks.parts import Parts
from rella_hub.stages.chunks.processes import processes
from rella_hub.stages.chunks.run import Advance, Work, run
from rella_hub.systems.choice import load_system, places_of
from rella_hub.systems.score_options import RunOptions, SampleOptions, SystemOptions
from rella_hub.systems.targets import NOT_PINNED, default_output
from rella_hub.tables import candidates, records, shots, store
from rella_hub.tables.choices import NONE, best, read_record, require_choice_file, write_choices
from rella_hub.tables.rows import RowReader

ROWS_PER_CHUNK = 256


@dataclass(frozen=True)
class Asked:
    """The questions that are asked, in stored order."""

    folder: Path
    options: SampleOptions

    @property
    def draw(self) -> int:
        return draw_of(self.options.config_name)

    @property
    def numbers(self) -> np.ndarray:
        o = self.options
        return shots.seeded_numbers(self.folder, candidates.table_of(self.draw), o.split, o.limit, o.seed)

    def read(self) -> pa.Table:
        """All of them."""
        found = candidates.read_questions(self.folder, self.options.split, self.draw)
        columns = {
            "sample_id": found.sample_id,
            "user_id": found.user_id,
            "position": found.position,
            "target_item_id": found.target,
            "item_ids": _lists(found.item_ids),
        }
        return pa.table(columns).take(self.numbers)


def draw_of(config_name: str) -> int:
    """The draw of candidates that a config asks; ValueError where it asks for no next item."""
    config = candidates.parse_config(config_name)
    draw = config.draw if config else candidates.draw_of(config_name)
    if draw is None:
        raise ValueError(
            f"--config_name is {config_name!r}, which holds no next-item questions. Expected one such as next_item_k10, "
            "next_item_k10_draw1 or candidates."
        )
    return draw


def columns_of(system) -> list[str]:
    """The columns of the config that it reads: `choice_columns` where it has others to score whether a user will like an item."""
    return list(getattr(system, "choice_columns", system.columns))


def make_choices(samples: SampleOptions, chosen: SystemOptions, options: RunOptions, family_options: list) -> None:
    """Write the file of choices that is asked for, unless it is there from the very same inputs."""
    samples.check()
    options.check()
    draw = draw_of(samples.config_name)
    if chosen.shard is not None or options.dry_run:
        raise ValueError("--shard and --dry_run are options of evaluation/score.py; choices are not made in shards.")
    system = load_system(chosen, family_options)
    if not hasattr(system, "choices"):
        raise ValueError(
            f"{chosen.model or 'The base model'} is of the family {system.family}, which scores whether a user will like an item and "
            "chooses none. Use evaluation/score.py."
        )
    tables = [samples.config_name, candidates.table_of(draw), "samples", "interactions", *system.tables]
    folder = hub.resolve(samples.dataset, list(dict.fromkeys(tables)), samples.dataset_revision)
    for name in dict.fromkeys(tables[:2]):
        records.require_current(folder, name)
    asked = Asked(folder, samples)
    record = record_of(system, asked, chosen.system)
    output = Path(chosen.output) if chosen.output else _default_output(record)
    places.check_file(output, reads=[samples.dataset, *places_of(chosen, family_options)])
    size = options.rows_per_chunk or getattr(system, "rows_per_chunk", ROWS_PER_CHUNK)
    _write(output, asked, system, record, options, size)


def _default_output(record: dict) -> Path:
    usual = default_output(record)
    return usual.parent.with_name("choices") / usual.name


def record_of(system, asked: Asked, name: str | None = None) -> dict:
    """Everything that pins the choices of a system, a fingerprint of it, and what else is said of them."""
    made_from = store.made_from(asked.folder, candidates.table_of(asked.draw))
    pinned = {
        **asdict(asked.options),
        "corpus": made_from["corpus"],
        "draw": asked.draw,
        "candidates_fingerprint": made_from["fingerprint"],
        **{"base": None, "adapter": None},
        **system.identity,
    }
    if columns_of(system):
        pinned["prompts_fingerprint"] = store.made_from(asked.folder, asked.options.config_name)["fingerprint"]
    return {
        **pinned,
        "system": name or system.name,
        "training_samples": system.training_samples,
        **getattr(system, "noted", {}),
        "dataset_folder": str(asked.folder),
        "fingerprint": store.fingerprint(pinned),
    }


def _write(output: Path, asked: Asked, system, record: dict, options: RunOptions, size: int) -> None:
    pinned = {key: value for key, value in record.items() if key not in NOT_PINNED}
    require_choice_file(output)
    group, rows = processes(), len(asked.numbers)
    if not options.overwrite and output.exists() and records.is_current(output, read_record(output), pinned, False):
        return
    parts = Parts(output, {**pinned, "fingerprint": record["fingerprint"]}, rows, size)
    with sole_writer(output, beside=True):
        parts.open(options.overwrite)
        try:
            job = Job(system, asked, parts, str(Path.cwd()))
            rate = run(job, [parts], range(parts.chunks), group, "question", options.engine, options.workers)
        finally:
            parts.remove_if_empty()
        table = pa.concat_tables(part for part, _ in parts.read(range(parts.chunks)))
        write_choices(output, table, record)
        parts.remove()
    speed = f", {rate:,.1f} questions/s" if rate else ""
    print(f"{output}: {rows:,} choices{speed}.", flush=True)


@dataclass(frozen=True)
class Job:
    """The work on chunks of questions."""

    system: object
    asked: Asked
    parts: Parts
    at: str  # the folder that names of models and data sets are relative to

    def __call__(self) -> Work:
        if Path.cwd() != Path(self.at):
            os.chdir(self.at)
        o, system = self.asked.options, self.system
        if hasattr(system, "prepare"):
            system.prepare(self.asked.folder, o.config_name, o.split)
        questions, numbers = self.asked.read(), self.asked.numbers
        columns = columns_of(system)
        reader = RowReader(self.asked.folder, o.config_name, o.split, ["sample_id", *columns]) if columns else None

        def work(chunk: int, advance: Advance) -> None:
            begin, end = self.parts.bounds(chunk)
            rows = questions.slice(begin, end - begin)
            for name in columns:
                rows = rows.append_column(name, reader.take(numbers[begin:end])[name])
            before = getattr(system, "tokens", 0)
            table = complete(rows, system.choices(rows))
            tokens = getattr(system, "tokens", 0) - before
            self.parts.write(chunk, table, tokens)
            advance(len(rows), tokens)

        return work


def complete(rows: pa.Table, found: Mapping[str, object]) -> pa.Table:
    """The columns of the table of choices, of questions and what a system found."""
    item_ids, scores = candidates.matrix(rows["item_ids"]), found.get("scores")
    chosen = found.get("chosen_item_id")
    if chosen is None:
        assert scores is not None, "a system that chooses gives scores or choices"
        chosen = best(item_ids, np.asarray(scores))
    generated = found.get("generated")
    return pa.table(
        {
            **{name: rows[name] for name in ("sample_id", "user_id", "target_item_id")},
            "item_ids": rows["item_ids"],
            "scores": pa.nulls(len(rows), pa.list_(pa.float64()))
            if scores is None
            else _lists(np.asarray(scores, float)),
            "chosen_item_id": pa.array(np.asarray(chosen, np.int64), mask=np.asarray(chosen) == NONE),
            "generated": pa.nulls(len(rows), pa.string()) if generated is None else pa.array(generated, pa.string()),
        }
    )


def _lists(values: np.ndarray) -> pa.ListArray:
    """(n, C) → lists."""
    offsets = np.arange(len(values) + 1, dtype=np.int32) * values.shape[1]
    return pa.ListArray.from_arrays(offsets, pa.array(values.ravel()))
