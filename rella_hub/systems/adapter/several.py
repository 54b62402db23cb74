"""Several adapters of one base, scored in one pass: zero-shot first, then each adapter under a name of its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch

from rella_hub.language_models.load import adapter_identity, training_samples
from rella_hub.language_models.several import load_adapters, switch
from rella_hub.systems import REFERENCE
from rella_hub.systems.adapter.options import BaseOptions, ScoreOptions
from rella_hub.systems.adapter.score import LanguageModel, identity_of, system_name
from rella_hub.systems.model_free import MODEL_FREE

OTHER_NAMES = "Name the adapters with --systems, one plain name for each, in the order of --adapters."


@dataclass(frozen=True)
class Member:
    """One of the systems, as `evaluation/score.py` knows it alone, so that its score files and these are the same."""

    family, columns = LanguageModel.family, LanguageModel.columns
    name: str
    adapter: str | None
    revision: str | None
    identity: dict
    noted: dict
    training_samples: int | None


class OneBase(LanguageModel):
    """A base that is loaded once, alone and with each of several adapters."""

    def __init__(self, options: BaseOptions, adapters: list[str], revisions: list[str], names: list[str]):
        super().__init__(ScoreOptions(**asdict(options)))
        of_adapters = [*(_one_each(revisions, adapters, "--adapter_revisions") or [None] * len(adapters))]
        names = _one_each(names, adapters, "--systems") or [system_name(adapter) for adapter in adapters]
        _refuse_twice([adapter_identity(a, revision) for a, revision in zip(adapters, of_adapters, strict=True)])
        _check_names(names, adapters)
        rows = [(REFERENCE, None, None), *zip(names, adapters, of_adapters, strict=True)]
        self.members = [self._member(*row) for row in rows]
        self.scored = self.members  # those that `scores_of` knows by number

    @property
    def adapters(self) -> list[tuple[str, str | None]]:
        return [(one.adapter, one.revision) for one in self.scored if one.adapter]

    def attach(self, model: torch.nn.Module, probe: list[int]) -> torch.nn.Module:
        return load_adapters(model, self.base, self.adapters, probe, self.options.any_base)

    def switches(self, wanted: list[int]) -> list[Callable[[], None]]:
        place = {asked: number for number, asked in enumerate(self.adapters)}
        asked = [(self.scored[number].adapter, self.scored[number].revision) for number in wanted]
        return [switch(self.model, place.get(one)) for one in asked]

    def _member(self, name: str, adapter: str | None, revision: str | None) -> Member:
        own = replace(self.options, adapter=adapter, adapter_revision=revision)
        identity, noted = identity_of(own, self.base)
        samples = training_samples(adapter, revision) if adapter else None
        return Member(name, adapter, revision, identity, noted, samples)


def _one_each(given: list[str], adapters: list[str], option: str) -> list[str]:
    if given and len(given) != len(adapters):
        raise ValueError(
            f"{option} has {len(given)} values for {len(adapters)} adapters. Give one for each, in the order of "
            "--adapters, or none."
        )
    return given


def _check_names(names: list[str], adapters: list[str]) -> None:
    for name, adapter in zip(names, adapters, strict=True):
        if name in (REFERENCE, *MODEL_FREE):
            raise ValueError(f"The adapter {adapter!r} would be called {name}, which another row is. {OTHER_NAMES}")
        if not name or name != Path(name).name or name.startswith("."):
            raise ValueError(f"{name!r} is no name for a row and its score file. {OTHER_NAMES}")
        if names.count(name) > 1:
            same = [a for a, n in zip(adapters, names, strict=True) if n == name]
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
