"""One run over the chunks that are missing: by this process, by several of one launch, or on the workers of an engine."""

from __future__ import annotations

import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from tqdm import tqdm

from rella_hub.stages.chunks.parts import Parts
from rella_hub.stages.chunks.processes import Processes
from rella_hub.stages.engines import load_engine

Advance = Callable[[int, int], None]  # told of rows and tokens that are done
Work = Callable[[int, Advance], None]  # computes a chunk and keeps it
SECONDS_BETWEEN_LOOKS = 0.2


def run(
    make: Callable[[], Work],
    parts: Sequence[Parts],
    chunks: range,
    group: Processes,
    unit: str,
    engine: str = "local",
    workers: int | None = None,
) -> float | None:
    """Compute the missing ones of `chunks`, this process its share of them; the first process returns when all are there.

    Gives how many rows a second all processes together have computed, None where all were there.

    make: gives the work, once a worker; for another engine than `local` it must be one that travels to other processes.
    parts: where results go; a chunk is missing where one of them lacks it.
    """
    missing = [chunk for chunk in chunks if not all(one.has(chunk) for one in parts)]
    group.wait()  # until everybody has looked: they share out the same chunks
    mine = missing[group.number :: group.of]
    kept = sum(map(len, map(_rows(parts[0]), set(chunks) - set(missing))))
    total = kept + sum(map(len, map(_rows(parts[0]), mine)))
    if kept and group.is_first:
        print(f"{kept:,} {unit}s are there already and are kept.", flush=True)
    begin = time.perf_counter()
    with _kept_said(parts, chunks, unit, group.is_first), _bar(total, kept, unit, group) as advance:
        if mine:
            load_engine(engine).work(make, mine, workers, advance)
        while group.is_first and group.of > 1 and not all(one.has(chunk) for one in parts for chunk in missing):
            time.sleep(SECONDS_BETWEEN_LOOKS)  # a process that dies ends all of its launch
    rows = sum(map(len, map(_rows(parts[0]), missing)))
    return rows / (time.perf_counter() - begin) if rows else None


def _rows(parts: Parts) -> Callable[[int], range]:
    return lambda chunk: range(*parts.bounds(chunk))


@contextmanager
def _bar(total: int, kept: int, unit: str, group: Processes) -> Iterator[Advance]:
    """Rows, tokens a second and the time left, all of it of what this run itself does."""
    what = "computing" if group.of == 1 else f"computing (process 1 of {group.of})"
    begin, tokens = time.perf_counter(), 0
    with tqdm(total=total, initial=kept, unit=unit, desc=what, disable=not group.is_first) as bar:

        def advance(rows: int, more: int) -> None:
            nonlocal tokens
            tokens += more
            if tokens:
                rate = tokens / (time.perf_counter() - begin)
                bar.set_postfix_str(f"{rate:,.0f} tokens/s", refresh=False)
            bar.update(rows)

        yield advance


@contextmanager
def _kept_said(parts: Sequence[Parts], chunks: range, unit: str, speaks: bool) -> Iterator[None]:
    """A run that is ended before its end, by Ctrl-C, by a queue (SIGTERM) or by an error, says how much of it is kept."""
    before = None
    if threading.current_thread() is threading.main_thread():
        before = signal.signal(signal.SIGTERM, _interrupt)
    try:
        yield
    except BaseException as error:
        kept = sum(len(range(*parts[0].bounds(c))) for c in chunks if all(one.has(c) for one in parts))
        if speaks and (kept or isinstance(error, KeyboardInterrupt)):
            where = f" in {parts[0].folder}" if kept else ""
            said = sys.stderr if isinstance(error, KeyboardInterrupt) else sys.stdout
            total = sum(len(range(*parts[0].bounds(c))) for c in chunks)
            print(f"{kept:,} of {total:,} {unit}s are kept{where}; the same command resumes.", file=said, flush=True)
        raise
    finally:
        if before is not None:
            signal.signal(signal.SIGTERM, before)


def _interrupt(number: int, frame) -> None:
    raise KeyboardInterrupt
