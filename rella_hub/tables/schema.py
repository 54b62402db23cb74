"""What every table holds, and the checks it must pass before it is written.

The arrows between the stages are these tables and nothing else. Each schema is a ``datasets.Features``, so a
label is a ClassLabel on disk, on the Hub and in the viewer alike.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from datasets import ClassLabel, Features, List, Value

LABEL_NAMES = ["No", "Yes"]  # index = label: 1 means that the user liked the item


def label_feature() -> ClassLabel:
    return ClassLabel(names=LABEL_NAMES)


INTERACTIONS = Features(
    {
        "user_id": Value("int32"),
        "item_id": Value("int32"),
        "rating": Value("float32"),
        "timestamp": Value("int64"),
        "label": label_feature(),
    }
)

SAMPLES = Features(
    {
        "sample_id": Value("int64"),  # the row of the target interaction in `interactions`
        "user_id": Value("int32"),
        "position": Value("int32"),  # number of earlier interactions of that user
        "item_id": Value("int32"),
        "label": label_feature(),
    }
)

VIEWS = Features({"sample_id": Value("int64"), "positions": List(Value("int32"))})

PROMPTS = Features(
    {
        "sample_id": Value("int64"),
        "prompt": Value("string"),
        "completion": Value("string"),
        "label": label_feature(),
    }
)


def item_vectors(dimension: int) -> Features:
    """Unit vectors keyed by item id.

    ``norm`` is the length before normalization, so that the distances that are not invariant to length (`l2`, `l1`,
    `inner_product`) can be taken on the vectors PCA gave.
    """
    return Features(
        {"item_id": Value("int32"), "vector": List(Value("float32"), length=dimension), "norm": Value("float32")}
    )


def text_table(key: str, fields: list[str]) -> Features:
    """A `users` or `items` table: the integer id and the text fields of the corpus."""
    return Features({key: Value("int32"), **{field: Value("string") for field in fields}})


# A column of one of these names has one type and no nulls wherever it is read; only a timestamp may be missing. A corpus without
# ratings has tables without ratings and labels: whoever can do without them reads the other columns.
COLUMNS = {
    column.name: column.type for table in (INTERACTIONS, SAMPLES, VIEWS, PROMPTS) for column in table.arrow_schema
}
MAY_BE_MISSING = {"timestamp"}
OF_RATINGS = {"rating", "label"}


def check_types(columns: pa.Schema, where: object) -> None:
    """ValueError for a column of another type than this project writes: a cast would change its values in silence."""
    for column in columns:
        expected = COLUMNS.get(column.name, column.type)
        if column.type != expected:
            raise ValueError(
                f"{where}: column {column.name!r} holds {column.type}, expected {expected}: this project did not write it so. "
                "Build the table again."
            )


def check_values(part: pa.Table | pa.RecordBatch, where: object) -> None:
    """ValueError for nulls, and for labels that are not 0 or 1."""
    for name in part.schema.names:
        nulls = part[name].null_count if name in COLUMNS and name not in MAY_BE_MISSING else 0
        if nulls == part.num_rows > 0 and name in OF_RATINGS:
            raise ValueError(
                f"{where}: there is no {name}, because the corpus has no ratings. Take a corpus that has some."
            )
        if nulls:
            raise ValueError(f"{where}: column {name!r} has {nulls:,} nulls. Build the table again.")
    if "label" in part.schema.names and part.num_rows:
        bounds = pc.min_max(part["label"]).as_py()
        wrong = [value for value in bounds.values() if value not in (0, 1)]
        if wrong:
            raise ValueError(f"{where}: a label must be 0 or 1; one is {wrong[0]}. Build the table again.")


def check_keys_unique(table: pa.Table, key: str, name: str) -> None:
    counts = pc.value_counts(table[key].combine_chunks())
    repeated = counts.filter(pc.greater(counts.field("counts"), 1))
    if len(repeated):
        first = repeated[0]["values"].as_py()
        raise ValueError(
            f"{name}: {len(repeated)} values of {key} occur more than once (the first is {first}); each must occur once."
        )


def check_views(sample_position: np.ndarray, positions: np.ndarray, history_length: int) -> None:
    """Hold the contract of a view: strictly increasing, all before the target, min(K, position) of them.

    sample_position: (S,); positions: (S, K), unused places at the right are -1.
    """
    shown = positions >= 0
    lengths = shown.sum(axis=1)
    assert (lengths == np.minimum(history_length, sample_position)).all(), "a view shows min(K, position) behaviors"
    assert (positions.max(axis=1, initial=-1) < sample_position).all(), "a view never shows the target or the future"
    assert (shown[:, :-1] >= shown[:, 1:]).all(), "unused places stand at the right"
    assert ((np.diff(positions, axis=1) > 0) | ~shown[:, 1:]).all(), "a view is strictly increasing in time"
