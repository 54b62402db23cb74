"""Next-item questions as a hybrid system reads them: the prompts of the data set, with the place of an item behind each title.

Divergence, the wording. Paper: one is printed. Released code: three a corpus, one drawn for each batch. Ours: one, that of the data set.
Why: every system answers the same question in the same words, and a text-only prompt is the one that the data set shows.

Divergence, text-only prompts. Paper: titles alone. Released code: behind each title stands a new token, which is never trained. Ours:
titles alone. Why: an untrained vector tells nothing, and the prompts are those of a model without a recommender.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa

from rella_hub.corpora import load_corpus
from rella_hub.language_models.item_prompts import MARK
from rella_hub.prompts.choosing import next_item
from rella_hub.systems.sequential.items import ItemTable
from rella_hub.tables import candidates, store
from rella_hub.tables.keys import rows_of


def require_questions(folder: Path, config_name: str) -> None:
    """ValueError where a config is none of next-item prompts, or the data set does not have it."""
    if candidates.parse_config(config_name) is None:
        raise ValueError(
            f"--config_name is {config_name}; expected one of next-item prompts with candidates, such as next_item_k10."
        )
    if config_name not in store.table_names(folder):
        raise ValueError(
            f"{folder} has no config {config_name}. Make it: python dataset_builders/release.py --corpus <corpus> --task next_item"
        )


@dataclass(frozen=True, eq=False)
class Hybrid:
    """How the questions of a data set are put with items in them."""

    item_id: np.ndarray  # (I,) of the data set, ascending or not
    fragments: next_item.Fragments
    table: ItemTable

    @classmethod
    def of(cls, folder: Path, table: ItemTable) -> Hybrid:
        items = pl.DataFrame(store.read(folder, "items"))
        words = load_corpus(store.made_from(folder, "items")["corpus"]).words
        known = next_item.fragments(words, items, after_shown=MARK, after_candidate=MARK)
        return cls(items["item_id"].to_numpy(), known, table)

    def put(self, rows: pa.Table) -> tuple[list[str], list[np.ndarray]]:
        """The prompts of rows of a config, and the rows of the item vectors that stand in each, in order."""
        history, shown = _padded(rows["history_item_ids"])
        listed = candidates.matrix(rows["candidate_item_ids"])
        codes = [
            rows_of(ids.ravel(), self.item_id, "items are not in the data set").reshape(ids.shape)
            for ids in (history, listed)
        ]
        texts = next_item.prompts(self.fragments, codes[0], shown, codes[1]).to_pylist()
        ids = [np.concatenate([row[there], of_row]) for row, there, of_row in zip(history, shown, listed, strict=True)]
        places = self.table.items.codes(np.concatenate(ids)) - 1 if ids else np.empty(0, np.int64)
        return texts, np.split(places, np.cumsum([len(one) for one in ids])[:-1])


def _padded(column: pa.ChunkedArray) -> tuple[np.ndarray, np.ndarray]:
    """(S, K) of lists of unequal length, filled up with the first id of all, and which of them are there."""
    lists = column.combine_chunks()
    lengths = lists.value_lengths().to_numpy(zero_copy_only=False)
    values = lists.flatten().to_numpy(zero_copy_only=False)
    shown = np.arange(lengths.max(initial=0)) < lengths[:, None]
    padded = np.full(shown.shape, values[0] if len(values) else 0)
    padded[shown] = values
    return padded, shown
