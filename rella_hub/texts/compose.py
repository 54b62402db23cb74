"""Build millions of texts without a loop: every text is a row of fragment codes, and gathering the fragments concatenates them.

Arrow's `take` on strings writes the taken fragments one after the other into one buffer. Cutting that buffer at the ends of
the rows instead of the ends of the fragments gives the finished texts, at the speed of copying memory.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa


def concatenate(fragments: pa.LargeStringArray, codes: np.ndarray, used: np.ndarray) -> pa.LargeStringArray:
    """(S,) texts: text s is the concatenation of ``fragments[codes[s, j]]`` over the j with ``used[s, j]``. codes, used: (S, J)."""
    taken = fragments.take(pa.array(codes[used]))
    ends = np.cumsum(np.count_nonzero(used, axis=1))
    _, offsets, data = taken.buffers()
    byte_ends = np.frombuffer(offsets, dtype=np.int64)[np.r_[0, ends]]
    return pa.LargeStringArray.from_buffers(len(codes), pa.py_buffer(byte_ends), data)
