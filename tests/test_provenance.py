"""A stage is skipped where its output stands, made from the same inputs, and refuses where it was made from others."""

import dataclasses

import pytest

from rella_hub.stages.arguments import EncoderArguments, PromptArguments, RawArguments, ViewArguments
from rella_hub.stages.embed import embed
from rella_hub.stages.prepare import prepare
from rella_hub.stages.prompt import build_prompts
from rella_hub.stages.view import build_views
from rella_hub.tables import records, store


@pytest.fixture
def build(where, raw_ml1m, tiny_encoder):
    """All the stages before the card, with other options where they are given."""

    def build(seed=0, dimension=4, similarity="cosine", overwrite=False, history_length=5):
        here = dataclasses.replace(where, overwrite=overwrite)
        views = ViewArguments(history_length=[history_length], similarity=similarity)
        prepare(here, RawArguments(raw=str(raw_ml1m), seed=seed))
        embed(here, EncoderArguments(encoder=str(tiny_encoder), dimension=dimension))
        build_views(here, views)
        build_prompts(here, views, PromptArguments())

    return build


def files_of(folder) -> dict:
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*.parquet")}


def test_unchanged_inputs_are_kept_and_nothing_is_written(build, where, capsys):
    build()
    before = files_of(where.folder)
    capsys.readouterr()
    build()
    said = capsys.readouterr().out
    for name in store.table_names(where.folder):
        assert f"{where.folder / name}: unchanged inputs, kept." in said
    assert files_of(where.folder) == before


@pytest.mark.parametrize(("other", "name"), [({"history_length": 3}, "subr_k3"), ({"similarity": "l2"}, "subr_l2_k5")])
def test_another_history_length_or_similarity_stands_beside(build, where, other, name):
    build()
    before = files_of(where.folder)
    build(**other)
    after = files_of(where.folder)
    assert before.items() <= after.items()
    assert set(store.table_names(where.folder)) >= {"subr_k5", name, f"view_{name}"}


OTHER_INPUTS = {
    "seed": ({"seed": 1}, "its seed is 0, asked for is 1"),
    "dimension": ({"dimension": 3}, "its dimension is 4, asked for is 3"),
}


@pytest.mark.parametrize("changed", OTHER_INPUTS)
def test_other_inputs_are_refused_until_told_to_overwrite(build, where, changed):
    options, said = OTHER_INPUTS[changed]
    build()
    before = files_of(where.folder)
    with pytest.raises(ValueError, match=f"was made from other inputs: {said}.*--overwrite true"):
        build(**options)
    assert files_of(where.folder) == before
    build(**options, overwrite=True)
    assert records.outdated(where.folder) == {}
    assert files_of(where.folder) != before


def test_a_changed_raw_file_is_another_input(where, raw_ml1m, tmp_path):
    prepare(where, RawArguments(raw=str(raw_ml1m)))
    for path in raw_ml1m.iterdir():
        text = path.read_text(encoding="latin-1").replace("95370", "95371")
        (tmp_path / path.name).write_text(text, encoding="latin-1")
    with pytest.raises(ValueError, match="its raw_sha256 is"):
        prepare(where, RawArguments(raw=str(tmp_path)))


def test_what_a_replaced_table_leaves_outdated(build, where, tiny_encoder):
    build()
    embed(dataclasses.replace(where, overwrite=True), EncoderArguments(encoder=str(tiny_encoder), dimension=2))
    assert records.outdated(where.folder) == {
        "view_subr_k5": "item_vectors",
        "view_reit_k5": "view_subr_k5",
        "subr_k5": "view_subr_k5",
        "reit_k5": "view_reit_k5",
    }


def test_an_input_that_is_missing_is_named(where, raw_ml1m):
    with pytest.raises(ValueError, match="samples is missing; it is made by an earlier stage"):
        build_views(where, ViewArguments(view=["recency"]))
    prepare(where, RawArguments(raw=str(raw_ml1m)))
    with pytest.raises(ValueError, match="item_vectors is missing"):
        build_views(where, ViewArguments(view=["subr"]))
    with pytest.raises(ValueError, match="view_recency_k30 is missing"):
        build_views(where, ViewArguments(view=["reit"]))
    with pytest.raises(ValueError, match="view_recency_k30 is missing"):
        build_prompts(where, ViewArguments(view=["recency"]), PromptArguments())


def test_a_history_length_given_twice_is_built_once(prepared, capsys):
    options = ViewArguments(view=["recency"], history_length=[3, 3])
    build_views(prepared, options)
    build_prompts(prepared, options, PromptArguments())
    assert capsys.readouterr().out.count("recency_k3: 55 train, 6 validation, 8 test prompts") == 1


def test_a_fingerprint_does_not_depend_on_the_order_of_keys():
    assert store.fingerprint({"a": 1, "b": [2]}) == store.fingerprint({"b": [2], "a": 1})
    assert store.fingerprint({"a": 1}) != store.fingerprint({"a": 2})
