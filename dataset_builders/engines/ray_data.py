"""Tasks on a Ray cluster, through Ray Data: on this machine, or on the cluster that RAY_ADDRESS names.

Every worker must reach the data set folder under the same path, as on any cluster with a shared file system. Ray rather than
Spark: it is one wheel without a Java runtime, and its workers are Python processes that run the very functions of the local
engine. Install with the extra `ray`.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Sequence

from tqdm import tqdm

from dataset_builders.cli.extras import how_to_install

LONGEST_TMPDIR = 30  # a socket's path has 107 characters, macOS's 103; Ray's own part of it takes some 70


def run(function: Callable[[object], None], tasks: Sequence[object], workers: int, what: str) -> None:
    """Call `function` with every task, `workers` of them at a time, one core each."""
    try:
        import ray
        import ray.data
    except ImportError as error:
        raise ValueError(f"The engine ray_data needs Ray: {how_to_install('ray')}.") from error
    if not ray.is_initialized():
        _connect(ray, workers)
    ray.data.DataContext.get_current().enable_progress_bars = False
    logging.getLogger("ray.data").setLevel(logging.ERROR)

    def call(row: dict) -> dict:
        """Bad input comes back as a row: Ray would wrap the error, and its sentence would be lost among tracebacks."""
        try:
            function(tasks[row["id"]])
        except ValueError as error:
            return {"error": str(error)}
        except (OSError, MemoryError) as error:
            return {"error": f"{type(error).__name__}: {error}"}
        return {"error": ""}

    if tasks:
        numbers = ray.data.range(len(tasks), override_num_blocks=len(tasks))
        done = numbers.map(call, num_cpus=1, concurrency=min(workers, len(tasks)))
        for row in tqdm(done.iter_rows(), total=len(tasks), desc=what, unit="task"):
            if row["error"]:
                raise ValueError(row["error"])


def _connect(ray, workers: int) -> None:
    """Join the cluster of RAY_ADDRESS, or start one of `workers` processes here."""
    if os.environ.get("RAY_ADDRESS"):
        ray.init(log_to_driver=False)
    else:
        _shorten_temporary_folder()
        ray.init(num_cpus=workers, include_dashboard=False, log_to_driver=False, logging_level="ERROR")


def _shorten_temporary_folder() -> None:
    """Ray's sockets lie in the system's temporary folder, and a socket's path has no room for a long one."""
    if len(os.environ.get("TMPDIR", "")) > LONGEST_TMPDIR and os.name == "posix":
        os.environ.setdefault("RAY_TMPDIR", "/tmp")
