"""The TALLRec prompt against a plain loop over the tables."""

import pytest

from rella_hub.corpora import load_corpus
from rella_hub.prompts import one_prompt
from rella_hub.stages.arguments import PromptArguments, ViewArguments
from rella_hub.stages.prompt import build_prompts
from rella_hub.stages.view import build_views
from rella_hub.tables import store

K = 4


def expected(item: str, liked: list[str], disliked: list[str], target: str) -> str:
    lists = [", ".join(f'"{title}"' for title in titles) or "none" for titles in (liked, disliked)]
    return (
        f"### Instruction:\nBelow are {item}s that a user liked and {item}s that the user disliked. Say whether the user will like one "
        'more. Answer "Yes." or "No." and nothing else.\n\n'
        f"### Input:\nLiked: {lists[0]}.\nDisliked: {lists[1]}.\n"
        f'The next one: "{target}".\nWill the user like it?\n\n### Response:\n'
    )


def test_every_prompt_lists_what_was_liked_and_what_was_not_in_time_order(prepared):
    asked = ViewArguments(view=["recency"], history_length=[K])
    build_views(prepared, asked)
    build_prompts(prepared, asked, PromptArguments(style="tallrec"))
    folder = prepared.folder
    title = {row["item_id"]: " ".join(row["title"].split()) for row in store.read(folder, "items").to_pylist()}
    interactions = store.read(folder, "interactions").to_pylist()
    seen = set()
    for split in store.SPLITS:
        samples = {row["sample_id"]: row for row in store.read(folder, "samples", split).to_pylist()}
        for row in store.read(folder, f"recency_k{K}_tallrec", split).to_pylist():
            sample = samples[row["sample_id"]]
            latest = interactions[row["sample_id"] - min(K, sample["position"]) : row["sample_id"]]
            lists = [[title[b["item_id"]] for b in latest if b["label"] == label] for label in (1, 0)]
            assert row["prompt"] == expected("movie", *lists, title[sample["item_id"]])
            assert row["completion"] == ("No.", "Yes.")[row["label"]]
            seen.add((bool(lists[0]), bool(lists[1])))
    assert {(True, True), (False, True)} <= seen


@pytest.mark.parametrize("liked", [True, False])
def test_somebody_with_one_behavior_or_none(liked):
    words = load_corpus("ml1m").words
    user = {"gender": "male", "age": "25-34", "occupation": "writer"}
    target = {"title": "Heat (1995)", "genre": "Crime", "genres": "Crime"}
    seen = {"title": "Ran (1985)", "genre": "Drama", "genres": "Drama"}
    assert one_prompt(words, user, [], target, "tallrec") == expected("movie", [], [], "Heat (1995)")
    lists = (["Ran (1985)"], []) if liked else ([], ["Ran (1985)"])
    assert one_prompt(words, user, [(seen, 3.0, liked)], target, "tallrec") == expected("movie", *lists, "Heat (1995)")
