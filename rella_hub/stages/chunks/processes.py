"""The processes that share one run: those that `accelerate launch` started, or this one alone."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass


def _nothing() -> None:
    """One process waits for nobody."""


@dataclass(frozen=True)
class Processes:
    number: int  # of this process
    of: int
    wait: Callable[[], None]  # until all have come here

    @property
    def is_first(self) -> bool:
        return self.number == 0


def processes() -> Processes:
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        return Processes(0, 1, _nothing)
    import torch
    from accelerate import PartialState

    state = PartialState(cpu=not torch.cuda.is_available())  # and each process has a GPU of its own
    return Processes(state.process_index, state.num_processes, state.wait_for_everyone)
