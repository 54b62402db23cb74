"""Values ↔ codes, field by field: what training has seen gets a code from 1 on, everything else is code 0.

Seen are the users of the training samples, and the items that are their targets or in their histories. So a user or an item that
first turns up in validation or test has the embedding of code 0, which is zero and never trained: the model must judge it by its
other fields and by the history. The vocabulary is saved beside the weights, so that a model can be put to another build of the data.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from rella_hub.corpora import Corpus
from rella_hub.files.replace import replacing_file

UNSEEN = 0
RATING = "rating"
FILE = "vocabulary.parquet"
COLUMNS = {"field": pl.String, "value": pl.String, "code": pl.Int32}


@dataclass(frozen=True)
class Values:
    """One row a known value: `field`, `value` as text, `code` from 1."""

    table: pl.DataFrame

    @property
    def field_sizes(self) -> dict[str, int]:
        """Codes of each field, code 0 included, without the rating's; fields by name, as models take them."""
        sizes = {field: known + 1 for field, known in self.table.group_by("field").len().iter_rows()}
        return {field: sizes[field] for field in sorted(sizes) if field != RATING}

    @property
    def rating_values(self) -> int:
        """Codes of the rating of a behavior, code 0 included."""
        return int((self.table["field"] == RATING).sum()) + 1

    def codes(self, column: pl.Series, field: str) -> np.ndarray:
        """(n,) int32 codes of a column of values; 0 where training has not seen the value."""
        known = self.table.filter(pl.col("field") == field)
        values = column.unique()  # so that only few become text
        codes = values.cast(pl.String).replace_strict(
            known["value"], known["code"], default=UNSEEN, return_dtype=pl.Int32
        )
        return column.replace_strict(values, codes, return_dtype=pl.Int32).to_numpy()

    def save(self, folder: Path) -> None:
        with replacing_file(folder / FILE) as temporary:
            self.table.write_parquet(temporary)


def load_values(folder: Path) -> Values:
    """The vocabulary of a trained model; ValueError when it is missing or damaged."""
    path = folder / FILE
    try:
        table = pl.read_parquet(path, glob=False)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise ValueError(
            f"{folder} has no readable {FILE} ({type(error).__name__}), without which its codes mean nothing. Train again."
        ) from error
    _require_vocabulary(table, path)
    return Values(table)


def _require_vocabulary(table: pl.DataFrame, path: Path) -> None:
    """ValueError unless every field numbers its values from 1, each once."""
    wanted = {"field": pl.String, "value": pl.String, "code": pl.Int32}
    if dict(table.schema) != wanted or sum(table.null_count().row(0)):
        raise ValueError(f"{path} has other columns than field, value and code, or gaps in them. Get the model again.")
    code = pl.col("code")
    counted = table.group_by("field").agg(
        rows=pl.len().cast(pl.Int64),
        values=pl.col("value").n_unique().cast(pl.Int64),
        codes=code.n_unique().cast(pl.Int64),
        first=code.min(),
        last=code.max().cast(pl.Int64),
    )
    right = pl.all_horizontal(
        pl.col("first") == 1, *(pl.col(name) == pl.col("rows") for name in ("values", "codes", "last"))
    )
    wrong = counted.filter(~right)
    if len(wrong):
        raise ValueError(f"{path} does not number the values of each field from 1, each once. Get the model again.")


def learn_values(corpus: Corpus, users: pl.DataFrame, items: pl.DataFrame, ratings: pl.Series) -> Values:
    """The vocabulary of what training has seen. users, items: only those seen; ratings: of the behaviors seen."""
    parts = []
    for field in corpus.features:
        table = users if field in users.columns else items
        parts.append(numbered(field, table[field]))
    parts.append(numbered(RATING, ratings))
    return Values(pl.concat(parts))


def numbered(field: str, column: pl.Series) -> pl.DataFrame:
    """The rows of a field's values: numbered from 1, ascending."""
    values = column.unique().sort().drop_nulls().cast(pl.String)
    return pl.DataFrame(
        {
            "field": pl.repeat(field, len(values), eager=True, dtype=pl.String),
            "value": values,
            "code": pl.int_range(1, len(values) + 1, dtype=pl.Int32, eager=True),
        }
    )
