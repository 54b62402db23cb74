"""SUBR over all of MovieLens-1M (K = 30, width 384) against the bare matrix products of every user.

The products alone are the least that SUBR must do; what is above them is the search for the K largest.

example: python benchmarks/subr.py --dataset rella/ml1m
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from harness import markdown, timing

from rella_hub import cli
from rella_hub.cli.options import option
from rella_hub.stages.arguments import EngineArguments
from rella_hub.stages.engines import local
from rella_hub.tables import store
from rella_hub.tables.histories import positions_within_user
from rella_hub.views import subr

WIDTH, HISTORY_LENGTH, MINIMUM_HISTORY = 384, 30, 5
USERS_PER_BLOCK = 64


@dataclass(frozen=True)
class Arguments:
    dataset: str = option("The built data set folder; its interactions are used.", "rella/ml1m")
    runs: int = option("Counted turns.", 5)


def main() -> None:
    (options,) = cli.parse(Arguments, description=__doc__)
    interactions = store.read(Path(options.dataset), "interactions", columns=["user_id", "item_id"])
    user_id, item_id = (interactions[c].to_numpy() for c in ("user_id", "item_id"))
    ids, item_code = np.unique(item_id, return_inverse=True)
    vectors = np.random.default_rng(0).standard_normal((len(ids), WIDTH)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    position = positions_within_user(user_id)
    sample_id = np.flatnonzero(position >= MINIMUM_HISTORY)
    starts = np.flatnonzero(position == 0)
    bounds = list(zip(starts, np.r_[starts[1:], len(position)], strict=True))

    code, distinct = subr.distinct_vectors(vectors)
    vector_code = code[item_code]

    def search_of(users: slice) -> None:
        rows = sample_id[slice(*np.searchsorted(sample_id, [bounds[users.start][0], bounds[users.stop - 1][1]]))]
        at = position[rows]
        subr.closest_distinct(at, rows - at, vector_code, distinct, HISTORY_LENGTH, "cosine")

    def search() -> None:
        blocks = [
            slice(first, min(first + USERS_PER_BLOCK, len(bounds))) for first in range(0, len(bounds), USERS_PER_BLOCK)
        ]
        local.run(search_of, blocks, EngineArguments().parallel, "SUBR")

    def products() -> None:
        for begin, end in bounds:
            mine = vectors[item_code[begin:end]]
            mine @ mine.T

    times = timing.interleaved({"SUBR": search, "products": products}, options.runs)
    ratio = timing.median_ratio(times["SUBR"], times["products"])
    markdown.write(
        "subr",
        "SUBR against the bare matrix products",
        f"{len(sample_id):,} samples of {len(bounds):,} users, K = {HISTORY_LENGTH}, {len(ids):,} vectors of width {WIDTH}; "
        f"median of {options.runs} interleaved runs (range).",
        [
            ("one matrix product a user", times["products"], "1.00"),
            ("SUBR, all samples", times["SUBR"], f"{ratio:.2f}"),
        ],
        ("", "time", "ratio"),
        f"SUBR takes {ratio:.2f} times the bare products (aim: at most 4), {len(sample_id) / times['SUBR'].median:,.0f} samples/s; peak "
        f"memory of the process {timing.peak_memory_gb():.2f} GB (aim: at most 2).",
    )


if __name__ == "__main__":
    cli.run(main)
