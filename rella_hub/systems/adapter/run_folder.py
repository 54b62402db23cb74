"""The run folder of a tuning: when it is this very run, how it is opened, and the order in which its files are replaced.

<run>/recipe.yaml, inputs.json     written before the first step: what the run is made again with, and what it is made from
<run>/checkpoint-<step>/           what an interrupted run goes on from
<run>/<result>/, training.png      what was trained, and its curve
<run>/training.json                the last file: it says that the run is finished
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

import yaml
from accelerate import PartialState
from trl import SFTConfig

from rella_hub.cli.options import recipe, without_places
from rella_hub.figures import draw_curve
from rella_hub.files import ownership, places
from rella_hub.files.hashes import hash_file
from rella_hub.systems.adapter import checkpoints
from rella_hub.systems.adapter.config import NOT_OF_TRL, OF_THE_RECIPE
from rella_hub.systems.adapter.resume import checkpoint_to_go_on_from
from rella_hub.tables import records
from rella_hub.tables.checked import parse_yaml, read_text, require
from rella_hub.tables.runs import CURVE, INPUTS, RECIPE, RECORD

OF_SFT_CONFIG = tuple(name for name in OF_THE_RECIPE if name not in NOT_OF_TRL)
OF_INSTRUCTIONS = ("instructions", "instructions_revision", "instruction_epochs")
ALWAYS_SAID = ("learning_rate", "weight_decay", "lr_scheduler_type", "num_train_epochs", "seed", "max_length")


@dataclass(frozen=True)
class Kind:
    """What a family calls its run folders."""

    run: str  # as which they are recorded
    result: str  # the folder of what was trained
    result_kind: str  # as which that is recorded
    options: type  # the dataclass of their options
    reads: tuple[str, ...]  # the options that a recipe has by name and a record by hashes


@dataclass(frozen=True)
class MadeOf:
    """What a run is made of."""

    base: dict  # the identity of the base model
    recipe: dict  # as people read it: without what is at its default
    pinned: dict  # every option that pins the result, and the hashes of what they are applied to
    defaults: dict  # what an option counts as in a record that is older than it


def check_output(output: Path, kind: Kind, reads: Sequence[str], overwrite: bool) -> None:
    """ValueError before any work where the run folder is none, or a name in it that the run writes is somebody else's."""
    places.check_own_folder(output, "--output_dir", reads=reads)
    ownership.require_own_folder(output, kind.run)
    ownership.require_own_folder(output / kind.result, kind.result_kind)
    checkpoints.require_own(output)
    for name in (RECIPE, INPUTS, RECORD, CURVE):
        ownership.require_replaceable(output / name, kind.run, overwrite)


def is_finished(output: Path, kind: Kind, made_of: MadeOf, hashes: dict) -> bool:
    """Whether the folder holds the result of this very run. ValueError when it holds another run, or the beginning of one."""
    finished = _has_result(output, kind)
    if not finished and checkpoints.last_whole(output) is None:
        return False
    stored = {}
    if (output / RECIPE).exists():
        stored = require(parse_yaml(read_text(output / RECIPE), str(output / RECIPE)), {}, str(output / RECIPE))
    existing = without_places(stored, kind.options) | (records.read_record(output / INPUTS) or hashes)
    defaults = made_of.defaults | dict.fromkeys(hashes, "not recorded")
    return records.is_current(
        output, existing, made_of.pinned, False, "--output_dir", whole=finished, defaults=defaults
    )


def open_folder(output: Path, kind: Kind, made_of: MadeOf, overwrite: bool, asked: str | None) -> Path | None:
    """Make the run folder ready, by the first of several processes, and give the checkpoint to go on from, if any."""

    def write() -> None:
        if not _has_result(output, kind):  # else that of the older run, whose recipe it has until it is replaced
            _write_recipe(output, kind, made_of, overwrite)

    return _opened(output, kind.run, made_of.pinned, made_of.defaults, overwrite, asked, write)


def open_plain_folder(output: Path, run: str, made_from: dict, overwrite: bool, asked: str | None) -> Path | None:
    """The same of a run whose record is what it is made from: inputs.json holds that, and the recipe comes with the result."""

    def write() -> None:
        with ownership.writing_file(output / INPUTS, run, True) as temporary:
            temporary.write_text(json.dumps(made_from, indent=2) + "\n", encoding="utf-8")

    return _opened(output, run, made_from, {}, overwrite, asked, write)


def _opened(
    output: Path, run: str, pinned: dict, defaults: dict, overwrite: bool, asked: str | None, write: Callable[[], None]
) -> Path | None:
    state = PartialState()
    if state.is_main_process:
        ownership.open_folder(output, run)
        if overwrite:
            checkpoints.remove_all(output)
        write()
    state.wait_for_everyone()
    checkpoint = checkpoint_to_go_on_from(output, pinned, asked, defaults)
    if checkpoint is not None:
        print(f"going on from {checkpoint}", flush=True)
    return checkpoint


def save(
    output: Path, kind: Kind, made_of: MadeOf, overwrite: bool, record: dict, write: Callable[[Path], None]
) -> None:
    """Replace the result, with its recipe, and then write the record, which says that the run is finished.

    write: puts what was trained into a folder.
    """
    with ownership.writing_folder(output / kind.result, kind.result_kind) as temporary:
        write(temporary)
        record |= {"sha256": {path.name: hash_file(path) for path in sorted(temporary.glob("*.safetensors"))}}
        ownership.remove(output, kind.run, [RECORD])  # of the older run: without it neither result is a finished one
        _write_recipe(output, kind, made_of, overwrite)
    with ownership.writing_file(output / CURVE, kind.run, overwrite) as temporary:
        draw_log(temporary, record["log"], "auc", "validation AUC")
    with ownership.writing_file(output / RECORD, kind.run, overwrite) as temporary:
        temporary.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    print(
        f"{output / kind.result}: validation AUC {record['best_validation_auc']:.4f} at step {record['best_step']}.",
        flush=True,
    )


def draw_log(
    path: Path, log: list[dict], metric: str, titled: str, loss: str = "training loss per answer token"
) -> None:
    """The curve of Trainer's log. metric: its name there, without `eval_`."""
    steps = [(entry["step"], entry["loss"]) for entry in log if "loss" in entry]
    validated = [(entry["step"], entry[f"eval_{metric}"]) for entry in log if f"eval_{metric}" in entry]
    draw_curve(path, "optimizer step", loss, {"training": steps}, validated, titled=titled)


def auc_at(step: int | None, log: list[dict]) -> float:
    found = [entry["eval_auc"] for entry in log if entry["step"] == step and "eval_auc" in entry]
    if not found:
        raise ValueError(
            "The run ended before its first validation, so there is no best epoch to keep. Lower --eval_steps and --save_steps, or "
            "take --eval_strategy epoch and --save_strategy epoch."
        )
    return found[0]


def recipe_of(options, kind: Kind, pinned: dict, defaults: dict) -> dict:
    """What the run is made again with; of SFTConfig's options those that are not at their defaults, as they are used."""
    plain = {name: defaults[name] for name in OF_SFT_CONFIG if name not in ALWAYS_SAID}
    values = {name: pinned.get(name, value) for name, value in recipe(options, kind.reads).items()}
    if not options.chat_template_kwargs:
        del values["chat_template_kwargs"]
    if not getattr(options, "instructions", None):
        values = {name: value for name, value in values.items() if name not in OF_INSTRUCTIONS}
    return {name: value for name, value in values.items() if name not in plain or value != plain[name]}


def used(arguments: SFTConfig) -> dict:
    """The options of SFTConfig that pin the weights, as they are used on this machine."""
    values = {name: getattr(arguments, name) for name in OF_SFT_CONFIG}
    return {name: value.value if isinstance(value, Enum) else value for name, value in values.items()}


def _has_result(output: Path, kind: Kind) -> bool:
    return (output / kind.result).is_dir() and (output / RECORD).is_file()


def _write_recipe(output: Path, kind: Kind, made_of: MadeOf, overwrite: bool) -> None:
    recipe_text = yaml.safe_dump(made_of.recipe, sort_keys=False)
    texts = {RECIPE: recipe_text, INPUTS: json.dumps(made_of.pinned, indent=2) + "\n"}
    for name, text in texts.items():
        with ownership.writing_file(output / name, kind.run, overwrite) as temporary:
            temporary.write_text(text, encoding="utf-8")
