"""The same rows, in the same codes, as each peer reads them.

FuxiCTR's LongCTR: a table of samples, the whole sequence of each user, and a table of what a behavior is. A behavior there is a row
of that table, so each pair of item and rating is one; the target is its item with rating code 0. Torch-RecHub: an array a feature.
Code 0 is the zero vector everywhere, as it is here.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch

from rella_hub.networks.layers.batch import ITEM_FIELD
from rella_hub.systems.ctr.inputs.batches import Samples
from rella_hub.systems.ctr.inputs.columns import Columns
from rella_hub.systems.vocabulary import RATING

NAME = "samples"  # what FuxiCTR calls the data set
META = ("user_index", "item_index", "seq_len")
BATCH = 8192


def write_fuxictr(folder: Path, columns: Columns, parts: dict[str, Samples]) -> None:
    """`<split>.parquet`, `user_info.parquet`, `item_info.parquet` and `feature_map.json`."""
    folder.mkdir()
    names, ratings = list(columns.values.field_sizes), columns.values.rating_values
    first_of_item = 1 + columns.item_row.long() * ratings  # row 0 is padding
    for split, samples in parts.items():
        fields = torch.cat([batch.fields for batch in samples.batches(BATCH)]).numpy()
        target = samples.sample_id
        table = {
            "user_index": columns.user_row[target].numpy(),
            "item_index": first_of_item[target].numpy(),
            "seq_len": columns.position[target].numpy(),
            **{name: fields[:, k] for k, name in enumerate(names) if name != ITEM_FIELD},
            "label": columns.label[target].numpy(),
        }
        pq.write_table(pa.table(table), folder / f"{split}.parquet")
    user = columns.user_row.numpy()
    by_user = np.argsort(user, kind="stable")
    ends = np.cumsum(np.bincount(user, minlength=len(columns.user_fields)))
    behavior = (first_of_item + columns.rating_code).numpy()[by_user]
    sequences = pa.ListArray.from_arrays(pa.array(np.r_[0, ends].astype(np.int32)), pa.array(behavior))
    pq.write_table(
        pa.table({"user_index": np.arange(len(ends)), "full_item_seq": sequences}), folder / "user_info.parquet"
    )
    column = int(columns.order[names.index(ITEM_FIELD)]) - columns.user_fields.shape[1]
    item = np.repeat(columns.item_fields[:, column].numpy(), ratings)
    rating = np.tile(np.arange(ratings), len(columns.item_fields))
    known = {"item_index": np.arange(len(item) + 1), ITEM_FIELD: np.r_[0, item], RATING: np.r_[0, rating]}
    pq.write_table(pa.table(known), folder / "item_info.parquet")
    (folder / "feature_map.json").write_text(json.dumps(_feature_map(columns), indent=2), encoding="utf-8")


def _feature_map(columns: Columns) -> dict:
    def categorical(size: int, source: str) -> dict:
        return {"source": source, "type": "categorical", "vocab_size": size, "padding_idx": 0}

    of_behavior = {ITEM_FIELD: columns.values.field_sizes[ITEM_FIELD], RATING: columns.values.rating_values}
    features = [{name: {"type": "meta"}} for name in META]
    features += [
        {name: categorical(size, "field")} for name, size in columns.values.field_sizes.items() if name != ITEM_FIELD
    ]
    features += [{name: categorical(size, "item")} for name, size in of_behavior.items()]
    return {"dataset_id": NAME, "labels": ["label"], "features": features}


def write_torch_rechub(folder: Path, columns: Columns, parts: dict[str, Samples]) -> None:
    """`<split>.npz`, an array a feature, and `sizes.json`."""
    folder.mkdir()
    for split, samples in parts.items():
        batches = list(samples.batches(BATCH))
        fields = torch.cat([batch.fields for batch in batches]).int().numpy()
        arrays = {name: np.ascontiguousarray(fields[:, k]) for k, name in enumerate(columns.values.field_sizes)}
        arrays["history_item"] = torch.cat([batch.history_item for batch in batches]).int().numpy()
        arrays["history_rating"] = torch.cat([batch.history_rating for batch in batches]).int().numpy()
        np.savez(folder / f"{split}.npz", **arrays, label=samples.label)
    sizes = {"fields": columns.values.field_sizes, "ratings": columns.values.rating_values}
    (folder / "sizes.json").write_text(json.dumps(sizes, indent=2), encoding="utf-8")
