"""One system on one split → its score file, or one shard of it."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from rella_hub.cli import refuse_without
from rella_hub.files import places
from rella_hub.systems.choice import load_system, places_of
from rella_hub.systems.dry_run import estimate
from rella_hub.systems.score_options import RunOptions, SampleOptions, SystemOptions
from rella_hub.systems.scoring import rows_per_chunk, write_score_files
from rella_hub.systems.shards import Shard
from rella_hub.systems.targets import Target, default_output, record_of, samples_of


def make_scores(samples: SampleOptions, chosen: SystemOptions, run: RunOptions, family_options: list) -> None:
    """Write the score file that is asked for, unless it is there from the very same inputs."""
    shard = Shard.parse(chosen.shard)
    refuse_without("--limit", samples, ["seed"] if samples.limit is None else [])
    refuse_without("--model", chosen, [] if chosen.model else ["model_revision"])
    for one in family_options:
        if hasattr(one, "adapter"):
            refuse_without("--adapter", one, [] if one.adapter else ["adapter_revision"])
    system = load_system(chosen, family_options)
    data = samples_of(samples, system)
    if run.dry_run:
        estimate(system, data, [0]).say()
        return
    record = record_of(system, data, chosen.system)
    output = Path(chosen.output) if chosen.output else default_output(record)
    size = rows_per_chunk(system, run)
    if shard is not None:
        output = shard.path(output)
        record |= {"shard": shard.record(len(data.numbers), size)}
    places.check_file(output, reads=[samples.dataset, *places_of(chosen, family_options)])
    # To another process goes what the system is made from.
    open_system = partial(_the, system) if run.engine == "local" else partial(_load, chosen, family_options)
    write_score_files([Target(output, record)], data, open_system, run, size)


def _the(system, numbers: list[int]):
    return system


def _load(chosen: SystemOptions, family_options: list, numbers: list[int]):
    return load_system(chosen, family_options)


def write_scores_of(system, samples: SampleOptions, output: Path, name: str, run: RunOptions) -> None:
    """The same of a system that is here already, in this process."""
    data = samples_of(samples, system)
    places.check_file(output, reads=[samples.dataset])
    target = Target(output, record_of(system, data, name))
    write_score_files([target], data, partial(_the, system), run, rows_per_chunk(system, run))
