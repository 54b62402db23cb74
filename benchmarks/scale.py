"""MovieLens-25M's size: prepare, SUBR of every sample and the published prompts, over archives of four sizes.

Raw archives of MovieLens-25M's shape are generated (benchmarks/generated_archive.py). Beside the stages, in the same run: the bare
matrix products that SUBR cannot do without, and the per-row way (a loop over samples that gathers the history's vectors,
multiplies and sorts) on a sample, extrapolated. Item vectors are random, of width 384: encoding is not measured.

example: python benchmarks/scale.py --archives archives
"""

from __future__ import annotations

import shutil
import statistics
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import matplotlib
import matplotlib.ticker
import numpy as np
from harness import large_dataset, markdown, movielens_25m, processes
from harness.large_dataset import ALL, WIDTH
from threadpoolctl import threadpool_limits

from rella_hub import cli
from rella_hub.cli.options import option
from rella_hub.stages.arguments import EngineArguments
from rella_hub.stages.engines import local
from rella_hub.tables import store
from rella_hub.tables.histories import positions_within_user
from rella_hub.views import subr

HISTORY_LENGTH, MINIMUM_HISTORY = 30, 5
LOOPED = 3_000  # samples of the per-row way


@dataclass(frozen=True)
class Arguments:
    archives: str = option("Folder of the generated archives; what is missing there is made.", "archives")
    users: list[int] = option("Sizes, in users.", [6_502, 26_007, 65_016, movielens_25m.USERS])


@dataclass(frozen=True)
class Measured:
    samples: int
    history: float  # earlier behaviors of a sample, mean
    prepare: processes.Run
    subr: processes.Run
    prompts: processes.Run
    products: float  # seconds
    looped: float  # seconds, extrapolated to all samples


def main() -> None:
    (options,) = cli.parse(Arguments, description=__doc__)
    measured = [_measure(large_dataset.archive(Path(options.archives), users)) for users in sorted(options.users)]
    _draw(measured, markdown.RESULTS / "scale.png")
    largest = measured[-1]
    seconds = largest.prepare.seconds + largest.subr.seconds
    peak = max(run.peak_gb for run in (largest.prepare, largest.subr, largest.prompts))
    markdown.write(
        "scale",
        "From one million to 25 million ratings",
        "Stages as whole processes, on generated archives of MovieLens-25M's shape; "
        f"K = {HISTORY_LENGTH}, vectors of width {WIDTH}, one run each. Prompts are the published ones (90,000, 10,000 and 70,000, or what "
        "there is), with the card. Products: the matrix products "
        f"of every target with its earlier behaviors, two threads. Per row: a loop over {LOOPED:,} random samples that gathers, "
        "multiplies and sorts, extrapolated to all of them and divided by the number of cores.",
        [_row(m) for m in measured],
        (
            "samples",
            "mean history",
            "prepare",
            "SUBR, all samples",
            "prompts",
            "SUBR, µs a sample",
            "products",
            "SUBR / products",
            "per row",
            "per row / SUBR",
        ),
        f"{largest.samples:,} samples: prepare and SUBR together {seconds / 60:.1f} min (aim: 15), "
        f"prompts {largest.prompts.seconds:.0f} s more (aim: 60), at most {peak:.1f} GB (aim: 8). {_flatness(measured)}"
        "\n\n![Cost of a sample over the size of the corpus](scale.png)",
    )


def _measure(archive: Path) -> Measured:
    with tempfile.TemporaryDirectory(dir=archive.parent) as scratch:
        folder = Path(scratch) / "ml25m"
        where = ("--corpus", "ml25m", "--output", folder)
        prepare = processes.run("dataset_builders/prepare.py", *where, "--raw", archive)
        large_dataset.write_random_vectors(folder)
        views = processes.run("dataset_builders/view.py", *where, "--view", "subr", *ALL)
        prompts = processes.run("dataset_builders/prompt.py", *where, "--view", "subr")
        for name in ("view_subr_k30", "subr_k30"):
            shutil.rmtree(folder / name)
        position, item_code, vectors = _bare(folder)
        samples = np.flatnonzero(position >= MINIMUM_HISTORY)
        print(f"{len(samples):,} samples: prepare {prepare}, SUBR {views}, prompts {prompts}", flush=True)
        return Measured(
            samples=len(samples),
            history=float(position[samples].mean()),
            prepare=prepare,
            subr=views,
            prompts=prompts,
            products=_products(position, item_code, vectors),
            looped=_loop(position, item_code, vectors, samples),
        )


def _bare(folder: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(N,) position and row in the vectors of each interaction, and the vectors."""
    interactions = store.read(folder, "interactions", columns=["user_id", "item_id"])
    table = store.read(folder, "item_vectors").combine_chunks()
    vectors = table["vector"].combine_chunks().flatten().to_numpy().reshape(len(table), WIDTH)
    item_code = np.searchsorted(table["item_id"].to_numpy(), interactions["item_id"].to_numpy()).astype(np.int32)
    return positions_within_user(interactions["user_id"].to_numpy()), item_code, vectors


def _products(position: np.ndarray, item_code: np.ndarray, vectors: np.ndarray) -> float:
    """Seconds for the products of every target with its earlier behaviors, in the blocks that SUBR takes."""
    starts = np.flatnonzero(position == 0)
    bounds = np.r_[starts, len(position)]
    tasks = [range(first, min(first + 1_000, len(starts))) for first in range(0, len(starts), 1_000)]

    def multiply(users: range) -> None:
        for user in users:
            mine = vectors[item_code[bounds[user] : bounds[user + 1]]]
            for first in range(0, len(mine), subr.TARGETS_PER_BLOCK):
                block = mine[first : first + subr.TARGETS_PER_BLOCK]
                block @ mine[: first + len(block)].T

    begin = time.perf_counter()
    local.run(multiply, tasks, EngineArguments().parallel, "products")
    return time.perf_counter() - begin


def _loop(position: np.ndarray, item_code: np.ndarray, vectors: np.ndarray, samples: np.ndarray) -> float:
    """Seconds that a loop over all samples would take if every core ran one without loss, from `LOOPED` random samples."""
    chosen = np.random.default_rng(0).choice(samples, min(LOOPED, len(samples)), replace=False)
    seconds = []
    with threadpool_limits(1):
        for _ in range(3):
            begin = time.perf_counter()
            for sample in chosen:
                history = vectors[item_code[sample - position[sample] : sample]]
                similarity = history @ vectors[item_code[sample]]
                np.sort(np.argsort(-similarity, kind="stable")[:HISTORY_LENGTH])
            seconds.append(time.perf_counter() - begin)
    return statistics.median(seconds) * len(samples) / len(chosen) / EngineArguments().parallel


def _row(m: Measured) -> tuple:
    def cell(run: processes.Run) -> str:
        return f"{run.seconds:.0f} s, {run.peak_gb:.1f} GB"

    return (
        f"{m.samples:,}",
        f"{m.history:.0f}",
        cell(m.prepare),
        cell(m.subr),
        cell(m.prompts),
        f"{m.subr.seconds / m.samples * 1e6:.1f}",
        f"{m.products:.0f} s",
        f"{m.subr.seconds / m.products:.1f}",
        f"{m.looped / 60:.0f} min",
        f"{m.looped / m.subr.seconds:.0f}",
    )


def _flatness(measured: list[Measured]) -> str:
    first, last = (m.subr.seconds / m.samples for m in (measured[0], measured[-1]))
    by_history = [m.subr.seconds / m.samples / m.history for m in (measured[0], measured[-1])]
    return (
        f"From the smallest to the largest corpus the cost of a sample in SUBR changes by a factor of {last / first:.2f}; per earlier "
        f"behavior of a sample, which is what is compared, by {by_history[1] / by_history[0]:.2f}. Small corpora pay more for each "
        "sample because starting the process, loading the vectors and writing the card take seconds whatever the size."
    )


def _draw(measured: list[Measured], path: Path) -> None:
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(7, 4.2), layout="constrained")
    samples = np.array([m.samples for m in measured])
    for name, seconds in {
        "SUBR, whole stage": [m.subr.seconds for m in measured],
        "bare matrix products": [m.products for m in measured],
        "prepare": [m.prepare.seconds for m in measured],
        "a loop over samples (extrapolated)": [m.looped for m in measured],
    }.items():
        axes.plot(samples, np.array(seconds) / samples * 1e6, marker="o", label=name)
    axes.set(
        xscale="log",
        yscale="log",
        xlabel="samples",
        ylabel="µs a sample",
        title="Cost of a sample over the size of the corpus",
    )
    axes.grid(alpha=0.3, which="both")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(matplotlib.ticker.LogLocator(subs=(1, 2, 5)))
        axis.set_major_formatter(lambda value, _: f"{value:,g}" if value < 1e6 else f"{value / 1e6:g} M")
        axis.set_minor_formatter(lambda *_: "")
    figure.legend(loc="outside lower center", ncols=2)
    path.parent.mkdir(exist_ok=True)
    figure.savefig(path, dpi=130, metadata={"Software": None})


if __name__ == "__main__":
    cli.run(main)
