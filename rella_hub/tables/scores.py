"""The scores table: one Parquet file for one system on one split: `sample_id`, `user_id`, `label`, `score` = P(the user likes the item).

What the scores were made from travels in the file's metadata under the key `rella`, so that a file found a year later
still says which system, base model, data set and split it belongs to. Files of 0.2 have no `user_id`; they are read without.
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
from rella_hub.tables.checked import COUNT, LINE, LINES, NAME, NUMBER, RECORD, group, optional
from rella_hub.tables.keys import rows_of
from rella_hub.tables.store import PROVENANCE_KEY

SCHEMA = pa.schema({"sample_id": pa.int64(), "user_id": pa.int64(), "label": pa.int64(), "score": pa.float64()})
SINCE_0_3 = ("user_id",)
OF_A_BASE = {
    "origin": optional(RECORD),
    "name": LINE,
    "revision": LINE,
    **dict.fromkeys(("weights", "config", "tokenizer"), optional(LINE)),
}
OF_AN_ADAPTER = {"name": LINE, "sha256": NAME, "settings_sha256": NAME}
OF_A_CTR_MODEL = {
    **{"name": LINE, "options": RECORD},
    **dict.fromkeys(("sha256", "model", "corpus"), NAME),
    **dict.fromkeys(("history_length", "retrieved"), COUNT),
    **{"search": optional(NAME), "num_shots": optional(COUNT)},
}
RECORD_KINDS = {  # what the record of scores may say, as far as anything here reads it
    **dict.fromkeys(("config_name", "split", "corpus"), NAME),
    **dict.fromkeys(("system", "dataset", "fingerprint"), LINE),
    **dict.fromkeys(("base", "adapter", "model", "dataset_folder", "dataset_revision"), optional(LINE)),
    **dict.fromkeys(("base_revision", "adapter_revision", "model_revision"), optional(LINE)),
    **dict.fromkeys(("prompts_fingerprint", "samples_fingerprint", "training_config"), optional(NAME)),
    **dict.fromkeys(("dtype", "quantization"), NAME),
    **{"computed_in": NAME, "chat_template_kwargs": optional(RECORD), "training_settings": optional(RECORD)},
    **dict.fromkeys(
        ("limit", "training_samples", "seed", "max_length", "tokens", "trainable_weights"), optional(COUNT)
    ),
    **dict.fromkeys(("base_identity", "adapter_identity", "model_identity"), optional(RECORD)),
    "libraries": LINES,
    "seconds": NUMBER,
    "shard": group(dict.fromkeys(("number", "of", "rows", "rows_per_chunk"), COUNT)),
}
RECORD_TEXTS = ("system", "dataset", "config_name", "split", "corpus")  # always a non-empty text
RECORD_KEYS = (
    *RECORD_TEXTS,
    "base",
    "adapter",
    "dataset_folder",
    "limit",
    "seed",
    "fingerprint",
)  # the rest may be null


@dataclass(frozen=True)
class Scores:
    """The scores of one system, in the order of `sample_id`, so that two files of the same samples line up row by row."""

    path: Path | None  # None: computed for a report, not read from a file
    sample_id: np.ndarray  # (n,) int64, ascending
    user_id: np.ndarray | None  # (n,) int64; None where the file does not hold it
    label: np.ndarray  # (n,) int64, 0 or 1
    score: np.ndarray  # (n,) float64, in [0, 1]
    record: dict


def write_scores(
    path: Path,
    sample_id: np.ndarray,
    user_id: np.ndarray | None,
    label: np.ndarray,
    score: np.ndarray,
    record: dict,
) -> None:
    """Write one score file whole or not at all, in the order given. `record` must have `RECORD_KEYS` and may have more.

    user_id: (n,), as `users_of` gives it; None where a file of 0.2 is written again.
    """
    _check_record(record, path)
    _check_columns(sample_id, user_id, label, score, path)
    columns = {"sample_id": sample_id, "user_id": user_id, "label": label, "score": score}
    columns = {name: column for name, column in columns.items() if column is not None}
    schema = pa.schema([SCHEMA.field(name) for name in columns])
    schema = schema.with_metadata({PROVENANCE_KEY: json.dumps(record, sort_keys=True)})
    require_score_file(path)
    with replacing_file(Path(path)) as temporary:
        pq.write_table(pa.table(columns, schema=schema), temporary, compression="zstd")


def require_score_file(path: Path) -> None:
    """ValueError where `path` holds something else than scores that this project wrote: that is not replaced."""
    if not Path(path).exists():
        return
    try:
        _read_record(_read(path).schema, path)
    except ValueError as error:
        raise ValueError(f"{path} is not replaced: {error} Move it, or give another output.") from error


def read_scores(path: Path) -> Scores:
    """One score file in sample order; ValueError when it is not there, damaged, or not what `write_scores` writes."""
    found = read_stored(path)
    if "shard" in found.record:
        raise ValueError(
            f"{path} is one shard of a score file. Join all of them first: python evaluation/join_scores.py"
        )
    order = np.argsort(found.sample_id)
    users = None if found.user_id is None else found.user_id[order]
    return Scores(found.path, found.sample_id[order], users, found.label[order], found.score[order], found.record)


def read_stored(path: Path) -> Scores:
    """A score file, or a shard of one, in the order of its rows."""
    table = _read(path)
    record = _read_record(table.schema, path)
    sample_id, label, score = (table[name].to_numpy() for name in ("sample_id", "label", "score"))
    user_id = table["user_id"].to_numpy() if "user_id" in table.schema.names else None
    _check_columns(sample_id, user_id, label, score, path)
    return Scores(Path(path), sample_id, user_id, label, score, record)


def users_of(folder: Path, split: str, sample_ids: np.ndarray) -> np.ndarray:
    """(n,) int64 user of each of `sample_ids` (n,), from the `samples` of a data set folder."""
    table = store.read(folder, "samples", split, ["sample_id", "user_id"])
    rows = rows_of(
        sample_ids,
        table["sample_id"].to_numpy(),
        f"scored samples are not in the {split} split of {folder / 'samples'}",
    )
    return table["user_id"].to_numpy()[rows].astype(np.int64)


def _read(path: Path) -> pa.Table:
    if Path(path).is_dir():
        raise ValueError(f"{path} is a folder. Give score files, such as {path}/*.parquet.")
    if not Path(path).is_file():
        raise ValueError(f"There is no score file {path}. Score files are written by python evaluation/score.py.")
    try:
        with pq.ParquetFile(path) as file:
            table = file.read()
    except (pa.ArrowException, OSError) as error:
        raise ValueError(
            f"{path} {pointer(path) or f'is not a readable Parquet file ({error}). Score again.'}"
        ) from error
    for field in SCHEMA:
        if field.name not in table.schema.names:
            if field.name in SINCE_0_3:
                continue
            got = ", ".join(table.schema.names)
            raise ValueError(f"{path} has no column {field.name!r}. Got: {got}; expected: {', '.join(SCHEMA.names)}.")
        got = table.schema.field(field.name).type
        if got != field.type:
            raise ValueError(f"{path}: column {field.name!r} holds {got}, expected {field.type}. Score again.")
        if table[field.name].null_count:
            raise ValueError(f"{path}: column {field.name!r} has {table[field.name].null_count} nulls. Score again.")
    return table


def _read_record(schema: pa.Schema, path: Path) -> dict:
    metadata = schema.metadata or {}
    if PROVENANCE_KEY not in metadata:
        raise ValueError(
            f"{path} does not say which system and samples it scores (no metadata under the key "
            f"{PROVENANCE_KEY.decode()!r}). Use a file written by python evaluation/score.py."
        )
    record: Any = checked.parse_json(metadata[PROVENANCE_KEY], f"{path}: its metadata")
    _check_record(record, path)
    return checked.Record(record, str(path))


def _check_record(record: dict, path: Path) -> None:
    if not isinstance(record, dict):
        raise ValueError(
            f"{path}: its record is a {type(record).__name__}, expected one value for each of {RECORD_KEYS}."
        )
    missing = [key for key in RECORD_KEYS if key not in record]
    if missing:
        raise ValueError(
            f"{path}: its record lacks {', '.join(missing)}. Got: {', '.join(sorted(record)) or 'nothing'}."
        )
    for key in RECORD_TEXTS:
        if not isinstance(record[key], str) or not record[key]:
            raise ValueError(f"{path}: its record has {key} = {checked.shown(record[key])}, expected a text.")
    checked.require(record, RECORD_KINDS, str(path))
    identities = {"base_identity": OF_A_BASE, "adapter_identity": OF_AN_ADAPTER, "model_identity": OF_A_CTR_MODEL}
    for key, kinds in identities.items():
        if record.get(key) is not None:
            checked.require(record[key], kinds, f"{path}, {key}")
    if record["base"] is None and record.get("model_identity") is None:
        raise ValueError(f"{path}: its record names neither a base model nor a CTR model. Score again.")


def _check_columns(
    sample_id: np.ndarray, user_id: np.ndarray | None, label: np.ndarray, score: np.ndarray, path: Path
) -> None:
    columns = (sample_id, user_id, label, score)
    shapes = [np.shape(column) for column in columns if column is not None]
    if len(set(shapes)) > 1 or len(shapes[0]) != 1:
        raise ValueError(
            f"{path}: its columns have the shapes {shapes}; expected (n,) for each of {', '.join(SCHEMA.names)}."
        )
    if not len(sample_id):
        raise ValueError(f"{path}: it holds no scores. Score at least one sample.")
    ids, counts = np.unique(sample_id, return_counts=True)
    if len(ids) < len(sample_id):
        raise ValueError(
            f"{path}: sample {ids[counts > 1][0]} is scored more than once; each sample must be scored once."
        )
    _refuse(~np.isin(label, (0, 1)), sample_id, label, f"{path}: a label must be 0 or 1")
    _refuse(~((score >= 0) & (score <= 1)), sample_id, score, f"{path}: a score must be a number from 0 to 1")


def _refuse(wrong: np.ndarray, sample_id: np.ndarray, values: np.ndarray, rule: str) -> None:
    if wrong.any():
        first = int(np.argmax(wrong))
        raise ValueError(
            f"{rule}; {wrong.sum()} are not. The first: {values[first]} of sample {sample_id[first]}. Score again."
        )
