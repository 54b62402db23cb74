"""The results of chunks, a file each, in a hidden folder beside the output that they will be joined to.

    .<output>.parts/inputs.json                what all of them are made from
    .<output>.parts/chunk-000012.parquet       the result of one chunk, whole or not at all, which says the fingerprint of that

Any number of processes and machines that reach the folder may write into it, each its own chunks.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from rella_hub.files import ownership
from rella_hub.files.places import real
from rella_hub.files.replace import clear_abandoned, replacing_file
from rella_hub.tables import checked, records, store

KIND = "parts"  # what the folder is recorded as
INPUTS = "inputs.json"
_NAME = re.compile(r"chunk-(\d{6,})\.parquet")
_TEMPORARY = re.compile(rf"\.({_NAME.pattern})\.[0-9a-f]{{8}}\.tmp")


@dataclass(frozen=True)
class Parts:
    """Chunks of `rows_per_chunk` of `rows` rows, made from `inputs`, for `output`."""

    output: Path
    inputs: Mapping  # all that pins the results
    rows: int
    rows_per_chunk: int

    @property
    def folder(self) -> Path:
        place = real(self.output)
        return place.with_name(f".{place.name}.parts")

    @property
    def chunks(self) -> int:
        return -(-self.rows // self.rows_per_chunk)

    @cached_property
    def made_from(self) -> dict:
        made_from = {**self.inputs, "rows": self.rows, "rows_per_chunk": self.rows_per_chunk}
        return json.loads(json.dumps(made_from))  # as it is read back

    @cached_property
    def fingerprint(self) -> str:
        return store.fingerprint(self.made_from)

    def bounds(self, chunk: int) -> tuple[int, int]:
        """The rows of a chunk: from, to."""
        return chunk * self.rows_per_chunk, min((chunk + 1) * self.rows_per_chunk, self.rows)

    def open(self, overwrite: bool) -> None:
        """Make the folder ready. What is kept of this very run stays, also with `overwrite`.

        ValueError where the folder is somebody else's or, without `overwrite`, holds chunks that are made from something else.
        """
        ownership.open_folder(self.folder, KIND)
        kept = records.read_record(self.folder / INPUTS)
        if kept is not None and kept != self.made_from:
            if not overwrite:
                raise ValueError(
                    f"{self.folder} holds chunks of a run that broke off and was made from other inputs: "
                    f"{records.difference(kept, self.made_from)}. Pass --overwrite true to remove them, or give another output."
                )
            self._remove_parts()
        for path in list(self._files().values()):
            self._require_of_this_run(path, overwrite)
        with ownership.writing_file(self.folder / INPUTS, KIND, overwrite=True) as temporary:
            temporary.write_text(json.dumps(self.made_from, indent=1) + "\n", encoding="utf-8")

    def is_open(self) -> bool:
        """Whether another process has made the folder ready for this very run."""
        return records.read_record(self.folder / INPUTS) == self.made_from

    def has(self, chunk: int) -> bool:
        return self._path(chunk).is_file()

    def write(self, chunk: int, table: pa.Table, tokens: int) -> None:
        begin, end = self.bounds(chunk)
        assert len(table) == end - begin, f"chunk {chunk} has {end - begin} rows, got {len(table)}"
        record = {"fingerprint": self.fingerprint, "chunk": chunk, "tokens": tokens}
        table = table.replace_schema_metadata({store.PROVENANCE_KEY: json.dumps(record)})
        with replacing_file(self._path(chunk)) as temporary:
            pq.write_table(table, temporary, write_page_checksum=True)

    def read(self, chunks: range) -> Iterator[tuple[pa.Table, int]]:
        """Each of the chunks in order, with the tokens that it took. ValueError, and the file removed, where one is damaged."""
        for chunk in chunks:
            path = self._path(chunk)
            begin, end = self.bounds(chunk)
            try:
                with pq.ParquetFile(path, page_checksum_verification=True) as file:
                    table, record = file.read(), _record(file.schema_arrow)
            except (pa.ArrowException, OSError) as error:
                path.unlink(missing_ok=True)
                raise ValueError(
                    f"{path} was damaged ({error}) and is removed. Run again to compute that chunk."
                ) from error
            if len(table) != end - begin:
                raise ValueError(f"{path} has {len(table)} rows, expected {end - begin}. Remove it and run again.")
            yield table, int(record.get("tokens", 0))

    def remove(self) -> None:
        """Remove the folder, but for what somebody else put there."""
        if not self.folder.is_dir() or ownership.read(self.folder).folder_of != KIND:
            return
        self._remove_parts()
        for name in {m[1] for path in self.folder.iterdir() if (m := _TEMPORARY.fullmatch(path.name))}:
            clear_abandoned(self.folder / name)
        ownership.remove_folder(self.folder, KIND)

    def remove_if_empty(self) -> None:
        if self.folder.is_dir() and not self._files():
            self.remove()

    def _path(self, chunk: int) -> Path:
        return self.folder / f"chunk-{chunk:06d}.parquet"

    def _files(self) -> dict[int, Path]:
        return {int(m[1]): path for path in self.folder.iterdir() if (m := _NAME.fullmatch(path.name))}

    def _remove_parts(self) -> None:
        for path in self._files().values():
            if store.says_what_it_is(path):
                path.unlink()

    def _require_of_this_run(self, path: Path, overwrite: bool) -> None:
        """A damaged chunk is removed, to be computed again; one of another run is refused."""
        try:
            record = _record(pq.read_schema(path))
        except (pa.ArrowException, OSError):
            print(f"{path} is damaged; its chunk is computed again.", flush=True)
            path.unlink()
            return
        if record.get("fingerprint") == self.fingerprint:
            return
        if not overwrite:
            raise ValueError(
                f"{path} is a chunk of another model or data set. Pass --overwrite true to remove it, or give another output."
            )
        path.unlink()


def _record(schema: pa.Schema) -> dict:
    text = (schema.metadata or {}).get(store.PROVENANCE_KEY, b"{}")
    found = checked.parse_json(text, "the record of a chunk")
    return found if isinstance(found, dict) else {}
