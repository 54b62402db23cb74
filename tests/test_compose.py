"""Texts composed from fragments, against Python's own `join`."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rella_hub.texts.compose import concatenate

fragments = st.lists(st.text(max_size=6), min_size=1, max_size=8)


@given(fragments, st.integers(0, 12), st.integers(0, 6), st.integers(0, 999))
def test_a_text_is_the_join_of_the_fragments_it_uses(texts, samples, width, seed):
    rng = np.random.default_rng(seed)
    codes = rng.integers(0, len(texts), (samples, width))
    used = rng.random((samples, width)) < 0.6
    composed = concatenate(pa.array(texts, pa.large_string()), codes, used)
    composed.validate(full=True)
    assert composed.to_pylist() == [
        "".join(texts[code] for code, use in zip(*row, strict=True) if use) for row in zip(codes, used, strict=True)
    ]


@pytest.mark.parametrize("batch", [slice(0, 0), slice(2, 5)])
def test_fragments_that_are_a_slice_of_others(batch):
    texts = pa.array(["ä", "bb", "", "ccc", "d"], pa.large_string())[batch]
    codes = np.arange(len(texts))[None]
    composed = concatenate(texts, codes, np.ones(codes.shape, dtype=bool))
    assert composed.to_pylist() == ["".join(texts.to_pylist())]


def test_composed_texts_can_be_written(tmp_path):
    texts = pa.array(["a", "b"], pa.large_string())
    composed = concatenate(texts, np.array([[0, 1], [1, 1]]), np.array([[True, True], [True, False]]))
    pq.write_table(pa.table({"prompt": composed.cast(pa.string())}), tmp_path / "x.parquet")
    assert pq.read_table(tmp_path / "x.parquet")["prompt"].to_pylist() == ["ab", "b"]
