"""Where tables lie on disk, and how they get there whole or not at all.

A data set folder (`rella/<corpus>`) holds one sub-folder a table, named like its Hub config, with
`<split>-<shard>-of-<shards>.parquet` files inside. A table is written into a temporary sibling folder that takes its
final name by one rename when the last byte is on disk, so what has the final name is complete.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

if TYPE_CHECKING:
    from datasets import Features

from rella_hub.files.places import real
from rella_hub.files.pointers import pointer
from rella_hub.files.replace import replacing, temporary_beside
from rella_hub.tables import checked, seal
from rella_hub.tables.checked import COUNT, COUNTED_LINES, COUNTS, LINE, LINES, NAME, optional
from rella_hub.tables.schema import check_types, check_values

SINGLE_SPLIT = "train"  # the Hub's name for the only split of a table that has no splits
SPLITS = ("train", "validation", "test")
PROVENANCE_KEY = b"rella"
ENCODER_FOLDER = ".encoder"  # a note of this machine, no part of the data set
ROWS_PER_SHARD = 400_000
ROWS_PER_GROUP = 50_000
NO_LABEL = "none"  # the label rule of a corpus without ratings
NOTHING: Mapping = {}
RECORD_KINDS = {  # what the record of a table may say, as far as anything here reads it
    **dict.fromkeys(("corpus", "fingerprint", "view", "similarity", "prompt_style", "raw_sha256"), NAME),
    **dict.fromkeys(("encoder", "encoder_revision", "raw_status"), LINE),
    **dict.fromkeys(("seed", "history_length", "prompt_version", "dimension"), COUNT),
    "rows": COUNTS,
    "inputs": LINES,
    "rules": checked.group(
        {
            **dict.fromkeys(("label", "order", "split"), LINE),
            "minimum_history": COUNT,
            "protocol": NAME,
            "version": COUNT,
        }
    ),
    "selected_rows": optional(checked.group(dict.fromkeys(SPLITS, optional(COUNT)))),
    "dropped": COUNTED_LINES,
}
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
            if shards and shards != int(match["shards"]):
                raise ValueError(
                    f"{folder / name} holds files of two builds of the split {split!r}: {path.name} is one of {int(match['shards'])}, "
                    f"another one of {shards}. Remove {folder / name} and build it again."
                )
            found[int(match["shard"])] = path
            shards = int(match["shards"])
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


def files_of(folder: Path, name: str) -> list[Path]:
    """The files of a table, and nothing else that lies beside them."""
    return sorted(path for split in table_splits(folder, name) for path in shard_paths(folder, name, split))


def provenance(folder: Path, name: str) -> dict | None:
    """What the table was made from, or None when it is not there. ValueError when it is there and damaged."""
    splits = table_splits(folder, name)
    if not splits:
        return None
    path = shard_paths(folder, name, splits[0])[0]
    record = record_of(path)
    if not {"rows", "fingerprint"} <= record.keys():
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


def has_labels(folder: Path) -> bool:
    """Whether the interactions of a data set have ratings, and so labels."""
    record = provenance(folder, "interactions")
    return record is None or record.get("rules", NOTHING).get("label") != NO_LABEL


def made_from(folder: Path, name: str) -> dict:
    """`provenance` of a table that is there. ValueError where it is not, or is damaged."""
    found = provenance(folder, name)
    if found is None:
        raise ValueError(f"{folder} has no {name}. Build the table first (python dataset_builders/release.py --help).")
    return found


def own_files(table: Path) -> set[str]:
    """The files in the folder of a table that say that this project wrote them."""
    return {path.name for path in table.glob("*.parquet") if _SHARD_NAME.fullmatch(path.name) and _is_own(path)}


def _is_own(path: Path) -> bool:
    try:
        return not path.is_symlink() and {"rows", "fingerprint"} <= record_of(path).keys()
    except ValueError:
        return False


def says_what_it_is(path: Path) -> bool:
    """Whether a Parquet file says that this project wrote it: a file of a table, or scores."""
    try:
        return not path.is_symlink() and "fingerprint" in _record_in(_parquet(path), path)
    except ValueError:
        return False


def record_of(path: Path) -> dict:
    """What a file of a table says of itself, each value of its kind."""
    return _record_in(_open(path), path)


def _record_in(file: pq.ParquetFile, path: Path) -> dict:
    text = (file.schema_arrow.metadata or {}).get(PROVENANCE_KEY, b"{}")
    where = f"the record in {path}"
    return checked.require(checked.parse_json(text, where), RECORD_KINDS, where)


def _counted(rows: Mapping[str, int]) -> str:
    return ", ".join(f"{count:,} {split}" for split, count in rows.items()) + " rows"


def _open(path: Path) -> pq.ParquetFile:
    file = _parquet(path)
    check_types(file.schema_arrow, path)
    return file


def _parquet(path: Path) -> pq.ParquetFile:
    try:
        return pq.ParquetFile(path, memory_map=True)
    except (pa.ArrowInvalid, OSError) as error:
        raise ValueError(_damaged(path, error)) from error


def _open_columns(path: Path, columns: list[str] | None) -> pq.ParquetFile:
    """The file, which has all of `columns`."""
    file = _open(path)
    missing = set(columns or ()) - set(file.schema_arrow.names)
    if missing:
        raise ValueError(
            f"{path} has no column {sorted(missing)[0]!r}. Got: {', '.join(file.schema_arrow.names)}. Build it again."
        )
    return file


def _checked(part: pa.Table | pa.RecordBatch, path: Path) -> pa.Table | pa.RecordBatch:
    check_values(part, path)
    return part


def _damaged(path: Path, error: Exception) -> str:
    reason = pointer(path) if path.is_file() else None
    if reason:
        return f"{path} {reason}"
    return f"{path} is not a readable Parquet file ({error}). Remove {path.parent} and build it again."


def count_rows(folder: Path, name: str, split: str = SINGLE_SPLIT) -> int:
    return sum(_open(path).metadata.num_rows for path in shard_paths(folder, name, split))


def read(folder: Path, name: str, split: str = SINGLE_SPLIT, columns: list[str] | None = None) -> pa.Table:
    """One split of one table; only the named columns are read."""
    parts = []
    for path in shard_paths(folder, name, split):
        file = _open_columns(path, columns)
        try:
            parts.append(_checked(file.read(columns=columns), path))
        except (pa.ArrowException, OSError) as error:
            raise ValueError(_damaged(path, error)) from error
    return pa.concat_tables(parts)


def frame(folder: Path, name: str, columns: list[str] | None = None) -> pl.DataFrame:
    """A table without splits, for polars."""
    return pl.DataFrame(read(folder, name, columns=columns))


def iterate(
    folder: Path, name: str, split: str, rows: int, columns: list[str] | None = None
) -> Iterator[pa.RecordBatch]:
    """One split in batches of at most `rows` rows, in order, in bounded memory."""
    for path in shard_paths(folder, name, split):
        try:
            for batch in _open_columns(path, columns).iter_batches(batch_size=rows, columns=columns):
                yield _checked(batch, path)
        except (pa.ArrowException, OSError) as error:
            raise ValueError(_damaged(path, error)) from error


def read_rows(
    folder: Path, name: str, begin: int, end: int, split: str = SINGLE_SPLIT, columns: list[str] | None = None
) -> pa.Table:
    """Rows `begin` to `end` of a split; of the files only the row groups that hold some of them are read."""
    paths = shard_paths(folder, name, split)
    first_file = _open_columns(paths[0], columns)
    size = max(first_file.metadata.num_rows, 1)  # every shard but the last has as many
    parts = [first_file.schema_arrow.empty_table().select(columns or first_file.schema_arrow.names)]
    for number in range(begin // size, -(-end // size)):
        file, first = _open_columns(paths[number], columns), number * size
        for group in range(file.metadata.num_row_groups):
            last = first + file.metadata.row_group(group).num_rows
            if first < end and last > begin:
                try:
                    part = _checked(file.read_row_group(group, columns=columns), paths[number])
                except (pa.ArrowException, OSError) as error:
                    raise ValueError(_damaged(paths[number], error)) from error
                parts.append(part.slice(max(begin - first, 0), min(end, last) - max(begin, first)))
            first = last
    return pa.concat_tables(parts)


@contextmanager
def scratch(folder: Path, name: str) -> Iterator[Path]:
    """A folder beside a table for what is needed only while the table is made; a run that is killed leaves it to the next one."""
    with temporary_beside(real(folder / name)) as temporary:
        yield temporary


@dataclass(frozen=True)
class Shard:
    """One file of a table: rows `begin` to `end` of a split."""

    split: str
    number: int
    of: int
    begin: int
    end: int

    @property
    def file_name(self) -> str:
        return f"{self.split}-{self.number:05d}-of-{self.of:05d}.parquet"


def shards(rows: Mapping[str, int], rows_per_shard: int | None = None) -> list[Shard]:
    """How splits of so many rows are divided; a split without rows is a file without rows."""
    size = rows_per_shard or ROWS_PER_SHARD
    found = []
    for split, total in rows.items():
        count = max(1, -(-total // size))
        found += [Shard(split, n, count, n * size, min((n + 1) * size, total)) for n in range(count)]
    return found


@dataclass(frozen=True)
class Writer:
    """Writes the shards of one table, in any order, from any thread or process that reaches `folder`."""

    folder: Path  # temporary, until every shard is there
    schema: pa.Schema  # with the record of what the table was made from
    shards: tuple[Shard, ...]

    def write(self, shard: Shard, parts: Iterable[pa.Table]) -> None:
        """The rows of one shard, in order, in parts of any size."""
        written = 0
        with pq.ParquetWriter(
            self.folder / shard.file_name,
            self.schema,
            compression="zstd",
            compression_level=1,
            use_dictionary=_dictionary_columns(self.schema),
        ) as out:
            for part in parts:
                out.write_table(part.select(self.schema.names).cast(self.schema), row_group_size=ROWS_PER_GROUP)
                written += part.num_rows
            out.add_key_value_metadata({seal.KEY: seal.NOT_YET})
        seal.seal(self.folder / shard.file_name)
        assert written == shard.end - shard.begin, f"{shard.file_name}: {shard.end - shard.begin} rows, got {written}"


@contextmanager
def writing(
    folder: Path, name: str, features: Features, rows: Mapping[str, int], made_from: Mapping, noted: Mapping = NOTHING
) -> Iterator[Writer]:
    """A table that stands in `folder` when the block has written all of its shards, and not at all when it fails.

    `noted` is kept in the record beside what the table was made from: what came out, such as rows that a rule left out.
    """
    record = {**made_from, **noted, "fingerprint": fingerprint(made_from), "rows": {k: int(n) for k, n in rows.items()}}
    schema = features.arrow_schema
    schema = schema.with_metadata({**(schema.metadata or {}), PROVENANCE_KEY: json.dumps(record, sort_keys=True)})
    with replacing(folder / name, own_files) as temporary:
        writer = Writer(temporary, schema, tuple(shards(rows)))
        yield writer
        missing = [shard.file_name for shard in writer.shards if not (temporary / shard.file_name).is_file()]
        assert not missing, f"{name}: {missing[0]} was not written"


def write(
    folder: Path,
    name: str,
    features: Features,
    splits: Mapping[str, pa.Table],
    made_from: Mapping,
    noted: Mapping = NOTHING,
) -> None:
    """Write all splits of a table that is in memory."""
    with writing(folder, name, features, {k: len(table) for k, table in splits.items()}, made_from, noted) as writer:
        for shard in writer.shards:
            writer.write(shard, [splits[shard.split].slice(shard.begin, shard.end - shard.begin)])


def _dictionary_columns(schema: pa.Schema) -> list[str]:
    # A dictionary of prompts or vectors would be as large as the column: it costs time and saves nothing.
    return [field.name for field in schema if field.name not in ("prompt", "vector", "positions", "sample_id")]


def content_hash(folder: Path, name: str) -> str:
    """SHA-256 over the files of a table: what `load_dataset` must notice has changed."""
    digest = hashlib.sha256()
    for path in files_of(folder, name):
        with path.open("rb") as stream:
            digest.update(f"{path.name}:{hashlib.file_digest(stream, 'sha256').hexdigest()}\n".encode())
    return digest.hexdigest()
