"""When a command may be skipped, must run, or must refuse.

Every table, run, base model and score file records what it was made from: of a table corpus, raw files, rules, seed, the fingerprints
of its input tables. A command whose record would be the same is skipped; one whose output stands there made from something else refuses,
because two halves of a data set made from different inputs look exactly like a whole one.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from rella_hub.files.places import real
from rella_hub.tables import store
from rella_hub.tables.checked import read_json, require

NOTHING: Mapping = {}


def stands(folder: Path, name: str, made_from: Mapping, overwrite: bool) -> bool:
    """True when the table is there and made from exactly this; ValueError when it is there from other inputs."""
    require_own_table(folder, name)
    existing = store.provenance(folder, name)
    return is_current(
        folder / name, existing, {**made_from, "fingerprint": store.fingerprint(made_from)}, overwrite=overwrite
    )


def is_current(
    output: Path,
    existing: Mapping | None,
    wanted: Mapping,
    overwrite: bool,
    option: str = "--output",
    whole: bool = True,
    defaults: Mapping = NOTHING,
) -> bool:
    """True when `output` was made from exactly what is wanted, which is said; ValueError, without `overwrite`, when from something else.

    existing: what it records, None where it is not there. wanted: what it would record; of `existing` only its keys are looked at.
    whole: False for the beginning of a run, which is never current. defaults: what a key of `wanted` counts as where `existing` lacks
    it, because it is older than that option; in a group of values, a group.
    """
    if existing is None:
        return False
    existing, wanted = (json.loads(json.dumps(values)) for values in (_filled(existing, defaults), wanted))
    if all(existing.get(key) == value for key, value in wanted.items()):
        if whole:
            print(f"{output}: unchanged inputs, kept.", flush=True)
        return whole
    if not overwrite:
        raise ValueError(
            f"{output} was made from other inputs: {difference(existing, wanted)}. "
            f"Pass --overwrite true to replace it, or another {option}."
        )
    return False


def fingerprint(made_from: Mapping, defaults: Mapping = NOTHING) -> str:
    """A short name for what something was made from: an option at its default is left out, so that a new one changes no name."""
    defaults = json.loads(json.dumps(defaults))
    given = json.loads(json.dumps(made_from))
    return store.fingerprint(
        {key: value for key, value in given.items() if key not in defaults or value != defaults[key]}
    )


def _filled(existing: Mapping, defaults: Mapping) -> dict:
    inner = {
        key: _filled(existing[key], value)
        for key, value in defaults.items()
        if isinstance(value, Mapping) and isinstance(existing.get(key), Mapping)
    }
    return {**defaults, **existing, **inner}


def read_record(path: Path) -> dict | None:
    """A record that a command of this project wrote as JSON; None where there is none, ValueError where it is something else."""
    if not path.exists():
        return None
    try:
        return require(read_json(path), {}, str(path))
    except ValueError as error:
        raise ValueError(f"{error} Move it, or give another output.") from error


def require_own_table(folder: Path, name: str) -> None:
    """ValueError where `folder` holds something of that name which is no table of this project."""
    place = real(folder / name)
    if not place.exists() or (place.is_dir() and not any(place.iterdir())):
        return
    if not place.is_dir() or not store.own_files(place):
        raise ValueError(
            f"{folder / name} exists and is no table of this project, so it is not replaced. Move it, or give another --output."
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
    records = {name: store.made_from(folder, name) for name in store.table_names(folder)}

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
        if got != asked and key != "fingerprint":  # which is of all the rest
            while isinstance(got, Mapping) and isinstance(asked, Mapping):
                inner = next(k for k in {**asked, **got} if got.get(k) != asked.get(k))
                key, got, asked = f"{key}.{inner}", got.get(inner), asked.get(inner)
            return f"its {key} is {got!r}, asked for is {asked!r}"
    return "it records more than is asked for now"
