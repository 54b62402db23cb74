"""Where tables lie on disk, and how they get there whole or not at all.

A data set folder (`rella/<corpus>`) holds one sub-folder a table, named like its Hub config, with
`<split>-<shard>-of-<shards>.parquet` files inside. A table is written into a temporary sibling folder that takes its
final name by one rename when the last byte is on disk, so what has the final name is complete.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import shutil
import uuid
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import chain
from pathlib import Path

import psutil
import pyarrow as pa
import pyarrow.parquet as pq
from datasets import Features

SINGLE_SPLIT = "train"  # the Hub's name for the only split of a table that has no splits
SPLITS = ("train", "validation", "test")
PROVENANCE_KEY = b"rella"
ROWS_PER_SHARD = 400_000
_SHARD_NAME = re.compile(r"(?P<split>\w+)-(?P<shard>\d{5})-of-(?P<shards>\d{5})\.parquet")


def default_folder(corpus_id: str, namespace: str = "rella") -> Path:
    return Path(namespace) / corpus_id


def fingerprint(made_from: Mapping) -> str:
    """A short name for everything a table was made from."""
    return hashlib.sha256(json.dumps(made_from, sort_keys=True).encode()).hexdigest()[:16]


def shard_paths(folder: Path, name: str, split: str) -> list[Path]:
    """The files of one split in order; ValueError when one is missing."""
    found = {}
    shards = 0
    for path in (folder / name).glob("*.parquet"):
        match = _SHARD_NAME.fullmatch(path.name)
        if match and match["split"] == split:
            found[int(match["shard"])] = path
            shards = max(shards, int(match["shards"]))
    if not found:
        raise ValueError(
            f"{folder / name} holds no split {split!r}. Got: {', '.join(table_splits(folder, name)) or 'nothing'}. "
            f"Build the table first (python dataset_builders/release.py --help)."
        )
    missing = sorted(set(range(shards)) - set(found))
    if missing:
        raise ValueError(
            f"{folder / name}: shard {missing[0]} of {shards} of split {split!r} is missing. "
            f"Remove {folder / name} and build it again."
        )
    return [found[shard] for shard in sorted(found)]


def table_names(folder: Path) -> list[str]:
    """The tables that stand complete in a data set folder."""
    return sorted(p.name for p in folder.glob("*") if not p.name.startswith(".") and table_splits(folder, p.name))


def table_splits(folder: Path, name: str) -> list[str]:
    found = {m["split"] for p in (folder / name).glob("*.parquet") if (m := _SHARD_NAME.fullmatch(p.name))}
    known = [split for split in ("mixed", *SPLITS) if split in found]
    return known + sorted(found - set(known))


def provenance(folder: Path, name: str) -> dict | None:
    """What the table was made from, or None when it is not there. ValueError when it is there and damaged."""
    splits = table_splits(folder, name)
    if not splits:
        return None
    path = shard_paths(folder, name, splits[0])[0]
    record = json.loads((_open(path).schema_arrow.metadata or {}).get(PROVENANCE_KEY, b"{}"))
    if "rows" not in record:
        raise ValueError(
            f"{path} does not say what it was made from, so this project did not write it. Remove {path.parent}."
        )
    found = {split: count_rows(folder, name, split) for split in splits}
    if found != record["rows"]:
        raise ValueError(
            f"{path.parent} holds {_counted(found)}, but {_counted(record['rows'])} were written. "
            f"Remove {path.parent} and build it again."
        )
    return record


def _counted(rows: Mapping[str, int]) -> str:
    return ", ".join(f"{count:,} {split}" for split, count in rows.items()) + " rows"


def _open(path: Path) -> pq.ParquetFile:
    try:
        return pq.ParquetFile(path, memory_map=True)
    except (pa.ArrowInvalid, OSError) as error:
        raise ValueError(_damaged(path, error)) from error


def _damaged(path: Path, error: Exception) -> str:
    return f"{path} is not a readable Parquet file ({error}). Remove {path.parent} and build it again."


def count_rows(folder: Path, name: str, split: str = SINGLE_SPLIT) -> int:
    return sum(_open(path).metadata.num_rows for path in shard_paths(folder, name, split))


def read(folder: Path, name: str, split: str = SINGLE_SPLIT, columns: list[str] | None = None) -> pa.Table:
    """One split of one table; only the named columns are read."""
    parts = []
    for path in shard_paths(folder, name, split):
        file = _open(path)
        missing = set(columns or ()) - set(file.schema_arrow.names)
        if missing:
            raise ValueError(
                f"{path} has no column {sorted(missing)[0]!r}. Got: {', '.join(file.schema_arrow.names)}. Build it again."
            )
        try:
            parts.append(file.read(columns=columns))
        except (pa.ArrowException, OSError) as error:
            raise ValueError(_damaged(path, error)) from error
    return pa.concat_tables(parts)


def iterate(
    folder: Path, name: str, split: str, rows: int, columns: list[str] | None = None
) -> Iterator[pa.RecordBatch]:
    """One split in batches of at most `rows` rows, in order, in bounded memory."""
    for path in shard_paths(folder, name, split):
        try:
            yield from _open(path).iter_batches(batch_size=rows, columns=columns)
        except (pa.ArrowException, OSError) as error:
            raise ValueError(_damaged(path, error)) from error


def _is_alive(pid: str) -> bool:
    return pid.isdigit() and psutil.pid_exists(int(pid))


@contextmanager
def replacing(target: Path) -> Iterator[Path]:
    """A temporary folder that becomes `target` when the block ends well, and vanishes when it does not."""
    target.parent.mkdir(parents=True, exist_ok=True)
    for leftover in target.parent.glob(f".{target.name}.*.tmp"):
        if not _is_alive(
            leftover.name.removeprefix(f".{target.name}.").split("-")[0]
        ):  # of a run that was killed outright
            shutil.rmtree(leftover, ignore_errors=True)
    temporary = target.parent / f".{target.name}.{os.getpid()}-{uuid.uuid4().hex[:8]}.tmp"
    temporary.mkdir()
    try:
        yield temporary
        if target.exists():
            retired = temporary.with_suffix(".old.tmp")
            target.rename(retired)
            temporary.rename(target)
            shutil.rmtree(retired)
        else:
            temporary.rename(target)
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise ValueError(
                f"The disk of {target.parent} is full. Nothing of {target.name} was kept; free space, run again."
            ) from error
        raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


@contextmanager
def replacing_file(target: Path) -> Iterator[Path]:
    """The same for a single file."""
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.name}.{uuid.uuid4().hex[:8]}.tmp")
    try:
        yield temporary
        temporary.replace(target)
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise ValueError(
                f"The disk of {target.parent} is full. {target.name} was not written; free space, run again."
            ) from error
        raise
    finally:
        temporary.unlink(missing_ok=True)


def write(
    folder: Path,
    name: str,
    features: Features,
    splits: Mapping[str, tuple[int, Iterable[pa.Table]]],
    made_from: Mapping,
    rows_per_shard: int = ROWS_PER_SHARD,
) -> None:
    """Write all splits of one table. `splits` gives for each its number of rows and its parts, in order."""
    schema = features.arrow_schema
    counts = {split: int(rows) for split, (rows, _) in splits.items()}
    record = {**made_from, "fingerprint": fingerprint(made_from), "rows": counts}
    schema = schema.with_metadata({**(schema.metadata or {}), PROVENANCE_KEY: json.dumps(record, sort_keys=True)})
    with replacing(folder / name) as temporary:
        for split, (rows, parts) in splits.items():
            written = _write_split(temporary, split, rows, parts, schema, rows_per_shard)
            assert written == rows, f"{name}/{split}: announced {rows} rows, got {written}"


def _write_split(
    folder: Path, split: str, rows: int, parts: Iterable[pa.Table], schema: pa.Schema, rows_per_shard: int
) -> int:
    shards = max(1, -(-rows // rows_per_shard))
    written, writer, shard = 0, None, -1
    try:
        for part in chain([schema.empty_table()], parts):  # a split without rows is a file without rows
            part = part.select(schema.names).cast(schema)
            while part.num_rows or writer is None:
                if writer is None:
                    shard += 1
                    path = folder / f"{split}-{shard:05d}-of-{shards:05d}.parquet"
                    writer = pq.ParquetWriter(
                        path,
                        schema,
                        compression="zstd",
                        compression_level=1,
                        use_dictionary=_dictionary_columns(schema),
                    )
                room = (shard + 1) * rows_per_shard - written
                taken = part.slice(0, room)
                if taken.num_rows:
                    writer.write_table(taken, row_group_size=50_000)
                written += taken.num_rows
                part = part.slice(taken.num_rows)
                if written == (shard + 1) * rows_per_shard and shard + 1 < shards:
                    writer.close()
                    writer = None
                    if not part.num_rows:
                        break
    finally:
        if writer is not None:
            writer.close()
    return written


def _dictionary_columns(schema: pa.Schema) -> list[str]:
    # A dictionary of prompts or vectors would be as large as the column: it costs time and saves nothing.
    return [field.name for field in schema if field.name not in ("prompt", "vector", "positions", "sample_id")]


def content_hash(folder: Path, name: str) -> str:
    """SHA-256 over the files of a table: what `load_dataset` must notice has changed."""
    digest = hashlib.sha256()
    for path in sorted((folder / name).glob("*.parquet")):
        with path.open("rb") as stream:
            digest.update(f"{path.name}:{hashlib.file_digest(stream, 'sha256').hexdigest()}\n".encode())
    return digest.hexdigest()
