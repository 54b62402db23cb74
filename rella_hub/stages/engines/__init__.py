"""The engines: each file here runs independent tasks somewhere, and adding a file is registering it.

An engine defines ``run(function, tasks, workers, what)``: call `function` with every task, in any order; end when all are done,
or raise the first error. Tasks write files and return nothing, so an engine decides where the work is done, never what comes
out. `function` is a function of a module and tasks are plain values: both travel to other processes and machines.

And ``work(make, tasks, workers, advance)``: the same for work that needs something large, such as a model. `make` is called once a
worker and gives a function of a task and of `advance`, which the work calls with the rows and tokens that it has done.
"""

from __future__ import annotations

import sys
from types import ModuleType

from rella_hub.open_folder import load_member, members


def engine_names() -> list[str]:
    return members(sys.modules[__name__])


def load_engine(name: str) -> ModuleType:
    return load_member(sys.modules[__name__], "engine", name)
