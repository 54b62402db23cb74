"""Read a gzip file of JSON lines into typed columns, block by block, naming file and line of whatever is wrong.

Of a review's object only the fields that are asked for are kept, so reviews of any number are read in the memory that those take.
"""

from __future__ import annotations

import io
import json
import zlib
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import polars as pl

from rella_hub.corpora.raw.archive import RawFiles
from rella_hub.corpora.raw.delimited import LONGEST_LINE

OF_GZIP = 16 + zlib.MAX_WBITS
UNPACKED_AT_ONCE = 16 * 1024**2
KINDS = {pl.String: (str,), pl.Int64: (int,), pl.Float64: (int, float), pl.List: (list,)}


def read_json_lines(raw: RawFiles, name: str, fields: Mapping[str, Any]) -> pl.DataFrame:
    """A table with a column for each field, null where an object lacks it, and a column `line` (from 1).

    ValueError with file and line for what is no JSON object, or has another type in a field.
    """
    parts, line = [], 1
    for block in whole_lines(raw, name):
        count = block.count(b"\n")
        try:
            table = pl.read_ndjson(io.BytesIO(block), schema=dict(fields))
        except (pl.exceptions.PolarsError, OSError) as error:
            raise ValueError(_fault(block, name, line, fields) or f"{name}, from line {line}: {error}") from error
        if len(table) != count:  # blank lines are passed over, and the numbers of those after them would be wrong
            raise ValueError(_fault(block, name, line, fields) or f"{name}, from line {line}: not one object a line.")
        parts.append(table.with_columns(line=pl.Series(line + np.arange(count), dtype=pl.UInt32)))
        line += count
    if not parts:
        raise ValueError(f"{name} has no rows.")
    return pl.concat(parts)


def whole_lines(raw: RawFiles, name: str) -> Iterator[bytes]:
    """Blocks of whole lines, each with its end; the last line may lack it in the file."""
    rest, line = b"", 1
    for block in _unpacked(raw, name):
        data = rest + block
        end = data.rfind(b"\n") + 1
        rest = data[end:]
        line += data.count(b"\n")
        if len(rest) > LONGEST_LINE:
            raise ValueError(f"{name}, line {line}: no end within {LONGEST_LINE:,} bytes; these are no JSON lines.")
        if end:
            yield data[:end]
    if rest:
        yield rest + b"\n"


def _unpacked(raw: RawFiles, name: str) -> Iterator[bytes]:
    """The bytes of a gzip file, of all its members; ValueError where it is none, is damaged or ends too early."""
    unpacker, began, data = zlib.decompressobj(OF_GZIP), False, b""
    try:
        for block in raw.blocks_of_anything(name):
            data = block
            while data:
                if unpacker.eof:  # another member follows
                    unpacker = zlib.decompressobj(OF_GZIP)
                found = unpacker.decompress(data, UNPACKED_AT_ONCE)
                began = True
                data = unpacker.unused_data if unpacker.eof else unpacker.unconsumed_tail
                if found:
                    yield found
    except zlib.error as error:
        what = "is damaged" if began else "is no gzip file"
        raise ValueError(f"{name} {what} ({error}). Get it again, as published.") from error
    if not began:
        raise ValueError(f"{name} is empty.")
    if not unpacker.eof:
        raise ValueError(f"{name} ends in the middle: it is cut off. Get it again.")


def _fault(block: bytes, name: str, first_line: int, fields: Mapping[str, Any]) -> str | None:
    """What is wrong with the first bad line of a block, by a slower reader that can say which it is."""
    for line, text in enumerate(block.split(b"\n")[:-1], first_line):
        begin = text[:80].decode("utf-8", "replace")
        try:
            found = json.loads(text)
        except ValueError as error:
            what = "an empty line" if not text.strip() else f"no JSON ({error})"
            return f"{name}, line {line}: {what}, expected an object such as {{...}}. Got: {begin!r}."
        if not isinstance(found, dict):
            return f"{name}, line {line}: no JSON object, expected one such as {{...}}. Got: {begin!r}."
        for field, dtype in fields.items():
            value = found.get(field)
            if value is not None and not _is_of_kind(value, dtype):
                return f"{name}, line {line}: {field} is {str(value)[:80]!r}, expected {dtype}."
    return None


def _is_of_kind(value: object, dtype: Any) -> bool:
    if isinstance(dtype, pl.List):
        return isinstance(value, list) and all(isinstance(one, str) for one in value)
    in_range = not isinstance(value, int) or -(2**63) <= value < 2**63
    return isinstance(value, KINDS[dtype]) and not isinstance(value, bool) and in_range
