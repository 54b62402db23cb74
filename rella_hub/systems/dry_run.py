"""What scoring would cost: a few batches of a sample are scored and timed, and nothing is written."""

from __future__ import annotations

from itertools import chain

import numpy as np

from rella_hub.language_models.measured import footprint, measured
from rella_hub.stages.dry_run import SECONDS, Estimate, sample_of
from rella_hub.systems.scoring import scores_of
from rella_hub.systems.targets import Samples, columns_of

AT_ONCE = 32  # rows of a timed call


def estimate(system, samples: Samples, wanted: list[int]) -> Estimate:
    """wanted: the numbers of the systems that are scored in one pass."""
    o = samples.options
    if hasattr(system, "prepare"):
        system.prepare(samples.folder, o.config_name, o.split)
    chosen = samples.numbers[np.fromiter(chain(*sample_of(len(samples.numbers))), np.int64)]
    rows = samples.reader(["sample_id", "label", *columns_of(system)]).take(chosen)
    scores_of(system, rows.slice(0, AT_ONCE), wanted)  # loads the weights, and warms up
    before = getattr(system, "tokens", 0)
    seconds = memory = done = 0
    while done < len(rows) and seconds < SECONDS:
        with measured() as one:
            scores_of(system, rows.slice(done, AT_ONCE), wanted)
        seconds, memory = seconds + one.seconds, max(memory, one.memory)
        done = min(done + AT_ONCE, len(rows))
    return Estimate(
        unit="prompt",
        rows=len(samples.numbers),
        timed_rows=done,
        timed_tokens=getattr(system, "tokens", 0) - before,
        seconds=seconds,
        weights=footprint(system.model) if hasattr(system, "model") else 0,
        precision=system.identity.get("computed_in", "float32"),
        memory=memory,
    )
