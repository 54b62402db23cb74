"""Where a run of rella_hub/systems/ctr/loop.py is after an epoch: enough to resume as if it had never been interrupted.

Everything is tensors in one safetensors file, states of the random number generators among them, and one JSON file of what it is a
checkpoint of. The folder is written whole or not at all.

Not `accelerate.Accelerator.save_state`: it passes over a state of the random number generators that it cannot read (tried with 1.15), so
a run would resume with other dropout and nobody would know; optimizer, generators, order of the samples and best weights would be
four pickles in place of tensors in one file. More GPUs would not come with it: it shares out the batches of a DataLoader, and these
are gathered from columns.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from rella_hub.files import ownership

STATE, PROGRESS = "state.safetensors", "progress.json"
CHECKPOINT = "checkpoint"  # what the folder is recorded as


@dataclass
class Progress:
    """How a run went so far."""

    epoch: int = 0
    best_epoch: int = 0
    best: float | None = None  # of the validation metric that chooses
    seconds: float = 0.0
    log: list[dict] = field(default_factory=list)


@dataclass
class Running:
    """All that changes while a model is trained."""

    model: torch.nn.Module
    optimizer: torch.optim.Optimizer
    order: torch.Generator  # of the samples
    best: dict[str, torch.Tensor]  # weights of the best epoch
    progress: Progress


@dataclass(frozen=True)
class Kept:
    """Where a run keeps its checkpoint."""

    folder: Path
    made_from: Mapping  # the record of the run, by which its checkpoint is recognized

    def is_there(self) -> bool:
        return read_made_from(self.folder) == self.made_from


def read_made_from(folder: Path) -> dict | None:
    """What the checkpoint in `folder` is one of; None where there is no whole one."""
    try:
        return json.loads((folder / PROGRESS).read_text(encoding="utf-8"))["made_from"]
    except (OSError, ValueError, KeyError, TypeError):
        return None


def save(kept: Kept, running: Running) -> None:
    groups = {
        "model": running.model.state_dict(),
        "best": running.best,
        "random": _random_states(running.order),
        **{f"optimizer.{number}": state for number, state in running.optimizer.state_dict()["state"].items()},
    }
    tensors = {f"{group}/{name}": _plain(value) for group, values in groups.items() for name, value in values.items()}
    progress = {"made_from": kept.made_from, "progress": asdict(running.progress)}
    with ownership.writing_folder(kept.folder, CHECKPOINT) as temporary:
        save_file(tensors, temporary / STATE)
        (temporary / PROGRESS).write_text(json.dumps(progress), encoding="utf-8")


def remove(folder: Path) -> None:
    """Remove the checkpoint; what somebody else put into its folder stays."""
    ownership.remove_folder(folder, CHECKPOINT)


def load(kept: Kept, running: Running) -> None:
    """Put `running` where the run was. ValueError when a file is damaged or of another model."""
    folder = kept.folder
    try:
        tensors = load_file(folder / STATE)
        progress = json.loads((folder / PROGRESS).read_text(encoding="utf-8"))["progress"]
        running.progress = Progress(**progress)
    except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
        raise ValueError(f"{folder} is a damaged checkpoint ({error}). Remove it and train from the start.") from error
    groups: dict[str, dict] = {}
    for key, value in tensors.items():
        group, _, name = key.partition("/")
        groups.setdefault(group, {})[name] = value
    try:
        running.model.load_state_dict(groups["model"])
        running.best = groups.get("best", {})  # none where no epoch is chosen
        _load_optimizer(groups, running.optimizer)
        _set_random_states(groups["random"], running.order)
    except (KeyError, RuntimeError, ValueError) as error:
        raise ValueError(
            f"{folder} is a checkpoint of another model ({error}). Remove it and train from the start."
        ) from error


def _load_optimizer(groups: dict[str, dict], optimizer: torch.optim.Optimizer) -> None:
    """The optimizer knows its parameters by number alone, so this looks whether what it kept of each has its shape."""
    state = {int(g.partition(".")[2]): values for g, values in groups.items() if g.startswith("optimizer.")}
    optimizer.load_state_dict({**optimizer.state_dict(), "state": state})
    for parameter, kept in optimizer.state.items():
        if kept["exp_avg"].shape != parameter.shape:
            raise RuntimeError("its optimizer has the parameters in another order")


def _plain(value: torch.Tensor) -> torch.Tensor:
    return value.detach().cpu().contiguous().clone()


def _random_states(order: torch.Generator) -> dict[str, torch.Tensor]:
    states = {"order": order.get_state(), "cpu": torch.get_rng_state()}
    return states | {f"cuda{i}": state for i, state in enumerate(torch.cuda.get_rng_state_all())}


def _set_random_states(states: dict[str, torch.Tensor], order: torch.Generator) -> None:
    order.set_state(states["order"])
    torch.set_rng_state(states["cpu"])
    if torch.cuda.is_available():  # a run that moves to another number of GPUs goes on with other dropout
        for number in range(torch.cuda.device_count()):
            if f"cuda{number}" in states:
                torch.cuda.set_rng_state(states[f"cuda{number}"], number)
