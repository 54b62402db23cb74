"""The tasks: each file here, a protocol, says what may be predicted from what, and adding a file is registering it.

A protocol puts each user's interactions into the order in which they count as past and future, says which of them are samples,
and cuts the samples into train, validation and test. It defines

- ``order(interactions, seed)``: the rows sorted by user and then by what comes first;
- ``samples(interactions, minimum_history)``: one row a sample (sample_id, user_id, position, item_id, label);
- ``split(samples, seed)``: {"train": ..., "validation": ..., "test": ...}, disjoint, nothing lost;
- ``ORDER``, ``SAMPLES``, ``SPLIT`` and ``PROMISE``: the same in words, for records and cards. `SAMPLES` has a place for
  {minimum_history}, which is the corpus's unless there is a ``MINIMUM_HISTORY``; `PROMISE` says what no two splits share;
- ``DIVERGENCES``: where the paper, its released code and this protocol differ;
- ``NEXT_ITEM``, where the question is not whether a user will like an item but which item comes next: what `NextItem` says. Its samples
  have no label, and candidates are drawn for them (rella_hub/stages/candidates.py).
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from types import ModuleType

from rella_hub.open_folder import load_member


@dataclass(frozen=True)
class NextItem:
    """What a protocol says beside its splits where systems choose the next item among candidates."""

    candidates: int  # of each sample, the target among them
    candidates_of: tuple[str, ...]  # the splits whose samples have candidates
    history_length: int  # K: how many behaviors are shown
    minimum_history: int  # of a sample, whatever the corpus says
    in_words: bool  # whether the question is also put into a prompt that lists the candidates
    lowest_rating: float | None = None  # what is rated below is left out


def load_protocol(name: str) -> ModuleType:
    return load_member(sys.modules[__name__], "protocol", name)


def next_item_of(name: str) -> NextItem | None:
    """What a protocol says of its candidates; None where it asks whether a user will like an item."""
    return getattr(load_protocol(name), "NEXT_ITEM", None)
