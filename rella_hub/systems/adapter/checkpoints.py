"""The checkpoints of a tuning run: which are whole, and which files of them may be removed, namely those that the run wrote."""

from __future__ import annotations

import json
import re
from pathlib import Path

from transformers.trainer import TRAINER_STATE_NAME

from rella_hub.files import ownership
from rella_hub.files.replace import files_in
from rella_hub.files.writer import LOCK
from rella_hub.language_models.answers import AnswerTrainer

CHECKPOINT = "checkpoint"  # what the folders are recorded as
_NAME = re.compile(r"checkpoint-(\d+)")


class KeepsCheckpoints:
    """What makes a trainer record every file of a checkpoint, and remove old ones by these records: Trainer would remove all that
    lies in the folder. kept: how many stay, the best one not counted; None: all."""

    def __init__(self, *args, kept: int | None, **kwargs):
        super().__init__(*args, **kwargs)
        self._kept = kept

    def _save_checkpoint(self, model, trial) -> None:
        output = Path(str(self.args.output_dir))
        folder = output / f"checkpoint-{self.state.global_step}"
        if self.is_world_process_zero():
            ownership.open_folder(folder, CHECKPOINT)
        self.accelerator.wait_for_everyone()
        before = _times(folder)
        super()._save_checkpoint(model, trial)
        self.accelerator.wait_for_everyone()  # each writes the state of its random numbers
        if self.is_world_process_zero():
            written = {name for name, time in _times(folder).items() if before.get(name) != time}
            ownership.note(folder, CHECKPOINT, dict.fromkeys(written - {ownership.FILE, LOCK}))
            best = self.state.best_model_checkpoint
            _remove_old(output, self._kept, Path(best).name if best else None)


class CheckpointingTrainer(KeepsCheckpoints, AnswerTrainer):
    """The trainer of an adapter."""


def last_whole(output: Path) -> Path | None:
    """The newest whole checkpoint. One that was being written when its run was killed lacks the trainer's state, its last file."""
    whole = [path for path in _folders(output) if _is_whole(path)]
    return whole[-1] if whole else None


def require_own(output: Path) -> None:
    """ValueError where a folder has the name of a checkpoint and is none of this project."""
    for folder in _folders(output):
        ownership.require_own_folder(folder, CHECKPOINT)


def remove_all(output: Path) -> None:
    for folder in _folders(output):
        ownership.remove_folder(folder, CHECKPOINT)


def _remove_old(output: Path, kept: int | None, best: str | None) -> None:
    others = [folder for folder in _folders(output) if folder.name != best]
    for folder in others[: -max(kept, 1)] if kept else []:
        ownership.remove_folder(folder, CHECKPOINT)


def _folders(output: Path) -> list[Path]:
    """In the order of their steps."""
    found = [path for path in output.glob("checkpoint-*") if _NAME.fullmatch(path.name) and path.is_dir()]
    return sorted(found, key=lambda path: int(path.name.rpartition("-")[2]))


def _times(folder: Path) -> dict[str, int]:
    """When each file in the folder was written."""
    return {name: (folder / name).lstat().st_mtime_ns for name in files_in(folder)}


def _is_whole(checkpoint: Path) -> bool:
    return trainer_state(checkpoint) is not None and ownership.read(checkpoint).folder_of == CHECKPOINT


def trainer_state(checkpoint: Path) -> dict | None:
    """What the trainer noted at the end of writing a checkpoint; None where it did not come so far."""
    try:
        state = json.loads((checkpoint / TRAINER_STATE_NAME).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return state if isinstance(state, dict) else None
