"""Tasks on a Ray cluster, through Ray Data: on this machine, or on the cluster that RAY_ADDRESS names.

Every worker must reach the data set folder under the same path, as on any cluster with a shared file system. Ray rather than
Spark: it is one wheel without a Java runtime, and its workers are Python processes that run the very functions of the local
engine. Install with the extra `ray`.

Whoever reaches the ports of a Ray cluster can run code on it. So a cluster that is started here listens on this machine alone, asks
for a token that was drawn for it, and has no dashboard. A cluster of RAY_ADDRESS is as its owner made it.
"""

from __future__ import annotations

import logging
import os
import secrets
import sys
from collections.abc import Callable, Sequence
from ipaddress import ip_address

import psutil
from tqdm import tqdm

from rella_hub.cli.extras import how_to_install
from rella_hub.texts.shown import first_line

ONE_MACHINE = "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"  # "0": the address of this machine's loopback, on any system
LONGEST_TMPDIR = 30  # a socket's path has 107 characters, macOS's 103; Ray's own part of it takes some 70


def run(function: Callable[[object], None], tasks: Sequence[object], workers: int, what: str) -> None:
    """Call `function` with every task, `workers` of them at a time, one core each."""
    ray = _started(workers)

    def call(row: dict) -> dict:
        return _answered(lambda: function(tasks[row["id"]]))

    if tasks:
        numbers = ray.data.range(len(tasks), override_num_blocks=len(tasks))
        done = numbers.map(call, num_cpus=1, concurrency=min(workers, len(tasks)))
        for row in tqdm(done.iter_rows(), total=len(tasks), desc=what, unit="task"):
            _require_done(row)


def work(
    make: Callable[[], Callable], tasks: Sequence[object], workers: int | None, advance: Callable[[int, int], None]
) -> None:
    """The same on actors, each of which calls `make` once. `workers` of them: by default one a GPU, without GPUs one a core."""
    ray = _started(workers or os.cpu_count() or 1)
    resources = ray.cluster_resources()
    gpus = int(resources.get("GPU", 0))
    at_once = min(workers or gpus or int(resources["CPU"]), len(tasks))

    class Actor:
        def __init__(self):
            self._made = None

        def __call__(self, row: dict) -> dict:
            told = [0, 0]

            def tell(rows: int, tokens: int) -> None:
                told[0], told[1] = told[0] + rows, told[1] + tokens

            def do() -> None:
                self._made = self._made or make()
                self._made(tasks[row["id"]], tell)

            return _answered(do) | {"rows": told[0], "tokens": told[1]}

    numbers = ray.data.range(len(tasks), override_num_blocks=len(tasks))
    needs = {"num_gpus": 1} if gpus else {"num_cpus": 1}
    ended = (ray.exceptions.RayActorError, ray.exceptions.WorkerCrashedError, ray.exceptions.OutOfMemoryError)
    try:
        for row in numbers.map(Actor, concurrency=at_once, **needs).iter_rows():
            _require_done(row)
            advance(row["rows"], row["tokens"])
    except ended as error:
        raise ValueError(f"A worker of the Ray cluster ended: {first_line(error)} Run again.") from error


def _started(workers: int):
    """Ray, with a cluster of at least `workers` cores where it is started here."""
    _keep_to_this_machine()
    try:
        import ray
        import ray.data
        import ray.exceptions
    except ImportError as error:
        raise ValueError(f"The engine ray_data needs Ray: {how_to_install('ray')}.") from error
    if not ray.is_initialized():
        _connect(ray, workers)
    ray.data.DataContext.get_current().enable_progress_bars = False
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    return ray


def _answered(do: Callable[[], None]) -> dict:
    """Bad input comes back as a row: Ray would wrap the error, and its sentence would be lost among tracebacks."""
    try:
        do()
    except ValueError as error:
        return {"error": str(error)}
    except (OSError, MemoryError) as error:
        return {"error": f"{type(error).__name__}: {error}"}
    return {"error": ""}


def _require_done(row: dict) -> None:
    if row["error"]:
        raise ValueError(row["error"])


def _connect(ray, workers: int) -> None:
    """Join the cluster of RAY_ADDRESS, or start one of `workers` processes here."""
    if os.environ.get("RAY_ADDRESS"):
        ray.init(log_to_driver=False)
    else:
        _shorten_temporary_folder()
        ray.init(
            num_cpus=workers,
            include_dashboard=False,
            log_to_driver=False,
            logging_level="ERROR",
            _node_ip_address="127.0.0.1",
        )
        _require_this_machine_alone(ray)


def _keep_to_this_machine() -> None:
    """Set what Ray reads when it is imported: an address of this machine alone, and a token, for a cluster that is started here."""
    if os.environ.get("RAY_ADDRESS"):
        return
    if sys.modules.get("ray"):  # it has read them: what it decides by can still be set, and tokens are its default
        sys.modules["ray"]._private.ray_constants.ENABLE_RAY_CLUSTER = False
        return
    os.environ[ONE_MACHINE] = "0"
    os.environ |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}


def _require_this_machine_alone(ray) -> None:
    """ValueError, and no cluster, where another machine could reach a port of the one that was started."""
    this = psutil.Process()
    for process in (this, *this.children(recursive=True)):
        try:
            listening = [one.laddr for one in process.net_connections() if one.status == psutil.CONN_LISTEN]
        except psutil.Error:  # it has ended, or the system does not tell
            continue
        for address in listening if process != this else []:
            if not ip_address(address.ip.removeprefix("::ffff:")).is_loopback:
                ray.shutdown()
                raise ValueError(
                    f"Ray {ray.__version__} listens on {address.ip}, where other machines reach it, and is stopped. Take --engine local."
                )


def _shorten_temporary_folder() -> None:
    """Ray's sockets lie in the system's temporary folder, and a socket's path has no room for a long one."""
    if len(os.environ.get("TMPDIR", "")) > LONGEST_TMPDIR and os.name == "posix":
        os.environ.setdefault("RAY_TMPDIR", "/tmp")
