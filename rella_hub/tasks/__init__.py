"""The tasks: each file here, a protocol, says what may be predicted from what, and adding a file is registering it.

A protocol puts each user's interactions into the order in which they count as past and future, says which of them are samples,
and cuts the samples into train, validation and test. It defines

- ``order(interactions, seed)``: the rows sorted by user and then by what comes first;
- ``samples(interactions, minimum_history)``: one row a sample (sample_id, user_id, position, item_id, label);
- ``split(samples, seed)``: {"train": ..., "validation": ..., "test": ...}, disjoint, nothing lost;
- ``ORDER``, ``SAMPLES``, ``SPLIT`` and ``PROMISE``: the same in words, for records and cards. `SAMPLES` has a place for
  {minimum_history}, which is the corpus's unless there is a ``MINIMUM_HISTORY``; `PROMISE` says what no two splits share;
- ``DIVERGENCES``: where the paper, its released code and this protocol differ.
"""

from __future__ import annotations

import sys
from types import ModuleType

from rella_hub.open_folder import load_member


def load_protocol(name: str) -> ModuleType:
    return load_member(sys.modules[__name__], "protocol", name)
