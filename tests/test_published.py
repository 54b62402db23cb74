"""Which rows get views and prompts: every smaller choice lies in every larger one, and what is no number is refused."""

import re
import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rella_hub.tables import published, schema, store

ROWS = {"train": 57, "validation": 13, "test": 31}


def write_samples(folder: Path, rows: dict[str, int], seed: int) -> Path:
    first, tables = 0, {}
    for split, count in rows.items():
        ids = np.arange(first, first + count)
        first += count
        columns = {"sample_id": ids, "user_id": ids, "position": ids, "item_id": ids, "label": ids % 2}
        tables[split] = pa.table({c: pa.array(v, schema.SAMPLES[c].pa_type) for c, v in columns.items()})
    store.write(folder, "samples", schema.SAMPLES, tables, {"seed": seed})
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return write_samples(tmp_path_factory.mktemp("published"), ROWS, seed=3)


@given(st.sampled_from(list(ROWS)), st.integers(1, 70), st.integers(1, 70))
def test_a_smaller_choice_lies_in_a_larger_one(folder, split, one, other):
    small, large = (published.rows_of(folder, split, n) for n in sorted((one, other)))
    assert set(small) <= set(large)
    for rows, wanted in ((small, min(one, other)), (large, max(one, other))):
        assert len(rows) == min(wanted, ROWS[split])
        assert (np.diff(rows) > 0).all(), "in stored order, none twice"
        assert set(rows) <= set(range(ROWS[split]))
        if split == "train":
            assert rows.tolist() == list(range(len(rows)))


@pytest.mark.parametrize("split", ROWS)
def test_all_and_too_many_are_all(folder, split):
    everything = list(range(ROWS[split]))
    assert published.rows_of(folder, split, None).tolist() == everything
    assert published.rows_of(folder, split, ROWS[split]).tolist() == everything
    assert published.rows_of(folder, split, 10**9).tolist() == everything


def test_the_choice_is_seeded_by_the_samples(folder):
    chosen = []
    for seed in (3, 3, 4):
        with tempfile.TemporaryDirectory() as other:
            chosen.append(published.rows_of(write_samples(Path(other), ROWS, seed), "test", 12).tolist())
    assert chosen[0] == chosen[1] == published.rows_of(folder, "test", 12).tolist() != chosen[2]


def test_the_choice_is_no_stretch_of_the_split(folder):
    """Test rows stand in time order: the first ones would be those of some days."""
    chosen = published.rows_of(folder, "test", 10)
    assert chosen[-1] - chosen[0] > ROWS["test"] / 2


counts = st.one_of(st.none(), st.just("all"), st.integers(1, 10**12).map(str))


@given(
    st.fixed_dictionaries({}, optional={split: st.integers(1, 1000) for split in ROWS}),
    st.fixed_dictionaries({}, optional=dict.fromkeys(ROWS, counts)),
)
def test_what_was_asked_for_wins_over_the_corpus(of_corpus, asked):
    chosen = published.choose(of_corpus, asked)
    assert list(chosen) == list(store.SPLITS)
    for split, rows in chosen.items():
        if asked.get(split) == "all":
            assert rows is None
        elif asked.get(split) is not None:
            assert str(rows) == asked[split]
        else:
            assert rows == of_corpus.get(split)


@pytest.mark.parametrize("split", ROWS)
@pytest.mark.parametrize("value", ["0", "-3", "many", "", "1.5", "1e3", "+4", "1_000", " ", "ALL", "None"])
def test_what_is_no_number_of_rows_is_refused(split, value):
    said = f"--{split}_rows is {value!r}. Give a whole number from 1, or all."
    with pytest.raises(ValueError, match=f"^{re.escape(said)}$"):
        published.choose({}, {split: value})
