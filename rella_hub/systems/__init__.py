"""The families of systems, one folder each, and the systems that need no model.

A sub-folder of this one is a family, found by its name: there is no base class and no list to add it to. Its modules:

    options.py  Options       dataclass of training. Its options that pin the result are the recipe; `pins=False` marks where and how.
                ScoreOptions  dataclass of what scoring needs beside the data set; empty where there is nothing.
                RESULT        folder of a run that holds what was trained, such as "model".
                RUN           what a run folder is recorded as (rella_hub/files/ownership.py), such as "ctr run".
                MARK          JSON file in that folder, and in a published repository, that only this family writes.
                holds(folder) whether a run folder, its RESULT folder or a pulled repository is of this family. It is cheap.
    train.py    train(options)                    trains, and leaves a run folder (rella_hub/tables/runs.py).
    score.py    load(name, revision, options)     a System: name is a run folder, its RESULT folder or a Hub id; options: ScoreOptions.
    facts.py    facts(folder)                     what a card and a push need to know of a run (rella_hub/cards/facts.py).

A System has
    family, name            the family, and the default name of its row in reports
    identity                dict of everything that pins its scores: hashes and settings, never a place of this machine
    training_samples        how many samples it was trained on; None where that is not known
    tables                  tables of the data set that it reads beside its config and the samples
    prepare(folder, config_name, split)   work to do once before scoring; the System may do without
    scores(rows)            (n,) float64 P(Yes) of a pyarrow table with sample_id, label and, where the config has prompts, prompt
Its identity is known before weights are loaded; they are loaded with the first chunk.

Neither a family's package nor its `options` and `facts` import torch, so that --help and cards are quick.
"""

from __future__ import annotations

import importlib
import pkgutil
from pathlib import Path
from types import ModuleType

REFERENCE = "zero_shot"  # the base model alone: what tuned systems are compared with


def families() -> list[str]:
    """The names of the families."""
    return sorted(found.name for found in pkgutil.iter_modules(__path__) if found.ispkg)


def part(family: str, name: str) -> ModuleType:
    """A module of a family: its options, train, score or facts. ValueError where there is no such family."""
    if family not in families():
        raise ValueError(f"There is no family of systems {family!r}. Expected one of {', '.join(families())}.")
    return importlib.import_module(f"{__name__}.{family}.{name}")


def family_of(name: str | Path, revision: str | None = None) -> str:
    """The family of a run folder, of the folder in it that holds what was trained, or of a model on the Hub.

    Of a model on the Hub only JSON files are downloaded. ValueError where no family knows it, or more than one does.
    """
    folder = Path(name) if name and Path(name).is_dir() else _pulled(str(name), revision)
    found = [family for family in families() if part(family, "options").holds(folder)]
    if len(found) != 1:
        raise ValueError(
            f"{name} holds systems of {len(found)} families ({', '.join(found)}). Give the folder of one of them."
            if found
            else f"{name} is no trained system: it is neither a run folder nor a published model of {', '.join(families())}."
        )
    return found[0]


def _pulled(name: str, revision: str | None) -> Path:
    from rella_hub.hub.download import snapshot

    try:
        return snapshot(name, "model", ["*.json"], revision, ignore=["*/*"])
    except ValueError as error:
        raise ValueError(f"The model {name!r} was found neither in a folder here nor on the Hub ({error}).") from error
