"""Tasks on a Ray cluster, through Ray Data: on this machine, or on the cluster that RAY_ADDRESS names.

Every worker must reach the data set folder under the same path, as on any cluster with a shared file system. Ray rather than
Spark: it is one wheel without a Java runtime, and its workers are Python processes that run the very functions of the local
engine. Install with the extra `ray`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence


def run(function: Callable[[object], None], tasks: Sequence[object], workers: int, what: str) -> None:
    """Call `function` with every task, `workers` of them at a time, one core each."""
    try:
        import ray
        import ray.data
    except ImportError as error:
        raise ValueError("The engine ray_data needs Ray: pip install 'rella[ray]'.") from error
    if not tasks:
        return
    if not ray.is_initialized():
        _connect(ray, workers)
    ray.data.DataContext.get_current().enable_progress_bars = False

    def call(row: dict) -> dict:
        function(tasks[row["id"]])
        return row

    from ray.exceptions import RayError

    print(f"{what}: {len(tasks)} tasks on {workers} Ray workers.", flush=True)
    try:
        ray.data.range(len(tasks), override_num_blocks=len(tasks)).map(call, num_cpus=1, concurrency=workers).materialize()
    except RayError as error:
        raise _cause(error) from error


def _connect(ray, workers: int) -> None:
    """Join the cluster of RAY_ADDRESS, or start one of `workers` processes here."""
    quiet = {"include_dashboard": False, "log_to_driver": False, "logging_level": "ERROR"}
    ray.init(**({"log_to_driver": False} if os.environ.get("RAY_ADDRESS") else {"num_cpus": workers, **quiet}))


def _cause(error: BaseException) -> BaseException:
    """The ValueError of the task, so that bad input reads the same on every engine."""
    seen: BaseException | None = error
    while seen is not None:
        cause = getattr(seen, "cause", None)
        for found in (seen, cause):
            if isinstance(found, ValueError):
                return ValueError(str(cause or found))
        seen = seen.__cause__
    return ValueError(f"a Ray task failed: {error}")
