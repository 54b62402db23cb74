"""What is scored and where the scores go: the samples of a data set, and score files with the record of what they are made from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa

from rella_hub.hub import resolve as hub
from rella_hub.systems.score_options import SampleOptions
from rella_hub.systems.shards import Shard
from rella_hub.tables import records, shots, store
from rella_hub.tables.checked import NAME, shown
from rella_hub.tables.rows import RowReader
from rella_hub.tables.scores import read_stored, require_score_file
from rella_hub.texts.shown import visible
from rella_hub.views import table_name

# Said of the system or of this machine; and the fingerprint, which is of all the rest.
NOT_PINNED = (
    "dataset_folder",
    "training_samples",
    "training_config",
    "trainable_weights",
    "training_settings",
    "base_proved",
    "fingerprint",
)
LONGEST_FILE_NAME = 200  # bytes; file systems take 255, some of which a temporary name needs


@dataclass(frozen=True)
class Samples:
    """The samples that are scored, in stored order."""

    folder: Path
    options: SampleOptions
    table: str | None = None  # that their rows are read from; None: the config

    @cached_property
    def numbers(self) -> np.ndarray:
        """(n,) of their rows in the split."""
        o = self.options
        return shots.seeded_numbers(self.folder, self.table or o.config_name, o.split, o.limit, o.seed)

    def read(self, columns: Sequence[str]) -> pa.Table:
        """Some small columns of all of them."""
        return self.reader(columns).take(self.numbers)

    def reader(self, columns: Sequence[str]) -> RowReader:
        return RowReader(self.folder, self.table or self.options.config_name, self.options.split, list(columns))


@dataclass(frozen=True)
class Target:
    """One score file, or a shard of one: where it goes, and its record, which says what it is made from."""

    path: Path
    record: dict

    @property
    def pinned(self) -> dict:
        return {key: value for key, value in self.record.items() if key not in NOT_PINNED}

    def is_current(self, overwrite: bool) -> bool:
        """True when the file is there, made from exactly this; ValueError when it is there from something else."""
        require_score_file(self.path)
        if overwrite or not self.path.exists():
            return False
        if self.path.is_dir():
            raise ValueError(f"--output {self.path} is a folder. Give the name of a score file.")
        wanted = {"shard": None, **self.pinned}  # a shard under the name of the whole is not the whole
        return records.is_current(self.path, read_stored(self.path).record, wanted, overwrite)

    def chunks(self, of: int) -> range:
        """The chunks that it is made of, all or those of its shard."""
        shard = self.record.get("shard")
        return range(of) if shard is None else Shard(shard["number"], shard["of"]).chunks(of)


def columns_of(system) -> Sequence[str]:
    return getattr(system, "columns", ("prompt",))


def samples_of(options: SampleOptions, system) -> Samples:
    """The data set with all that the system and the rows without a model read, and all of it current."""
    options.check()
    read_from = getattr(system, "read_from", None)
    config = read_from or options.config_name
    tables = [config, table_name(options.config_name), "samples", "interactions", *system.tables]
    folder = hub.resolve(options.dataset, list(dict.fromkeys(tables)), options.dataset_revision)
    if "prompt" in columns_of(system):
        records.require_current(folder, options.config_name)
    return Samples(folder, options, read_from)


def record_of(member, samples: Samples, name: str | None = None) -> dict:
    """Everything that pins the scores of a system, a fingerprint of it, and what else is said of them."""
    table = samples.options.config_name if "prompt" in columns_of(member) else "samples"
    made_from = store.made_from(samples.folder, table)
    pinned = {
        **asdict(samples.options),
        "corpus": made_from["corpus"],
        "samples_fingerprint" if table == "samples" else "prompts_fingerprint": made_from["fingerprint"],
        **{"base": None, "adapter": None},
        **member.identity,
    }
    return {
        **pinned,
        "system": name or member.name,
        "training_samples": member.training_samples,
        **getattr(member, "noted", {}),
        "dataset_folder": str(samples.folder),
        "fingerprint": store.fingerprint(pinned),
    }


def default_output(record: dict) -> Path:
    """Where the scores go when nobody says; ValueError for a system whose name is none of a file."""
    if not NAME.holds(record["system"]):
        raise ValueError(
            f"The system is called {shown(record['system'])}, which cannot be the name of a file. Give --system with {NAME.words}, "
            "or --output."
        )
    name = f"{record['system']}_{record['config_name']}_{record['split']}.parquet"
    if name != Path(name).name or visible(name) != name or len(name.encode()) > LONGEST_FILE_NAME:
        raise ValueError(f"The system {record['system']!r} gives no usual name for a file. Give one with --output.")
    return Path("runs") / record["corpus"] / "scores" / name
