"""One case: whose profile is told, which behaviors came before, and which item is asked about; typed by a person, or of a sample."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from rella_hub.demo.catalogue import Catalogue
from rella_hub.prompts.pointwise import in_stars
from rella_hub.tables import store
from rella_hub.tables.keys import codes_of
from rella_hub.texts.shown import plain

LONGEST_TEXT = 8_000  # characters of a typed history
MOST_BEHAVIORS = 200
LINE = re.compile(r"(?P<title>.+?)\s*\(\s*(?P<stars>\d+(?:\.\d+)?)\s*stars?\s*\)")


@dataclass(frozen=True)
class Case:
    user: int  # row in `users` of the profile
    items: tuple[int, ...]  # rows in `items` of the behaviors, the oldest first
    ratings: tuple[float, ...]
    target: int  # row in `items`
    times: tuple[int, ...] | None = None  # of the behaviors and the target; None where nobody said

    def __len__(self) -> int:
        return len(self.items)


@dataclass(frozen=True)
class Example:
    """A sample of the test split, to begin with."""

    name: str
    case: Case
    liked: bool  # what its user thought


def typed_case(catalogue: Catalogue, user: int, history: str, target: str) -> Case:
    """A case as a person typed it, a behavior on each line. ValueError with a sentence for that person."""
    word = catalogue.corpus.words.item
    if len(history) > LONGEST_TEXT:
        raise ValueError(f"The history has {len(history):,} characters; at most {LONGEST_TEXT:,} are read.")
    lines = [line for line in history.splitlines() if line.strip()]
    if not lines:
        raise ValueError(f"The history is empty. Add at least one {word} with its stars.")
    if len(lines) > MOST_BEHAVIORS:
        raise ValueError(f"The history has {len(lines):,} lines; at most {MOST_BEHAVIORS} are read.")
    if not target or not target.strip():
        raise ValueError(f"There is no target. Choose the {word} to ask about.")
    if not 0 <= user < len(catalogue.users):
        raise ValueError("There is no such person. Choose one of the list.")
    items, ratings = zip(*(_behavior(catalogue, line, number) for number, line in enumerate(lines, 1)), strict=True)
    return Case(user, items, ratings, catalogue.item(target))


def _behavior(catalogue: Catalogue, line: str, number: int) -> tuple[int, float]:
    found = LINE.fullmatch(line.strip())
    if not found:
        raise ValueError(
            f"Line {number} of the history is {plain(line.strip(), 80)!r}; expected a title and its stars, such as "
            f"{catalogue.titles[0]} {in_stars(catalogue.ratings[-1])}"
        )
    stars = float(found["stars"])
    if stars not in catalogue.ratings:
        known = ", ".join(f"{rating:g}" for rating in catalogue.ratings)
        raise ValueError(
            f"Line {number} of the history has {plain(found['stars'], 20)} stars; this corpus knows {known}."
        )
    return catalogue.item(found["title"]), stars


def as_text(catalogue: Catalogue, case: Case) -> str:
    """The history of a case as a person would type it."""
    pairs = zip(case.items, case.ratings, strict=True)
    return "\n".join(f"{catalogue.titles[item]} {in_stars(rating)}" for item, rating in pairs)


def sample_case(catalogue: Catalogue, sample_id: int, position: int) -> Case:
    """The case that a sample of the data set is."""
    rows = slice(sample_id - position, sample_id)
    table = catalogue.interactions
    time = table["timestamp"][rows.start : sample_id + 1]
    missing = "users have interactions but no row in users"
    (user,) = codes_of(
        table["user_id"][sample_id : sample_id + 1].to_numpy(), catalogue.users["user_id"].to_numpy(), missing
    )
    return Case(
        user=int(user),
        items=tuple(catalogue.item_rows[rows].tolist()),
        ratings=tuple(table["rating"][rows].to_pylist()),
        target=int(catalogue.item_rows[sample_id]),
        times=None if time.null_count else tuple(time.to_pylist()),
    )


def examples(catalogue: Catalogue, count: int, seed: int = 0) -> list[Example]:
    """Samples of the test split, each of another user, with a history that can be typed."""
    table = store.read(catalogue.folder, "samples", "test", ["sample_id", "user_id", "position", "label"])
    order = np.random.default_rng(seed).permutation(len(table))
    found: dict[int, Example] = {}
    for row in order:
        sample_id, user_id, position, label = (table[name][int(row)].as_py() for name in table.schema.names)
        if user_id in found or not 0 < position <= MOST_BEHAVIORS:
            continue
        case = sample_case(catalogue, sample_id, position)
        if len(as_text(catalogue, case)) > LONGEST_TEXT:
            continue
        name = f"user {user_id}, {position} behaviors, asked about {catalogue.titles[case.target]}"
        found[user_id] = Example(name, case, bool(label))
        if len(found) == count:
            break
    return list(found.values())
