"""A ReLLaX system as files: everything that it needs beside its base in one file of weights, so that nobody loads a part of it.

    model.safetensors    lora/...   the adapter;  added/...   gates and projector;  ctr/...   the frozen CTR model
    rellax.json          the mode, how gates start, the adapter's configuration, the CTR model's
    vocabulary.parquet   the values that the CTR model has codes for
    base_model.json      which base it was trained on

An adapter that stood there as PEFT writes it would be loaded by others as plain LoRA, and score like a system without its half. Here the
parts are put into folders of their own when they are loaded, and read by what reads adapters and CTR models, with all of its checks.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import torch
from peft import PeftModel, get_peft_model_state_dict
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from rella_hub.files.hashes import hash_file
from rella_hub.hub.model_folders import ADAPTER_CONFIG, ADAPTER_WEIGHTS
from rella_hub.hub.models import result_folder
from rella_hub.language_models.same_base import BASE_RECORD
from rella_hub.systems.ctr.load import CONFIG, FEATURES, WEIGHTS, Trained, read_trained
from rella_hub.systems.rellax.model import Assembled
from rella_hub.systems.rellax.options import MARK, MODES, RESULT, STARTS
from rella_hub.systems.vocabulary import FILE as VOCABULARY
from rella_hub.tables import checked
from rella_hub.tables.checked import COUNT, NAME, RECORD, optional

LORA, ADDED, CTR = "lora", "added", "ctr"  # the parts in model.safetensors
NAMES_A_PLACE = ("base_model_name_or_path", "revision")
KINDS = {
    **dict.fromkeys(("mode", "gate_start", "config_name", "corpus"), NAME),
    **dict.fromkeys(("lora", "ctr", "ctr_config"), RECORD),
    **dict.fromkeys(("training_samples", "first_item"), COUNT),
    **{"num_shots": optional(COUNT)},
}
REQUIRED = (WEIGHTS, MARK, VOCABULARY, BASE_RECORD)


@dataclass(frozen=True)
class Packed:
    """A system's files, and its parts in folders that last as long as whoever made them."""

    name: str
    folder: Path
    mark: dict
    lora: Path
    ctr: Trained
    added: dict[str, torch.Tensor]

    @property
    def identity(self) -> dict:
        """As that of an adapter, for it is one."""
        return {
            "name": self.name,
            "sha256": hash_file(self.folder / WEIGHTS),
            "settings_sha256": hash_file(self.folder / MARK),
            "vocabulary_sha256": hash_file(self.folder / VOCABULARY),
            "mode": self.mark["mode"],
            "ctr": {key: value for key, value in self.ctr.identity.items() if key != "name"},
        }


def write(folder: Path, assembled: Assembled, ctr: Trained, mark: dict) -> None:
    """Everything but base_model.json. mark: what rellax.json says beside the parts' own configurations."""
    parts = {
        LORA: get_peft_model_state_dict(assembled.model, save_embedding_layers=False),
        ADDED: assembled.added.state_dict(),
        CTR: load_file(ctr.folder / WEIGHTS),
    }
    tensors = {
        f"{part}/{name}": weight.detach().cpu().contiguous().clone()
        for part, weights in parts.items()
        for name, weight in weights.items()
    }
    save_file(tensors, folder / WEIGHTS)
    shutil.copyfile(ctr.folder / VOCABULARY, folder / VOCABULARY)
    mark = mark | {
        "lora": _lora_config(assembled.model),
        "ctr": ctr.features,
        "ctr_config": checked.read_json(ctr.folder / CONFIG),
    }
    (folder / MARK).write_text(json.dumps(mark, indent=2) + "\n", encoding="utf-8")


def read(name: str, revision: str | None, scratch: Path) -> Packed:
    """scratch: an empty folder for the parts. ValueError when there is no such system, or a file of it is missing or damaged."""
    made_by = ", so it does not load whole. A system of this family is what python training/rellax.py writes into"
    folder = result_folder(name, revision, RESULT, REQUIRED, made_by, noun="system")
    mark = checked.require(checked.read_json(folder / MARK), KINDS, str(folder / MARK))
    for key, known in (("mode", MODES), ("gate_start", STARTS)):
        if mark[key] not in known:
            raise ValueError(
                f"{folder / MARK} has {key} {checked.shown(mark[key])}; expected one of {', '.join(known)}."
            )
    parts = _parts(folder / WEIGHTS)
    lora, ctr = scratch / LORA, scratch / CTR
    lora.mkdir(parents=True)
    ctr.mkdir()
    save_file(parts[LORA], lora / ADAPTER_WEIGHTS)
    shutil.copyfile(folder / BASE_RECORD, lora / BASE_RECORD)
    save_file(parts[CTR], ctr / WEIGHTS)
    shutil.copyfile(folder / VOCABULARY, ctr / VOCABULARY)
    texts = {lora / ADAPTER_CONFIG: mark["lora"], ctr / FEATURES: mark["ctr"], ctr / CONFIG: mark["ctr_config"]}
    for path, values in texts.items():
        path.write_text(json.dumps(values), encoding="utf-8")
    return Packed(name, folder, mark, lora, read_trained(str(ctr)), parts[ADDED])


def _parts(path: Path) -> dict[str, dict[str, torch.Tensor]]:
    try:
        tensors = load_file(path)
    except (OSError, SafetensorError) as error:
        raise ValueError(f"{path} is not a whole safetensors file ({error}). Get the system again.") from error
    found: dict[str, dict[str, torch.Tensor]] = {LORA: {}, ADDED: {}, CTR: {}}
    for key, weight in tensors.items():
        part, _, name = key.partition("/")
        if part not in found:
            raise ValueError(f"{path} holds {checked.shown(key)}, which is no part of a ReLLaX system. Get it again.")
        found[part][name] = weight
    empty = [part for part, weights in found.items() if not weights]
    if empty:
        raise ValueError(f"{path} holds no weights of {empty[0]}, so it does not load whole. Get the system again.")
    return found


def _lora_config(model: PeftModel) -> dict:
    """As adapter_config.json has it, without the place that the base was loaded from."""
    config = next(iter(model.peft_config.values())).to_dict()
    known = json.loads(json.dumps(config, default=sorted))  # sets, and the names of enums
    return {key: value for key, value in known.items() if key not in NAMES_A_PLACE} | {"inference_mode": True}
