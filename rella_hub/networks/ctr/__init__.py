"""The traditional CTR models of ReLLa's main table: one paper a file, and adding a file is registering it.

A file holds a class that has the paper's name, the file's name in lower case. It is made from
``(field_sizes, rating_values, ...)``, the vocabulary and then options of its own that all have defaults, and maps a
`rella_hub.networks.layers.batch.Batch` to (B,) logits.

All of them see the same data, as in ReLLa's comparison: every field of user and target item, and the history. What a paper
has no place for is put where it belongs: models of interactions between fields get the means of the history's items and of its
ratings as two more fields; models of sequences give the state of the sequence (an encoder of rella_hub/networks/sequence/) and the
embeddings of all fields to an MLP.
"""

from __future__ import annotations

import sys

from rella_hub.networks.layers.saving import SavedModel
from rella_hub.open_folder import load_class, members


def model_names() -> list[str]:
    return members(sys.modules[__name__])


def load_model_class(name: str) -> type[SavedModel]:
    return load_class(sys.modules[__name__], "model", name)
