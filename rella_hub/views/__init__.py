"""The views: each file here says which of a user's earlier behaviors a sample shows, and adding a file is registering it.

A view file defines ``VIEW``; what it holds, `View` says. What a view selects has one shape: positions (S, K) int32, strictly
increasing along a row, all before the sample's own position, unused places at the right are -1. Nothing downstream knows which view it got.

`Config` is the one home of the names that a view, its prompts and the item vectors behind it have in a data set.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NoReturn

import numpy as np

from rella_hub.corpora import Words
from rella_hub.open_folder import load_member, members

NOTHING = -1
TABLE = "view_"  # what the name of the table of a view begins with
VECTORS = "item_vectors"
SIMILARITIES = ("cosine", "l2", "l1", "inner_product")
POINTWISE = "pointwise"  # the style that a name leaves out


Loaded = tuple[Mapping[str, np.ndarray], Mapping[str, np.ndarray]]


@dataclass(frozen=True)
class Histories:
    """Samples, and what a view asked for of the behaviors before them.

    A view that needs no tables gets samples in any order. Every other one gets all samples of some users, sorted by user and position.
    """

    position: np.ndarray  # (S,) number of earlier behaviors
    start: np.ndarray  # (S,) row of the user's first behavior in the arrays of `behaviors`
    behaviors: Mapping[str, np.ndarray] = field(default_factory=dict)  # name -> (N, ...), a row for each behavior
    shared: Mapping[str, np.ndarray] = field(default_factory=dict)  # name -> whole array


def _nothing(*_: object) -> NoReturn:
    raise AssertionError("a view that mixes others is never asked")


@dataclass(frozen=True)
class View:
    sentence: (
        str  # continues "a sample is shown"; {item} and {latest} are the corpus's words, {parameter} the name's number
    )
    select: Callable[[Histories, Config], np.ndarray] = _nothing  # a view that mixes others leaves it out
    needs: tuple[str, ...] = ()  # the tables that it reads beside `samples`
    load: Callable[[Path, Config], Loaded] = (
        _nothing  # what it makes of them: `behaviors` of all interactions, and `shared`
    )
    mixes: tuple[
        str, ...
    ] = ()  # the views that each training sample is shown by in turn; the last one shows the other splits
    parameter: int | None = None  # where a name without a number stands for this one: union = union50

    @property
    def rows_per_sample(self) -> int:
        """Rows of a training sample."""
        return len(self.mixes) or 1


def view_names() -> list[str]:
    return members(sys.modules[__name__])


def load_view(name: str) -> View:
    return load_member(sys.modules[__name__], "view", name).VIEW


@dataclass(frozen=True)
class Config:
    """What is shown and how it is said; its name says all of it, but leaves out what is usual.

    ``<view>[<parameter>][_<similarity>][_<vectors>]_k<K>[_<style>]``, such as subr_k30, subr_l2_pca64_k30, recency_k30_tallrec.
    """

    view: str
    history_length: int
    similarity: str = SIMILARITIES[0]
    vectors: str | None = None  # the variant of the item vectors
    style: str = POINTWISE
    parameter: int | None = None

    @property
    def name(self) -> str:
        """The name of the Hub config of the prompts."""
        return self.table.removeprefix(TABLE) + (f"_{self.style}" if self.style != POINTWISE else "")

    @property
    def table(self) -> str:
        """The name of the table of the view itself, which prompts of every style share."""
        similarity = self.similarity if self.similarity != SIMILARITIES[0] else None
        view = f"{self.view}{'' if self.parameter is None else self.parameter}"
        return f"{TABLE}{'_'.join(filter(None, (view, similarity, self.vectors)))}_k{self.history_length}"

    @property
    def vectors_table(self) -> str:
        return vectors_table(self.vectors)

    @property
    def number(self) -> int | None:
        """The parameter of the view, whether or not the name has it."""
        return load_view(self.view).parameter if self.parameter is None else self.parameter

    @property
    def parts(self) -> list[Config]:
        """Those that this one mixes."""
        return [self.of_view(part) for part in load_view(self.view).mixes]

    @property
    def tested_as(self) -> Config:
        """The one that shows the same validation and test samples: of a mixed view its last part."""
        return self.parts[-1] if self.parts else self

    def of_view(self, name: str) -> Config:
        """The same of another view, without the similarity and the vectors where it compares none."""
        view, parameter = parse_view(name)
        if compares_vectors(view):
            return replace(self, view=view, parameter=parameter)
        return replace(self, view=view, parameter=parameter, similarity=SIMILARITIES[0], vectors=None)


def compares_vectors(view: str) -> bool:
    """Whether a view, or one that it mixes, needs item vectors."""
    known = load_view(view)
    return VECTORS in known.needs or any(compares_vectors(part) for part in known.mixes)


def vectors_table(variant: str | None) -> str:
    return f"{VECTORS}_{variant}" if variant else VECTORS


def parse_view(name: str) -> tuple[str, int | None]:
    """A view by its name and the number behind it, None for the usual one; ValueError that lists the views when there is none."""
    match = re.fullmatch(r"(?P<view>.*?)(?P<parameter>\d+)", name)
    if name in view_names() or not match or match["view"] not in view_names():
        load_view(name)
        return name, None
    usual, parameter = load_view(match["view"]).parameter, int(match["parameter"])
    if usual is None:
        raise ValueError(f"The view {match['view']} takes no number. Ask for {match['view']} instead of {name}.")
    return match["view"], parameter if parameter != usual else None


def parse_config(name: str) -> Config | None:
    """What the name of a table of prompts or of a view says; None for any other name."""
    views, similarities = ("|".join(sorted(names, key=len, reverse=True)) for names in (view_names(), SIMILARITIES[1:]))
    match = re.fullmatch(
        rf"(?P<table>{TABLE})?(?P<view>{views})(?P<parameter>\d+)?(?:_(?P<similarity>{similarities}))?"
        r"(?:_(?P<vectors>[a-z0-9]+))?_k(?P<history_length>\d+)(?:_(?P<style>[a-z]\w*))?",
        name,
    )
    if not match or (match["table"] and match["style"]):
        return None
    if match["parameter"] and load_view(match["view"]).parameter is None:
        return None
    return Config(
        match["view"],
        int(match["history_length"]),
        match["similarity"] or SIMILARITIES[0],
        match["vectors"],
        match["style"] or POINTWISE,
        int(match["parameter"]) if match["parameter"] else None,
    )


def config_name(view: str, history_length: int) -> str:
    """The name of the Hub config of a view's usual prompts."""
    return Config(view, history_length).name


def table_name(config: str) -> str:
    """The name of the table of the view behind a config."""
    parsed = parse_config(config)
    return parsed.table if parsed else f"{TABLE}{config}"


def view_of(name: str) -> tuple[str, int] | tuple[None, None]:
    """The view and K of a table of prompts or of positions, by its name."""
    parsed = parse_config(name)
    return (parsed.view, parsed.history_length) if parsed else (None, None)


def first_line(view: str) -> str:
    """What the file of a view says of itself."""
    return (load_member(sys.modules[__name__], "view", view).__doc__ or "").partition("\n")[0]


def shown_in_words(name: str, words: Words) -> str:
    """How the config of that name shows a sample, as a card says it of a corpus."""
    config = parse_config(name)
    if config is None:
        raise ValueError(f"{name!r} is no name of a config. Expected one such as subr_k30.")
    latest = "latest" if words.in_time_order else "last (in random order)"
    return load_view(config.view).sentence.format(item=words.item, latest=latest, parameter=config.number)


def pad(kept: np.ndarray, counts: np.ndarray, history_length: int) -> np.ndarray:
    """(S, K) with row s = the next counts[s] values of `kept`, then -1."""
    positions = np.full((len(counts), history_length), NOTHING, dtype=np.int32)
    positions[np.arange(history_length) < counts[:, None]] = kept
    return positions
