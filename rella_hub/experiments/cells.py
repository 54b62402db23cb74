"""The cells of an experiment: each combination of a system's axes, with the options that it is trained and scored by.

All of it is known, and refused where it cannot be, before the first cell is made.
"""

from __future__ import annotations

import itertools
import json
import re
import string
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from rella_hub import cli, systems
from rella_hub.cli.options import option_names
from rella_hub.experiments.options import ExperimentArguments
from rella_hub.experiments.parsing import nearest, parsed
from rella_hub.resources import recipe
from rella_hub.systems.choice import BY_BASE, option_types
from rella_hub.systems.model_free import MODEL_FREE
from rella_hub.tables.checked import NAME, shown
from rella_hub.views import parse_config

KINDS = ("recipe", "base", "model_free")
PARTS = {"name": str, "family": str, "axes": dict, "options": dict, "scored_on": list, "scoring": dict}
LONGEST_NAME = 150  # characters of the name of a cell, which is part of the names of files


@dataclass(frozen=True)
class Cell:
    system: str
    setting: str  # the values of its axes: num_shots=256,seed=0
    family: str | None  # None: no model
    training: Any  # the family's Options; None where nothing is trained
    scoring: Any  # the family's ScoreOptions; None where there is no model
    model_free: str | None
    scored_on: tuple[str, ...]  # configs
    folder: Path  # of the experiment

    @property
    def name(self) -> str:
        return f"{self.system},{self.setting}" if self.setting else self.system

    @property
    def run(self) -> Path:
        """Its run folder."""
        return self.folder / "runs" / self.name

    def scores(self, config_name: str) -> Path:
        return self.folder / "scores" / f"{self.name},{config_name}.parquet"

    @property
    def failure(self) -> Path:
        """The file that says why it failed last time."""
        return self.folder / "failed" / f"{self.name}.json"

    @property
    def is_scored(self) -> bool:
        return all(self.scores(config_name).is_file() for config_name in self.scored_on)


def cells_of(options: ExperimentArguments) -> list[Cell]:
    """All cells, in the order of the file. ValueError for a system that is none, an axis that no option has, or two cells of a name."""
    found = [cell for number, one in enumerate(options.systems, start=1) for cell in _cells(options, one, number)]
    names = [cell.name.lower() for cell in found]  # some file systems do not tell capital letters apart
    for cell in found:
        if names.count(cell.name.lower()) > 1:
            raise ValueError(f"Two cells are called {cell.name}. Give each system a `name` of its own.")
        if len(cell.name) > LONGEST_NAME:
            raise ValueError(f"The cell {cell.name} has too long a name for a file. Give its values by a shorter name.")
    return found


def own_cells(options: ExperimentArguments, cells: list[Cell]) -> list[Cell]:
    """Those of the share that is asked for: every N-th, so that each share has dear and cheap ones."""
    number, of = options.share or (0, 1)
    return cells[number::of]


def scoring_options(cell: Cell) -> list:
    """The options of scoring of every family, with those of the cell's own."""
    return [cell.scoring if type(cell.scoring) is of_families else of_families() for of_families in option_types()]


def _cells(options: ExperimentArguments, system: Mapping, number: int) -> list[Cell]:
    kind = _kind(system, number)
    name = system.get("name") or Path(system[kind]).stem
    if not NAME.holds(name):
        raise ValueError(f"System {number} is called {shown(name)}, which cannot be part of the name of a file.")
    axes = _axes(system, name)
    family = _family(system, kind, name)
    _require_used(axes, system, kind, family, name)
    return [
        _cell(options, system, kind, name, family, dict(zip(axes, values, strict=True)))
        for values in itertools.product(*axes.values())
    ]


def _kind(system: Mapping, number: int) -> str:
    """What makes the system. ValueError for parts that it cannot have."""
    kinds = [kind for kind in KINDS if kind in system]
    unknown = [key for key in system if key not in (*KINDS, *PARTS)]
    if unknown:
        raise ValueError(f"System {number} has the unknown part {unknown[0]!r}{nearest(unknown[0], {*KINDS, *PARTS})}")
    if len(kinds) != 1 or not isinstance(system[kinds[0]], str):
        raise ValueError(f"System {number} has {', '.join(kinds) or 'none'} of {', '.join(KINDS)}. Give one of them.")
    for part, expected in PARTS.items():
        if part in system and not isinstance(system[part], expected):
            raise ValueError(f"System {number}: its {part} is {system[part]!r}, expected a {expected.__name__}.")
    trained_alone = [part for part in ("options", "family") if part in system and kinds[0] != "recipe"]
    if trained_alone:
        raise ValueError(f"System {number} is not trained, so its {trained_alone[0]} has no effect. Leave it out.")
    return kinds[0]


def _axes(system: Mapping, name: str) -> dict[str, list]:
    axes = system.get("axes", {})
    for axis, values in axes.items():
        if not isinstance(values, list) or not values:
            raise ValueError(f"{name}: the axis {axis} is {values!r}, expected a list of values.")
    return axes


def _family(system: Mapping, kind: str, name: str) -> str | None:
    """The family that the recipe says, or the only one that has all of its options."""
    if kind != "recipe":
        return BY_BASE if kind == "base" else None
    keys = set(_read_recipe(system)) - {"family"}
    said = system.get("family") or _read_recipe(system).get("family")
    fitting = [f for f in systems.families() if keys <= option_names(systems.part(f, "options").Options)]
    if said is None and len(fitting) != 1:
        raise ValueError(
            f"{name}: the recipe {system['recipe']} has options of {len(fitting)} families"
            f"{f' ({chr(44).join(fitting)})' if fitting else ''}. Say which it is of with `family`: one of {', '.join(systems.families())}."
        )
    family = str(said or fitting[0])
    systems.part(family, "options")
    return family


def _read_recipe(system: Mapping) -> dict:
    return cli.read_yaml(recipe(Path(system["recipe"])))


def _require_used(axes: Mapping, system: Mapping, kind: str, family: str | None, name: str) -> None:
    """ValueError for an axis that is no option of training and stands in no other value, or for a value that needs an axis."""
    options = option_names(systems.part(str(family), "options").Options) if kind == "recipe" else set()
    named = {one for part in (*KINDS, "options", "scored_on", "scoring") for one in _placeholders(system.get(part))}
    for axis in axes:
        if axis not in options | named:
            raise ValueError(
                f"{name}: there is no option {axis!r} of {family or 'a system without a model'}, and no other value of it has "
                f"{{{axis}}}{nearest(axis, options)}"
            )
    missing = sorted(named - set(axes))
    if missing:
        raise ValueError(f"{name}: {{{missing[0]}}} stands for the value of an axis, and there is no such axis.")


def _placeholders(value: Any) -> set[str]:
    if isinstance(value, str):
        return {field for _, field, _, _ in string.Formatter().parse(value) if field}
    inner = value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ()
    return {field for one in inner for field in _placeholders(one)}


def _filled(value: Any, values: Mapping) -> Any:
    """`value` in which each name of an axis in braces is its value."""
    if isinstance(value, str):
        return value.format(**values) if _placeholders(value) else value
    if isinstance(value, list):
        return [_filled(one, values) for one in value]
    return {key: _filled(one, values) for key, one in value.items()} if isinstance(value, Mapping) else value


def _cell(
    options: ExperimentArguments, system: Mapping, kind: str, name: str, family: str | None, values: dict
) -> Cell:
    cell = f"{name},{_setting(values)}" if values else name
    asked = {part: _filled(system.get(part, {}), values) for part in ("options", "scoring")}
    training = scoring = model_free = None
    try:
        if kind == "recipe":
            training = _training(options, system, str(family), asked["options"], values, cell)
        if family is not None:
            base = {"base": _filled(system["base"], values)} if kind == "base" else _shared(training, family)
            scoring = parsed(systems.part(family, "options").ScoreOptions, base | asked["scoring"], None)
        if kind == "model_free":
            model_free = _filled(system["model_free"], values)
            if model_free not in MODEL_FREE:
                raise ValueError(f"there is no system {model_free!r} without a model: {', '.join(MODEL_FREE)}.")
        scored_on = _filled(system.get("scored_on"), values) or [_tested_on(training)]
    except ValueError as error:
        raise ValueError(f"{cell}: {error}") from error
    return Cell(
        *(name, _setting(values), family, training, scoring, model_free, tuple(map(str, scored_on))), options.folder
    )


def _training(options: ExperimentArguments, system: Mapping, family: str, asked: dict, values: dict, cell: str) -> Any:
    of_family = systems.part(family, "options").Options
    own = {axis: value for axis, value in values.items() if axis in option_names(of_family)}
    place = {"dataset": options.dataset, "output_dir": str(options.folder / "runs" / cell)}
    if options.dataset_revision is not None:
        place["dataset_revision"] = options.dataset_revision
    return parsed(of_family, {**asked, **own, **place}, recipe(Path(system["recipe"])))


def _shared(training: Any, family: str) -> dict:
    """What a system is scored with as it was trained: its base, and how it reads."""
    wanted = {one.name for one in fields(systems.part(family, "options").ScoreOptions)} - {"use_cpu"}
    return {one.name: getattr(training, one.name) for one in fields(training) if one.name in wanted}


def _tested_on(training: Any) -> str:
    config = parse_config(getattr(training, "config_name", "")) if training is not None else None
    if config is None:
        raise ValueError("it does not say what it is scored on. Give `scored_on`, such as [subr_k30].")
    return config.tested_as.name


def _setting(values: Mapping) -> str:
    """The values of a cell as a part of the names of files."""
    return ",".join(f"{axis}={re.sub(r'[^0-9A-Za-z_.-]+', '-', _plain(value))}" for axis, value in values.items())


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, separators=("-", "-"))
