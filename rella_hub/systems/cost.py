"""What a system costs: how many weights were trained, and how long a sample takes, one at a time and all at once, on this machine."""

from __future__ import annotations

import json
import platform
import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch

from rella_hub.files import ownership, places
from rella_hub.systems import facts_of
from rella_hub.systems.choice import load_system, places_of
from rella_hub.systems.score_options import SampleOptions, SystemOptions
from rella_hub.systems.scoring import scores_of
from rella_hub.systems.targets import columns_of, record_of, samples_of
from rella_hub.tables import checked, records
from rella_hub.tables.checked import COUNT, NUMBER, RECORD, group, optional

COST = "cost"  # what the file is recorded as
REPEATS = 3  # of the call with all samples, of which the median counts
KINDS = {
    "record": RECORD,
    "trainable_weights": optional(COUNT),
    "samples": COUNT,
    "milliseconds": group({"one_at_a_time": NUMBER, "batched": NUMBER}),
}


def measure(samples: SampleOptions, chosen: SystemOptions, family_options: list, count: int, overwrite: bool) -> None:
    """Time `count` seeded samples, and write what was found to --output."""
    if count < 1:
        raise ValueError(f"--timed_samples is {count}; at least 1 is needed.")
    if chosen.output is None:
        raise ValueError(
            "there is no file for what is measured. Give it with --output, such as runs/ml1m/costs/sim.json."
        )
    output = Path(chosen.output)
    places.check_file(output, reads=[samples.dataset, *places_of(chosen, family_options)])
    ownership.require_replaceable(output, COST, overwrite)
    system = load_system(chosen, family_options)
    data = samples_of(replace(samples, limit=count), system)
    if hasattr(system, "prepare"):
        system.prepare(data.folder, samples.config_name, samples.split)
    rows = data.reader(["sample_id", "label", *columns_of(system)]).take(data.numbers)
    scores_of(system, rows, [0])  # loads the weights, and warms up
    each = [_seconds(lambda at=at: scores_of(system, rows.slice(at, 1), [0])) for at in range(len(rows))]
    whole = [_seconds(lambda: scores_of(system, rows, [0])) for _ in range(REPEATS)]
    found = {
        "record": record_of(system, data, chosen.system),
        "trainable_weights": _trained_weights(chosen.model, system),
        "samples": len(rows),
        "milliseconds": {
            "one_at_a_time": 1000 * statistics.median(each),
            "batched": 1000 * statistics.median(whole) / len(rows),
        },
        "machine": _machine(),
    }
    with ownership.writing_file(output, COST, overwrite) as temporary:
        temporary.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    milliseconds = found["milliseconds"]
    print(
        f"{output}: {milliseconds['one_at_a_time']:,.2f} ms a sample one at a time, {milliseconds['batched']:,.2f} ms in a batch of "
        f"{len(rows):,}, {found['trainable_weights'] or 0:,} trained weights.",
        flush=True,
    )


def read_cost(path: Path) -> dict:
    """ValueError where the file is none of evaluation/cost.py."""
    found = records.read_record(path)
    missing = [key for key in KINDS if key not in (found or {})]
    if found is None or missing:
        raise ValueError(
            f"{path} {f'lacks {missing[0]}' if found else 'is not there'}. Give files of evaluation/cost.py."
        )
    return checked.require(found, KINDS, str(path))


def _seconds(work: Callable[[], object]) -> float:
    begin = time.perf_counter()
    work()  # its scores are numbers of NumPy, so a GPU is done with them, too
    return time.perf_counter() - begin


def _trained_weights(model: str | None, system) -> int | None:
    """None where it is not known; 0 for a base that is not tuned."""
    noted = getattr(system, "noted", {}).get("trainable_weights")
    if noted is not None or model is None:
        return noted if model or getattr(system, "adapters", []) else 0
    return facts_of(Path(model)).weights if Path(model).is_dir() else None


def _machine() -> str:
    if torch.cuda.is_available():
        return torch.cuda.get_device_name()
    return f"{platform.machine()}, {torch.get_num_threads()} threads"
