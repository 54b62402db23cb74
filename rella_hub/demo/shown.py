"""What each view shows of a case, how like the target each behavior is, and the prompt that tells of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rella_hub.demo.case import Case
from rella_hub.demo.catalogue import Catalogue
from rella_hub.prompts import prompt_with_places
from rella_hub.views import Config, Histories, load_view
from rella_hub.views.subr import distinct_vectors

VIEWS = ("recency", "subr", "union")
LONGEST = 60  # behaviors shown, the most of any recipe


@dataclass(frozen=True)
class Prompt:
    text: str
    places: list[tuple[int, int]]  # begin and end of each behavior in it


def positions(catalogue: Catalogue, case: Case, config: Config) -> np.ndarray:
    """(k,) ascending places in the history of the behaviors that a config shows."""
    items = np.array([*case.items, case.target])
    code, distinct = distinct_vectors(catalogue.vectors[items])
    histories = Histories(
        position=np.array([len(case)], dtype=np.int32),
        start=np.zeros(1, dtype=np.int64),
        behaviors={"vector_code": code},
        shared={"vectors": distinct},
    )
    select = load_view(config.view).select
    assert select is not None, "a mixed view is none of VIEWS"
    found = select(histories, config)[0]
    return found[found >= 0]


def similarities(catalogue: Catalogue, case: Case) -> np.ndarray:
    """(n,) cosine of the target's vector with that of each behavior of the history."""
    return catalogue.vectors[list(case.items)] @ catalogue.vectors[case.target]


def prompt(catalogue: Catalogue, case: Case, shown: np.ndarray, style: str) -> Prompt:
    """The very text that the data set would have for this case."""
    corpus, items = catalogue.corpus, catalogue.items
    behaviors = [
        (items.row(case.items[place], named=True), case.ratings[place], is_liked(catalogue, case.ratings[place]))
        for place in shown.tolist()
    ]
    user = {name: value for name, value in catalogue.users.row(case.user, named=True).items() if name != "user_id"}
    text, places = prompt_with_places(corpus.words, user, behaviors, items.row(case.target, named=True), style)
    return Prompt(text, places)


def is_liked(catalogue: Catalogue, rating: float) -> bool:
    return catalogue.corpus.label_threshold is not None and rating > catalogue.corpus.label_threshold
