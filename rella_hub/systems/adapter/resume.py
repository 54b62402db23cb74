"""The checkpoint that an interrupted run goes on from: the newest one that is whole, of this very run, and holds nothing but tensors.

A checkpoint may come from somebody else. Its weights are safetensors; what else torch saved is read with `weights_only`, and looked at
before training starts: a pickle with code in it is an error, a damaged file passes to the checkpoint before.
"""

from __future__ import annotations

import json
import os
import pickle
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from transformers import TrainerCallback
from transformers.trainer import TRAINER_STATE_NAME
from transformers.trainer_callback import ExportableState, TrainerState
from transformers.trainer_pt_utils import safe_globals

from rella_hub.files.replace import replacing_file
from rella_hub.systems.adapter.checkpoints import trainer_state

ADAPTER, WHOLE_MODEL = "adapter_model.safetensors", "model.safetensors"
OPTIMIZER, SCHEDULER = "optimizer.pt", "scheduler.pt"
SAVED_BY_TORCH = ("*.pt", "*.pth")
STARTS_ANEW = "Remove the checkpoint, or pass --overwrite true to start anew."


class MadeFrom(TrainerCallback, ExportableState):
    """Keeps in every checkpoint the recipe and the inputs that it was made from."""

    def __init__(self, made_from: Mapping | None = None):
        self._made_from = made_from

    def state(self) -> dict:
        return {"args": {"made_from": self._made_from}, "attributes": {}}


def checkpoint_to_go_on_from(output: Path, made_from: Mapping, asked: str | None, defaults: Mapping) -> Path | None:
    """None where there is nothing to go on from. asked: --resume_from_checkpoint; defaults: what an option that a checkpoint does not
    record counts as.

    ValueError when a checkpoint is of another run or has code in it, when none can be read, or when what was asked for is not there.
    """
    checkpoints = sorted((path for path in output.glob("checkpoint-*") if trainer_state(path) is not None), key=_step)
    if asked not in (None, "true", "false"):
        checkpoints = [path for path in checkpoints if path.resolve() == Path(asked).resolve()]
    if asked not in (None, "false") and not checkpoints:
        what = "whole checkpoint" if asked == "true" else f"whole checkpoint {asked}"
        raise ValueError(
            f"--resume_from_checkpoint is {asked}, but {output} has no {what} to go on from. Leave it out."
        )
    for checkpoint in reversed(checkpoints):
        damage = _damage(checkpoint)
        if damage is None:
            _require_same_run(checkpoint, made_from, defaults)
            _find_best(checkpoint)
            return checkpoint
        print(f"{checkpoint} is passed over: {damage}.", flush=True)
    if checkpoints:
        raise ValueError(f"{output} has no checkpoint that can be read. {STARTS_ANEW}")
    return None


def _step(checkpoint: Path) -> int:
    number = checkpoint.name.rpartition("-")[2]
    return int(number) if number.isdigit() else -1


def _damage(checkpoint: Path) -> str | None:
    """What is missing or cannot be read, None for nothing. ValueError for code."""
    if any(checkpoint.glob("global_step*")):
        raise ValueError(
            f"{checkpoint} is of DeepSpeed, which reads its own pickles with whatever code is in them: such a run is not gone on with. "
            f"{STARTS_ANEW}"
        )
    try:
        TrainerState.load_from_json(str(checkpoint / TRAINER_STATE_NAME))
    except (TypeError, ValueError) as error:
        return f"its {TRAINER_STATE_NAME} is not understood ({error})"
    weights = [path for path in checkpoint.glob("*.safetensors") if not _is_damaged(path)]
    if len(weights) < max(1, _shards(checkpoint)):
        return f"its weights ({ADAPTER} or {WHOLE_MODEL}) are missing or damaged"
    for name in (OPTIMIZER, SCHEDULER):
        if not (checkpoint / name).is_file():
            return f"its {name} is missing"
    for path in sorted(path for pattern in SAVED_BY_TORCH for path in checkpoint.glob(pattern)):
        if not _is_understood(path):
            return f"its {path.name} is damaged, or no file of this command"
    return None


def _shards(checkpoint: Path) -> int:
    try:
        index = json.loads((checkpoint / f"{WHOLE_MODEL}.index.json").read_text(encoding="utf-8"))
        return len(set(index["weight_map"].values()))
    except (OSError, ValueError, KeyError):
        return 0


def _is_damaged(path: Path) -> bool:
    try:
        with safe_open(path, framework="pt") as stored:
            return not list(stored.keys())
    except (OSError, SafetensorError):
        return True


def _is_understood(path: Path) -> bool:
    """Whether what torch saved is read again. ValueError when it would not be tensors and numbers alone."""
    try:
        with safe_globals():  # numpy's, in the state of its random numbers
            unsafe = torch.serialization.get_unsafe_globals_in_checkpoint(path)
            unsafe = [name for name in unsafe if not name.startswith(("numpy.", "_codecs.encode"))]
            if not unsafe:
                content = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except (OSError, RuntimeError, ValueError, EOFError, KeyError, pickle.UnpicklingError):
        return False
    if unsafe:
        raise ValueError(f"{path} holds {unsafe[0]}, which is no tensor: it is not read. {STARTS_ANEW}")
    return isinstance(content, dict) and _keys(path.name) <= content.keys()


def _keys(name: str) -> set[str]:
    if name.startswith("rng_state"):
        return {"python", "numpy", "cpu"}
    return {OPTIMIZER: {"state", "param_groups"}, SCHEDULER: {"last_epoch"}}.get(name, set())


def _require_same_run(checkpoint: Path, made_from: Mapping, defaults: Mapping) -> None:
    """Earlier versions kept no such record; then that of the run folder alone speaks."""
    kept = (trainer_state(checkpoint).get("stateful_callbacks") or {}).get(MadeFrom.__name__)
    existing = {**defaults, **(kept["args"]["made_from"] if kept else made_from)}
    for key, asked in made_from.items():
        got = existing.get(key, "not recorded")
        if got != asked:
            raise ValueError(
                f"{checkpoint} is of another run: its {key} is {got!r}, asked for is {asked!r}. {STARTS_ANEW}"
            )


def _find_best(checkpoint: Path) -> None:
    """The best checkpoint is known by its path: where the run folder was moved, it lies beside this one."""
    state = trainer_state(checkpoint) or {}
    best = state.get("best_model_checkpoint")
    if best is None:
        return
    moved = checkpoint.parent / Path(best).name
    if Path(best).resolve() == moved.resolve() and moved.is_dir():
        return
    if not moved.is_dir() or _damage(moved) is not None:
        raise ValueError(f"{checkpoint} knows {moved.name} as the best so far, which is gone. {STARTS_ANEW}")
    state["best_model_checkpoint"] = os.fspath(moved)
    with replacing_file(checkpoint / TRAINER_STATE_NAME) as temporary:
        temporary.write_text(json.dumps(state, indent=2, sort_keys=True) + "\n", encoding="utf-8")
