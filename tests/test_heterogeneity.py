"""How mixed a shown history is, against Python's sets."""

from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from rella_hub.cards.dataset.heterogeneity import distinct_groups, heterogeneity
from rella_hub.corpora import UNKNOWN
from rella_hub.stages.arguments import FolderArguments, RawArguments, ViewArguments
from rella_hub.stages.prepare import prepare
from rella_hub.stages.view import build_views
from rella_hub.tables import store


@given(st.lists(st.lists(st.integers(0, 9), max_size=7), max_size=12))
def test_distinct_groups_of_each_row(rows):
    group = np.array([g for row in rows for g in row], dtype=np.int32)
    counts = np.array([len(row) for row in rows], dtype=np.int64)
    assert distinct_groups(group, counts).tolist() == [len(set(row)) for row in rows]


def test_a_behavior_of_an_unknown_group_is_of_none(tmp_path):
    """Over a whole table of views, against Python's sets."""
    where = FolderArguments(corpus="ml25m", output=str(tmp_path / "ml25m"))
    prepare(where, RawArguments(raw=str(Path(__file__).parent / "fixtures" / "raw" / "ml25m")))
    build_views(where, ViewArguments(view=["recency"], history_length=[4]))
    genre = dict(zip(*(store.read(where.folder, "items")[c].to_pylist() for c in ("item_id", "genre")), strict=True))
    assert UNKNOWN in genre.values()
    interactions = store.read(where.folder, "interactions")["item_id"].to_pylist()
    samples = store.read(where.folder, "samples", "test").to_pylist()
    shown = [interactions[s["sample_id"] - min(4, s["position"]) : s["sample_id"]] for s in samples]
    known = [{genre[item] for item in items} - {UNKNOWN} for items in shown]
    assert any(UNKNOWN in {genre[item] for item in items} for items in shown)
    measured = heterogeneity(where.folder, ["view_recency_k4"], "genre")["view_recency_k4"]
    assert measured == sum(map(len, known)) / len(known)
