"""When a stage may be skipped, must run, or must refuse.

Every table records what it was made from: corpus, raw files, rules, seed, the fingerprints of its input tables. A
stage whose record would be the same is skipped; one whose output stands there made from something else refuses, because
two halves of a data set made from different inputs look exactly like a whole one.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from dataset_builders.tables import store


def stands(folder: Path, name: str, made_from: Mapping, overwrite: bool) -> bool:
    """True when the table is there and made from exactly this; ValueError when it is there from other inputs."""
    existing = store.provenance(folder, name)
    if existing is None:
        return False
    if existing["fingerprint"] == store.fingerprint(made_from):
        print(f"{folder / name}: unchanged inputs, kept.", flush=True)
        return True
    if overwrite:
        return False
    raise ValueError(
        f"{folder / name} exists and was made from other inputs: {difference(existing, made_from)}. "
        f"Pass --overwrite true to replace it, or another --output."
    )


def input_fingerprints(folder: Path, names: list[str]) -> dict[str, str]:
    """The fingerprint of each input table; ValueError naming the one that is missing."""
    found = {}
    for name in names:
        record = store.provenance(folder, name)
        if record is None:
            raise ValueError(
                f"{folder / name} is missing; it is made by an earlier stage (python dataset_builders/release.py --help)."
            )
        found[name] = record["fingerprint"]
    return found


def outdated(folder: Path) -> dict[str, str]:
    """The tables made from an input that has been replaced since, or from such a table, each with that input."""
    records = {name: store.provenance(folder, name) for name in store.table_names(folder)}

    def replaced_input(name: str, made_of_it: tuple[str, ...] = ()) -> str | None:
        for source, made_from in records[name].get("inputs", {}).items():
            if source in made_of_it or source == name:
                raise ValueError(f"{folder / name} says that it was made from itself. Remove it and build it again.")
            known = source in records
            if known and (records[source]["fingerprint"] != made_from or replaced_input(source, (*made_of_it, name))):
                return source
        return None

    return {name: source for name in records if (source := replaced_input(name))}


def require_current(folder: Path, name: str) -> None:
    """ValueError when the table was made from an input that has been replaced since."""
    source = outdated(folder).get(name)
    if source:
        raise ValueError(
            f"{folder / name} is outdated: {source}, which it was made from, has been replaced since. Build it again "
            "(python dataset_builders/release.py ... --overwrite true)."
        )


def difference(existing: Mapping, wanted: Mapping) -> str:
    """The first thing in which two records differ, in words; inside a group of values, the value itself."""
    for key, asked in wanted.items():
        got = existing.get(key)
        if got != asked:
            while isinstance(got, Mapping) and isinstance(asked, Mapping):
                inner = next(k for k in {**asked, **got} if got.get(k) != asked.get(k))
                key, got, asked = f"{key}.{inner}", got.get(inner), asked.get(inner)
            return f"its {key} is {got!r}, asked for is {asked!r}"
    return "it records more than is asked for now"
