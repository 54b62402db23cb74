"""Which system a command asks for, and the options of each family."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from rella_hub import systems
from rella_hub.cli.options import default_of
from rella_hub.systems.score_options import SystemOptions

BY_BASE = "adapter"  # the family whose systems also go without a run of their own: --base [--adapter]


def option_types() -> list[type]:
    """The options of scoring of the families, each once: families that put a base to use share those of BY_BASE."""
    return list(dict.fromkeys(_options_of(family) for family in systems.families()))


def _options_of(family: str) -> type:
    return systems.part(family, "options").ScoreOptions


def base_options() -> type:
    """The options of a base that several systems share."""
    return systems.part(BY_BASE, "options").BaseOptions


def load_several(options, adapters: list[str], revisions: list[str], names: list[str]):
    """A base alone and with each of several adapters, in one pass. options: `base_options`."""
    if options.base is None:
        raise ValueError("there is no base model. Give it with --base.")
    several = importlib.import_module(f"{systems.__name__}.{BY_BASE}.several")
    return several.OneBase(options, adapters, revisions, names)


def load_system(chosen: SystemOptions, options: Sequence[Any]):
    """The system that is asked for. options: of `option_types`; ValueError where one of another family is given."""
    by_type = {type(one): one for one in options}
    by_family = {family: by_type[_options_of(family)] for family in systems.families()}
    if chosen.model is not None:
        family = systems.family_of(chosen.model, chosen.model_revision)
    elif by_family[BY_BASE].base is not None:
        family = BY_BASE
    else:
        raise ValueError(
            "there is no system to score. Give what was trained with --model, or a language model with --base."
        )
    own = {one.name for one in fields(by_family[family])}
    for other, values in by_family.items():
        for one in fields(values):
            if one.name not in own and getattr(values, one.name) != default_of(one):
                raise ValueError(
                    f"--{one.name} {getattr(values, one.name)} is an option of the family {other}, and {chosen.model or 'the base'} is of "
                    f"the family {family}. Leave it out."
                )
    return systems.part(family, "score").load(chosen.model, chosen.model_revision, by_family[family])


def places_of(chosen: SystemOptions, options: Sequence[object]) -> list[str | Path]:
    """What is read of this machine beside the data set: nothing is written there."""
    given = [getattr(one, name, None) for one in options for name in ("base", "adapter")]
    return [place for place in (chosen.model, *given) if place]
