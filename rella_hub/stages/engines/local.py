"""Tasks on the threads of this process: NumPy, Arrow and Parquet work outside the interpreter's lock."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait

from threadpoolctl import threadpool_limits
from tqdm import tqdm


def run(function: Callable[[object], None], tasks: Sequence[object], workers: int, what: str) -> None:
    """Call `function` with every task. A task that begins after an error or Ctrl-C does nothing."""
    # Two threads over tasks beat two threads inside one small matrix product: most histories are short.
    with (
        threadpool_limits(1),
        ThreadPoolExecutor(workers) as pool,
        tqdm(total=len(tasks), desc=what, unit="task") as bar,
    ):
        pending = {pool.submit(function, task) for task in tasks}
        try:
            while pending:
                done, pending = wait(pending, timeout=0.2)  # in short turns: Ctrl-C is seen between two of them
                for future in done:
                    future.result()
                bar.update(len(done))
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def work(
    make: Callable[[], Callable], tasks: Sequence[object], workers: int, advance: Callable[[int, int], None]
) -> None:
    """One task after the other, in this thread: a model computes on all cores by itself."""
    function = make()
    for task in tasks:
        function(task, advance)
