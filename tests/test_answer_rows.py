"""Token ids in arrays and rows on disk: what Python's lists say, part by part."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rella_hub.language_models.answer_rows import IGNORED, lengths_of, prompts_of, rows_on_disk, tokenized_rows
from rella_hub.language_models.token_rows import TokenRows

YES, NO, END = 7, 8, 1
tokens = st.lists(st.integers(0, 40), min_size=1, max_size=9)
rows_with_answers = st.lists(st.tuples(tokens, st.booleans()), min_size=1, max_size=30)


@given(rows=st.lists(st.lists(st.integers(0, 2**31 - 1), max_size=9), max_size=20))
def test_arrays_hold_the_lists(rows):
    found = TokenRows.of(rows)
    assert [row.tolist() for row in found] == rows
    assert found.lengths.tolist() == list(map(len, rows))
    assert TokenRows.of(found) is found
    assert TokenRows.of([np.array(row, np.int32) for row in rows]) == found
    assert found != TokenRows.of([*rows, [1]])


def test_a_row_that_is_not_there_is_an_error():
    with pytest.raises(IndexError):
        TokenRows.of([[1], [2]])[2]


@given(rows=rows_with_answers, cuts=st.lists(st.integers(0, 30), max_size=3))
def test_rows_on_disk_are_those_in_memory(tmp_path_factory, rows, cuts):
    prompts = [prompt for prompt, _ in rows]
    completions = [[YES if liked else NO, END] for _, liked in rows]
    bounds = sorted({0, len(rows), *(cut for cut in cuts if cut < len(rows))})
    parts = [(prompts[a:b], completions[a:b]) for a, b in pairwise(bounds)]
    stored = rows_on_disk(tmp_path_factory.mktemp("rows") / "rows.arrow", parts)
    for found in (stored, tokenized_rows(prompts, completions)):
        assert [row["input_ids"] for row in found] == [[*p, *c] for p, c in zip(prompts, completions, strict=True)]
        assert [row["labels"] for row in found] == [
            [*[IGNORED] * len(p), *c] for p, c in zip(prompts, completions, strict=True)
        ]
        assert lengths_of(found).tolist() == [len(p) + 2 for p in prompts]
        without, said = prompts_of(found, YES)
        assert [prompt.tolist() for prompt in without] == prompts
        assert said.tolist() == [int(liked) for _, liked in rows]


@given(rows=rows_with_answers)
def test_the_loss_on_the_whole_prompt_leaves_no_token_out(tmp_path_factory, rows):
    path = tmp_path_factory.mktemp("rows") / "rows.arrow"
    prompts, completions = [prompt for prompt, _ in rows], [[YES if liked else NO, END] for _, liked in rows]
    found = rows_on_disk(path, [(prompts, completions)], loss_on_prompt=True)
    assert found["labels"][:] == found["input_ids"][:] == [[*p, *c] for p, c in zip(prompts, completions, strict=True)]
