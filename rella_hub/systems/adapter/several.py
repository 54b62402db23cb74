"""Which systems a comparison holds: zero-shot first, then each adapter under a name of its own, each as `score.py` knows it."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path

from rella_hub.language_models.load import adapter_identity
from rella_hub.systems import REFERENCE
from rella_hub.systems.adapter.score import record_of, system_name
from rella_hub.systems.model_free import MODEL_FREE
from rella_hub.systems.score_options import ScoreArguments

KNOWN = {field.name for field in fields(ScoreArguments)}
OTHER_NAMES = "Name the adapters with --systems, one plain name for each, in the order of --adapters."


@dataclass(frozen=True)
class System:
    name: str
    options: ScoreArguments  # what `evaluation/score.py` would be asked for
    record: dict  # and what it would record, so that its score files and these are the same
    path: Path  # of the score file


def systems_of(options, folder: Path, base: dict, output: Path) -> list[System]:
    """The systems of `options` (see evaluation/compare.py). ValueError when an adapter or a name is there twice."""
    revisions = _one_each(options.adapter_revisions, options, "--adapter_revisions") or [None] * len(options.adapters)
    names = _one_each(options.systems, options, "--systems") or [system_name(a) for a in options.adapters]
    identities = [adapter_identity(a, revision) for a, revision in zip(options.adapters, revisions, strict=True)]
    _refuse_twice(identities)
    _check_names(names, options)
    rows = [(REFERENCE, None, None, None), *zip(names, options.adapters, revisions, identities, strict=True)]
    return [_system(options, folder, base, output, *row) for row in rows]


def _system(
    options, folder: Path, base: dict, output: Path, name: str, adapter: str | None, revision: str | None, identity
) -> System:
    path = output / "scores" / f"{name}.parquet"
    own = {"adapter": adapter, "adapter_revision": revision, "system": name, "output": str(path)}
    shared = {f.name: getattr(options, f.name) for f in fields(options) if f.name in KNOWN and f.name not in own}
    alone = ScoreArguments(**shared, **own)
    return System(name, alone, record_of(alone, folder, base, identity), path)


def _one_each(given: list[str], options, option: str) -> list[str]:
    if given and len(given) != len(options.adapters):
        raise ValueError(
            f"{option} has {len(given)} values for {len(options.adapters)} adapters. Give one for each, in the order of "
            "--adapters, or none."
        )
    return given


def _check_names(names: list[str], options) -> None:
    for name, adapter in zip(names, options.adapters, strict=True):
        if name in (REFERENCE, *MODEL_FREE):
            raise ValueError(f"The adapter {adapter!r} would be called {name}, which another row is. {OTHER_NAMES}")
        if not name or name != Path(name).name or name.startswith("."):
            raise ValueError(f"{name!r} is no name for a row and its score file. {OTHER_NAMES}")
        if names.count(name) > 1:
            same = [a for a, n in zip(options.adapters, names, strict=True) if n == name]
            raise ValueError(f"Several adapters are called {name}: {', '.join(same)}. {OTHER_NAMES}")


def _refuse_twice(identities: list[dict]) -> None:
    first: dict[tuple, str] = {}
    for identity in identities:
        pinned = identity["sha256"], identity["settings_sha256"]
        if pinned in first:
            raise ValueError(
                f"The same adapter is given twice: {first[pinned]!r} and {identity['name']!r} hold the same weights. Give it once."
            )
        first[pinned] = identity["name"]
