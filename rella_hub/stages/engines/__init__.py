"""The engines: each file here runs independent tasks somewhere, and adding a file is registering it.

An engine defines ``run(function, tasks, workers, what)``: call `function` with every task, in any order; end when all are done,
or raise the first error. Tasks write files and return nothing, so an engine decides where the work is done, never what comes
out. `function` is a function of a module and tasks are plain values: both travel to other processes and machines.
"""

from __future__ import annotations

import importlib
import pkgutil
from types import ModuleType


def engine_names() -> list[str]:
    return sorted(module.name for module in pkgutil.iter_modules(__path__))


def load_engine(name: str) -> ModuleType:
    if name not in engine_names():
        raise ValueError(f"There is no engine {name!r}. Expected one of {', '.join(engine_names())}.")
    return importlib.import_module(f"{__name__}.{name}")
