"""The choices table: one Parquet file for one system on the questions of one split and one draw of candidates.

    sample_id, user_id, target_item_id, item_ids      the question: which of item_ids comes next?
    scores                                            one a candidate, the higher the likelier; null where the system gives none
    chosen_item_id                                    the answer; null where the system gave none that is a candidate
    generated                                         the answer as a language model wrote it; null where none was written

What the choices were made from travels in the file's metadata under the key `rella`, as with scores.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from rella_hub.files.pointers import pointer
from rella_hub.files.replace import replacing_file
from rella_hub.tables import checked, store
from rella_hub.tables.candidates import check as check_candidates
from rella_hub.tables.candidates import matrix
from rella_hub.tables.checked import COUNT, LINE, LINES, NAME, RECORD, optional

NONE = -1  # a chosen item that is none
SCHEMA = pa.schema(
    {
        "sample_id": pa.int64(),
        "user_id": pa.int64(),
        "target_item_id": pa.int64(),
        "item_ids": pa.list_(pa.int32()),
        "scores": pa.list_(pa.float64()),
        "chosen_item_id": pa.int64(),
        "generated": pa.string(),
    }
)
MAY_BE_NULL = ("scores", "chosen_item_id", "generated")
RECORD_TEXTS = ("system", "dataset", "config_name", "split", "corpus")
RECORD_KEYS = (*RECORD_TEXTS, "draw", "limit", "seed", "fingerprint")  # the rest may be null
RECORD_KINDS = {
    **dict.fromkeys(("config_name", "split", "corpus"), NAME),
    **dict.fromkeys(("system", "dataset", "fingerprint"), LINE),
    **dict.fromkeys(("base", "adapter", "model", "dataset_folder", "dataset_revision"), optional(LINE)),
    **dict.fromkeys(("base_revision", "adapter_revision", "model_revision"), optional(LINE)),
    **dict.fromkeys(("candidates_fingerprint", "prompts_fingerprint"), optional(NAME)),
    **dict.fromkeys(("limit", "training_samples", "seed", "draw", "tokens"), optional(COUNT)),
    **dict.fromkeys(("base_identity", "adapter_identity", "model_identity"), optional(RECORD)),
    "libraries": LINES,
}


@dataclass(frozen=True)
class Choices:
    """The choices of one system, in the order of `sample_id`, so that two files of the same questions line up row by row."""

    path: Path | None  # None: computed for a report, not read from a file
    sample_id: np.ndarray  # (n,) int64, ascending
    user_id: np.ndarray  # (n,)
    target: np.ndarray  # (n,) item ids
    item_ids: np.ndarray  # (n, C)
    scores: np.ndarray | None  # (n, C) float64; None where the system gives none
    chosen: np.ndarray  # (n,) item ids, NONE where there is no valid answer
    record: dict

    @property
    def is_right(self) -> np.ndarray:
        """(n,) whether the target was chosen."""
        return self.chosen == self.target

    @property
    def predictions(self) -> list[list[float]]:
        """What the metrics of choices take: the scores of the candidates, 1 for the chosen one where there are none, [] for no answer."""
        if self.scores is not None:
            return self.scores.tolist()
        return [row.tolist() if row.any() else [] for row in (self.item_ids == self.chosen[:, None]).astype(float)]

    @property
    def references(self) -> list[int]:
        """The place of the target among the candidates."""
        return np.argmax(self.item_ids == self.target[:, None], axis=1).tolist()


def best(item_ids: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """(n,) the candidate of the highest score, of equal ones the first listed: their order is chance."""
    return np.take_along_axis(item_ids, np.argmax(scores, axis=1)[:, None], axis=1)[:, 0]


def write_choices(path: Path, table: pa.Table, record: dict) -> None:
    """Write one file whole or not at all, in the order given. table: the columns of `SCHEMA`; `record` has `RECORD_KEYS`."""
    _check_record(record, path)
    table = table.select(SCHEMA.names).cast(SCHEMA)
    _check_table(table, path)
    require_choice_file(path)
    with replacing_file(Path(path)) as temporary:
        marked = table.replace_schema_metadata({store.PROVENANCE_KEY: json.dumps(record, sort_keys=True)})
        pq.write_table(marked, temporary, compression="zstd")


def is_choice_file(path: Path) -> bool:
    """Whether a Parquet file has the columns of choices."""
    try:
        return "item_ids" in pq.read_schema(path).names and "target_item_id" in pq.read_schema(path).names
    except (pa.ArrowException, OSError):
        return False


def require_choice_file(path: Path) -> None:
    """ValueError where `path` holds something else than choices that this project wrote: that is not replaced."""
    if not Path(path).exists():
        return
    try:
        read_record(path)
    except ValueError as error:
        raise ValueError(f"{path} is not replaced: {error} Move it, or give another output.") from error


def read_record(path: Path) -> dict:
    return _record_of(_read(path).schema, path)


def read_choices(path: Path) -> Choices:
    """One file of choices in sample order; ValueError when it is not there, damaged, or not what `write_choices` writes."""
    table = _read(path)
    record = _record_of(table.schema, path)
    _check_table(table, path)
    table = table.sort_by("sample_id")
    sample_id, user_id, target = (table[name].to_numpy() for name in ("sample_id", "user_id", "target_item_id"))
    scores = None if table["scores"].null_count else matrix(table["scores"])
    chosen = table["chosen_item_id"].fill_null(NONE).to_numpy()
    return Choices(Path(path), sample_id, user_id, target, matrix(table["item_ids"]), scores, chosen, record)


def _read(path: Path) -> pa.Table:
    if not Path(path).is_file():
        raise ValueError(f"There is no file of choices {path}. They are written by python evaluation/choose.py.")
    try:
        with pq.ParquetFile(path) as file:
            table = file.read()
    except (pa.ArrowException, OSError) as error:
        raise ValueError(
            f"{path} {pointer(path) or f'is not a readable Parquet file ({error}). Choose again.'}"
        ) from error
    for field in SCHEMA:
        if field.name not in table.schema.names or table.schema.field(field.name).type != field.type:
            got = ", ".join(f"{one.name} {one.type}" for one in table.schema)
            raise ValueError(f"{path} has no column {field.name!r} of {field.type}. Got: {got}. Choose again.")
        if field.name not in MAY_BE_NULL and table[field.name].null_count:
            raise ValueError(f"{path}: column {field.name!r} has {table[field.name].null_count} nulls. Choose again.")
    return table


def _record_of(schema: pa.Schema, path: Path) -> dict:
    metadata = schema.metadata or {}
    if store.PROVENANCE_KEY not in metadata:
        raise ValueError(f"{path} does not say which system chose. Use a file written by python evaluation/choose.py.")
    record: Any = checked.parse_json(metadata[store.PROVENANCE_KEY], f"{path}: its metadata")
    _check_record(record, path)
    return checked.Record(record, str(path))


def _check_record(record: dict, path: Path) -> None:
    checked.require(record, RECORD_KINDS, str(path))
    missing = [key for key in RECORD_KEYS if key not in record]
    if missing:
        raise ValueError(f"{path}: its record lacks {', '.join(missing)}. Choose again.")
    for key in RECORD_TEXTS:
        if not isinstance(record[key], str):
            raise ValueError(f"{path}: its record has {key} = {checked.shown(record[key])}, expected a text.")


def _check_table(table: pa.Table, path: Path) -> None:
    if not len(table):
        raise ValueError(f"{path}: it holds no choices. Ask at least one question.")
    sizes = table["item_ids"].combine_chunks().value_lengths().to_numpy()
    if len(np.unique(sizes)) != 1:
        raise ValueError(
            f"{path}: its questions have {sizes.min()} to {sizes.max()} candidates, expected as many for all."
        )
    ids, counts = np.unique(table["sample_id"].to_numpy(), return_counts=True)
    if len(ids) < len(table):
        raise ValueError(f"{path}: sample {ids[counts > 1][0]} is answered more than once. Choose again.")
    item_ids = matrix(table["item_ids"])
    check_candidates(table["target_item_id"].to_numpy(), item_ids, path)
    nulls = table["scores"].null_count
    if nulls not in (0, len(table)):
        raise ValueError(
            f"{path}: {nulls} of {len(table)} questions have no scores, expected all or none. Choose again."
        )
    if not nulls:
        lengths = table["scores"].combine_chunks().value_lengths().to_numpy()
        if (lengths != sizes).any() or not np.isfinite(matrix(table["scores"])).all():
            raise ValueError(f"{path}: expected a finite score for each candidate. Choose again.")
    chosen = table["chosen_item_id"].fill_null(NONE).to_numpy()
    strange = (chosen != NONE) & ~(item_ids == chosen[:, None]).any(axis=1)
    if strange.any():
        raise ValueError(
            f"{path}: item {chosen[strange][0]} was chosen, which is no candidate of its question. Choose again."
        )
