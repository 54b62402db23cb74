"""Where a run of rella_hub/systems/ctr/loop.py stands after an epoch: enough to go on as if it had never been interrupted.

Everything is tensors in one safetensors file, states of the random number generators among them, and one JSON file of what it is a
checkpoint of. The folder is written whole or not at all.
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


def read_made_from(folder: Path) -> dict | None:
    """What the checkpoint in `folder` is one of; None where there is no whole one."""
    try:
        return json.loads((folder / PROGRESS).read_text(encoding="utf-8"))["made_from"]
    except (OSError, ValueError, KeyError):
        return None


def save(folder: Path, running: Running, made_from: Mapping) -> None:
    """`made_from`: the record of the run, by which the checkpoint is recognized."""
    groups = {
        "model": running.model.state_dict(),
        "best": running.best,
        "random": _random_states(running.order),
        **{f"optimizer.{number}": state for number, state in running.optimizer.state_dict()["state"].items()},
    }
    tensors = {f"{group}/{name}": _plain(value) for group, values in groups.items() for name, value in values.items()}
    progress = {"made_from": made_from, "progress": asdict(running.progress)}
    with ownership.writing_folder(folder, CHECKPOINT) as temporary:
        save_file(tensors, temporary / STATE)
        (temporary / PROGRESS).write_text(json.dumps(progress), encoding="utf-8")


def remove(folder: Path) -> None:
    """Remove the checkpoint; what somebody else put into its folder stays."""
    ownership.remove_folder(folder, CHECKPOINT)


def load(folder: Path, running: Running) -> None:
    """Put `running` where it stood. ValueError when the file is damaged or of another model."""
    try:
        tensors = load_file(folder / STATE)
        progress = json.loads((folder / PROGRESS).read_text(encoding="utf-8"))["progress"]
    except (OSError, ValueError, KeyError, SafetensorError) as error:
        raise ValueError(f"{folder} is a damaged checkpoint ({error}). Remove it and train from the start.") from error
    groups: dict[str, dict] = {}
    for key, value in tensors.items():
        group, _, name = key.partition("/")
        groups.setdefault(group, {})[name] = value
    try:
        running.model.load_state_dict(groups["model"])
    except RuntimeError as error:
        raise ValueError(
            f"{folder} is a checkpoint of another model ({error}). Remove it and train from the start."
        ) from error
    running.best = groups.get("best", {})  # none where no epoch is chosen
    state = {int(g.partition(".")[2]): values for g, values in groups.items() if g.startswith("optimizer.")}
    running.optimizer.load_state_dict({**running.optimizer.state_dict(), "state": state})
    running.progress = Progress(**progress)
    _set_random_states(groups["random"], running.order)


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
