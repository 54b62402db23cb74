"""One of several shards of a score file, for clusters that have a queue and nothing else; and how shards become the file again.

A shard is a run of whole chunks, so the joined file is the one that a single run writes, to the last byte.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rella_hub.files import places
from rella_hub.files.writer import sole_writer
from rella_hub.tables import records
from rella_hub.tables.scores import Scores, read_stored, require_score_file, write_scores

_NAME = re.compile(r"(?P<stem>.+)\.shard-\d+-of-\d+(?P<suffix>\.[^.]+)?")


@dataclass(frozen=True)
class Shard:
    number: int  # from 1
    of: int

    @classmethod
    def parse(cls, text: str | None) -> Shard | None:
        """`3/16`; None for none."""
        if text is None:
            return None
        match = re.fullmatch(r"\s*(\d+)\s*/\s*(\d+)\s*", text)
        number, of = map(int, match.groups()) if match else (0, 0)
        if not 1 <= number <= of:
            raise ValueError(f"--shard is {text!r}; expected one of 1/N to N/N, such as 3/16.")
        return cls(number, of)

    def chunks(self, chunks: int) -> range:
        """Its share of so many chunks. ValueError where there are more shards than chunks."""
        if self.of > chunks:
            raise ValueError(
                f"--shard {self.number}/{self.of} asks for {self.of} shards of {chunks} chunks. Take at most {chunks} shards, or a smaller "
                "--rows_per_chunk."
            )
        return range((self.number - 1) * chunks // self.of, self.number * chunks // self.of)

    def path(self, output: Path) -> Path:
        return output.with_name(f"{output.stem}.shard-{self.number}-of-{self.of}{output.suffix}")

    def record(self, rows: int, rows_per_chunk: int) -> dict:
        return {"number": self.number, "of": self.of, "rows": rows, "rows_per_chunk": rows_per_chunk}


def join(paths: Sequence[str], output: str | None, overwrite: bool) -> None:
    """Write the score file of all its shards. ValueError where one is missing, there twice, or of another run."""
    shards = sorted(map(_read_shard, map(Path, paths)), key=lambda one: one.record["shard"]["number"])
    _require_one_run(shards)
    _require_all(shards)
    record = {key: value for key, value in shards[0].record.items() if key not in ("shard", "tokens")}
    if any("tokens" in one.record for one in shards):
        record["tokens"] = sum(one.record["tokens"] for one in shards)
    sample_id, user_id, label, score = (
        np.concatenate([getattr(one, name) for one in shards]) for name in ("sample_id", "user_id", "label", "score")
    )
    if len(sample_id) != shards[0].record["shard"]["rows"]:
        raise ValueError(
            f"The shards hold {len(sample_id):,} samples of {shards[0].record['shard']['rows']:,}. Score them again."
        )
    path = Path(output) if output else _joined_name(Path(paths[0]))
    places.check_file(path, reads=paths)
    require_score_file(path)
    existing = read_stored(path).record if path.exists() and not overwrite else None
    if not records.is_current(path, existing, record, overwrite):
        with sole_writer(path, beside=True):
            write_scores(path, sample_id, user_id, label, score, record)
        print(f"{path}: {len(score):,} scores of {len(shards)} shards.", flush=True)


def _read_shard(path: Path) -> Scores:
    found = read_stored(path)
    if "shard" not in found.record:
        raise ValueError(f"{path} is a whole score file and no shard of one. Leave it out.")
    return found


def _require_one_run(shards: Sequence[Scores]) -> None:
    first, *others = (
        {**one.record, "shard": {**one.record["shard"], "number": None}, "tokens": None} for one in shards
    )
    for one, record in zip(shards[1:], others, strict=True):
        if record != first:
            raise ValueError(
                f"{one.path} is a shard of another run than {shards[0].path}: {records.difference(first, record)}. Join the shards of one "
                "system on one data set."
            )


def _require_all(shards: Sequence[Scores]) -> None:
    numbers = [one.record["shard"]["number"] for one in shards]
    of = shards[0].record["shard"]["of"]
    twice = sorted({number for number in numbers if numbers.count(number) > 1})
    if twice:
        same = ", ".join(str(one.path) for one in shards if one.record["shard"]["number"] == twice[0])
        raise ValueError(f"Shard {twice[0]}/{of} is given more than once: {same}. Give each once.")
    missing = sorted(set(range(1, of + 1)) - set(numbers))
    if missing:
        raise ValueError(
            f"Of {of} shards {len(missing)} are missing: {', '.join(f'{n}/{of}' for n in missing[:10])}. Score them first."
        )


def _joined_name(path: Path) -> Path:
    match = _NAME.fullmatch(path.name)
    if match is None:
        raise ValueError(f"{path} is not named like a shard, so the name of the whole is not known. Give --output.")
    return path.with_name(match["stem"] + (match["suffix"] or ""))
