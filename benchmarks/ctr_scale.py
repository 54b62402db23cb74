"""All samples of MovieLens-25M's size in the hands of a CTR model: time to load, memory, and how fast batches come and are learned from.

A generated archive of MovieLens-25M's shape (benchmarks/generated_archive.py) is prepared and SUBR's view of every sample built, once,
into the folder --dataset. Then every system, in a process of its own, loads all training samples as training/ctr.py does, makes
batches, and trains on some: the memory of a step does not depend on how many follow. Item vectors are random.

example: python benchmarks/ctr_scale.py --archives archives --dataset archives/rella/ml25m
"""

from __future__ import annotations

import itertools
import multiprocessing
import time
from dataclasses import dataclass
from pathlib import Path

from harness import large_dataset, markdown, movielens_25m, processes
from harness.large_dataset import ALL

from rella_hub import cli
from rella_hub.cli.options import option
from rella_hub.tables import store

BATCH_SIZE, HISTORY_LENGTH = 512, 30
SYSTEMS = (("deepfm", None), ("din", None), ("sim", "subr"), ("sim", "category"))


@dataclass(frozen=True)
class Arguments:
    archives: str = option("Folder of the generated archives.", "archives")
    dataset: str = option("The data set folder; what is missing there is built.", "archives/rella/ml25m")
    users: int = option("Size, in users.", movielens_25m.USERS)
    steps: int = option(f"Steps to time, of {BATCH_SIZE} samples.", 300)


@dataclass(frozen=True)
class Measured:
    samples: int
    weights: int
    load_seconds: float
    batches: float  # samples a second, made and thrown away
    training: float  # samples a second, learned from
    peak_gb: float


def main() -> None:
    (options,) = cli.parse(Arguments, description=__doc__)
    folder = Path(options.dataset)
    _build(folder, Path(options.archives), options.users)
    rows, peaks = [], []
    for model, search in SYSTEMS:
        with multiprocessing.get_context("spawn").Pool(1) as process:
            found = process.apply(_measure, (folder, model, search, options.steps))
        print(model, search, found, flush=True)
        peaks.append(found.peak_gb)
        rows.append(
            (
                f"{model}, {search}" if search else model,
                f"{found.weights:,}",
                f"{found.load_seconds:.0f} s",
                f"{found.batches:,.0f}",
                f"{found.training:,.0f}",
                f"{found.peak_gb:.1f} GB",
            )
        )
    markdown.write(
        "ctr_scale",
        "CTR models on 25 million ratings",
        f"All {found.samples:,} training samples of a generated archive of MovieLens-25M's shape, K = {HISTORY_LENGTH}; batches of "
        f"{BATCH_SIZE} in random order, {options.steps} of them timed after {options.steps // 10} that are not. Memory is the largest that "
        "the process ever had, libraries and loading included.",
        rows,
        ("model, search", "weights", "loaded in", "batches, samples/s", "training, samples/s", "memory"),
        f"At most {max(peaks):.1f} GB (aim: 8). No sample is stored with its history: a batch is gathered from the columns of the "
        "interactions; only a model that retrieves by SUBR holds the positions it retrieves.",
    )


def _build(folder: Path, archives: Path, users: int) -> None:
    where = ("--corpus", "ml25m", "--output", folder)
    if not store.table_splits(folder, "samples"):
        processes.run("dataset_builders/prepare.py", *where, "--raw", large_dataset.archive(archives, users))
        large_dataset.write_random_vectors(folder)
    if not store.table_splits(folder, "view_subr_k30"):
        processes.run("dataset_builders/view.py", *where, "--view", "subr", *ALL)


def _measure(folder: Path, name: str, search: str | None, steps: int) -> Measured:
    import torch
    from harness.timing import peak_memory_gb

    from rella_hub.networks.ctr import load_model_class
    from rella_hub.systems.ctr.inputs.batches import Samples
    from rella_hub.systems.ctr.inputs.columns import load_columns
    from rella_hub.systems.ctr.inputs.retrieval import open_search
    from rella_hub.systems.ctr.loop import learn
    from rella_hub.tables.shots import sample_ids

    torch.manual_seed(0)
    begin = time.perf_counter()
    ids = sample_ids(folder, "train")
    columns = load_columns(folder, train=ids)
    samples = Samples(columns, ids, HISTORY_LENGTH, open_search(search, folder, "train", HISTORY_LENGTH))
    loaded = time.perf_counter() - begin
    model = load_model_class(name)(columns.values.field_sizes, columns.values.rating_values).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, fused=True)
    batches = samples.batches(BATCH_SIZE, torch.Generator().manual_seed(0))
    made = _rate(batches, steps, lambda batch: None)
    learned = _rate(batches, steps, lambda batch: learn(model, optimizer, batch))
    weights = sum(p.numel() for p in model.parameters())
    return Measured(len(ids), weights, loaded, made, learned, peak_memory_gb())


def _rate(batches, steps: int, use) -> float:
    """Samples a second, after a tenth of the steps that is not counted."""
    for batch in itertools.islice(batches, steps // 10):
        use(batch)
    begin = time.perf_counter()
    for batch in itertools.islice(batches, steps):
        use(batch)
    return steps * BATCH_SIZE / (time.perf_counter() - begin)


if __name__ == "__main__":
    cli.run(main)
