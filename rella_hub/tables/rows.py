"""Rows of a table by their numbers, in bounded memory: a part of the table is read at a time."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa

from rella_hub.tables import store


class RowReader:
    """Rows of one split. Row groups are decoded once when rows are asked for in rising order."""

    def __init__(self, folder: Path, name: str, split: str, columns: list[str]):
        self._of = (folder, name)
        self._split, self._columns = split, columns
        self._number: int | None = None  # of the window that is in memory
        self._window: pa.Table | None = None
        self.rows = store.count_rows(folder, name, split)

    def take(self, numbers: np.ndarray) -> pa.Table:
        """The rows with these ascending numbers (n,)."""
        windows = numbers // store.ROWS_PER_GROUP
        parts = [self._open(w).take(numbers[windows == w] - w * store.ROWS_PER_GROUP) for w in np.unique(windows)]
        return pa.concat_tables(parts)

    def _open(self, number: int) -> pa.Table:
        if number != self._number:
            self._number = self._window = None  # two at once would need twice the memory
            begin = int(number) * store.ROWS_PER_GROUP
            end = min(begin + store.ROWS_PER_GROUP, self.rows)
            self._window = store.read_rows(*self._of, begin, end, self._split, self._columns)
            self._number = number
        return self._window
