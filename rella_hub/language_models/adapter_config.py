"""`adapter_config.json` as others wrote it, made safe before PEFT acts on it.

PEFT builds what the file says before any weight is compared: matrices of any rank, layers repeated any number of times, names found
by regular expressions that may run for years. Some of its kinds open further models where the file says. What is read here is what
changes the answer of the layers, on the scale of the weights that lie beside it; all else is refused, and why is said.
"""

from __future__ import annotations

import dataclasses
import json
import math
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import torch
from peft import PeftConfig, PeftType
from peft.mapping import PEFT_TYPE_TO_CONFIG_MAPPING
from peft.tuners.tuners_utils import BaseTunerLayer

from rella_hub.hub.model_folders import ADAPTER_CONFIG
from rella_hub.tables.checked import read_object, shown
from rella_hub.texts.shown import first_line

LAYERS = "Adapters that change the layers are scored, such as LoRA."
# fmt: off
# Each of these is tested to load whole and to answer as PEFT alone does.
SCORED = (
    "LORA", "ADALORA", "BEFT", "C3A", "DEFT", "DELORA", "FOURIERFT", "GLORA", "GRALORA", "HIRA", "HRA", "IA3", "LN_TUNING",
    "LOHA", "LOKR", "MISS", "OFT", "PEANUT", "RANDLORA", "ROAD", "SUPERTUNING", "TINYLORA", "TRAINABLE_TOKENS", "UNILORA", "VBLORA",
    "VERA", "WAVEFT",
)
# PEFT knows bitsandbytes' layers there, or none are concerned.
QUANTIZED = ("LORA", "ADALORA", "IA3", "RANDLORA", "ROAD", "LN_TUNING", "TRAINABLE_TOKENS")
# fmt: on
NOT_SCORED = {
    "XLORA": "it opens further adapters where its file says",
    "SHADOW": "it opens a second model where its file says",
    "BOFT": "it compiles code on a GPU",
    "SHIRA": "places out of a damaged file would be read beyond the memory of its weights",
    "LILY": "its router mixes all tokens of a batch, so that a prompt has no score of its own",
    "POLY": "it asks for the task of each prompt",
    "ADAPTION_PROMPT": "it puts tokens of its own into the attention",
}
# Settings that need, or change, more than the adapter's own weights.
FOREIGN = {
    "layer_replication": "it would build another model out of the base's layers",
    "megatron_config": "it would import the module that megatron_core names",
    "arrow_config": "it routes between adapters that are not in the file",
    "lora_ga_config": "its base was changed by gradients on data that are not in the file",
    "corda_config": "its base was changed by statistics of data that are not in the file",
    "loftq_config": "its base was changed by a quantization of its own",
    "eva_config": "it begins with statistics of data that are not in the file",
    "alora_invocation_tokens": "it changes only what follows certain tokens",
}
KEPT_INITS = (
    True,
    False,
    "gaussian",
    "orthogonal",
    "pissa",
    "olora",
)  # what lies beside the file replaces the first guess
PLAIN = re.compile(r"[\w.-]+", re.ASCII)
UNREAD = (
    "auto_mapping",
    "runtime_config",
)  # where a class is imported from, and how a machine moves weights: not the adapter
LARGE_BY_NATURE = ("seed", "key", "step", "tinit", "tfinal", "token", "indices", "version")
LEAST_BOUND = 65_536
PATTERNS = ("target_modules", "exclude_modules", "feedforward_modules")


def read_adapter_config(folder: Path, largest: int) -> PeftConfig:
    """The configuration of an adapter of a type that is scored. ValueError with the reason when it cannot be used.

    largest: of the dimensions of its stored weights, which bounds every size that the file may name.
    """
    path = folder / ADAPTER_CONFIG
    return checked_adapter_config(path, read_object(path), largest)


def checked_adapter_config(path: Path, values: dict, largest: int) -> PeftConfig:
    """The same of values that stand in the file `path`."""
    known = _config_class(path, values)
    _refuse_purpose(path, values)
    _refuse_foreign(path, values)
    for key, value in _numbers(values):
        _refuse_number(path, key, value, max(largest, LEAST_BOUND))
    fields = {field.name for field in dataclasses.fields(known)}
    unknown = [key for key, value in values.items() if key not in fields and value]
    if unknown:
        raise ValueError(
            f"{path} has {shown(unknown[0])}: {shown(values[unknown[0]])}, which the installed PEFT does not know and would leave out. "
            "A newer PEFT may: pip install -U peft."
        )
    kept = {key: value for key, value in values.items() if key in fields and key not in UNREAD}
    try:
        config = known(**json.loads(json.dumps(kept)))  # PEFT saves plain groups of values alone
    except Exception as error:  # whatever the class of that type makes of a wrong value
        raise ValueError(f"{path} cannot be used ({first_line(error)}).") from error
    config.inference_mode = True
    return config


def resolve_patterns(config: PeftConfig, model: torch.nn.Module) -> None:
    """Replace regular expressions by the names of the modules that they find, in time linear in the names."""
    inside: tuple[str, ...] = ()
    names = []
    for name, module in model.named_modules():
        if not name or name.startswith(inside):
            continue
        names.append(name)
        if isinstance(module, BaseTunerLayer):
            inside = (*inside, f"{name}.")
    for field in PATTERNS:
        pattern = getattr(config, field, None)
        if isinstance(pattern, str) and pattern != "all-linear":
            setattr(config, field, set(_found(field, pattern, names)))


def _found(field: str, pattern: str, names: Sequence[str]) -> list[str]:
    try:
        matches = pc.match_substring_regex(pa.array(names, pa.string()), f"^(?:{pattern})$")
    except pa.ArrowException as error:
        raise ValueError(
            f"its {field} is the regular expression {shown(pattern)}, which is not a simple one ({first_line(error)})"
        ) from error
    return [name for name, found in zip(names, matches.to_pylist(), strict=True) if found]


def _config_class(path: Path, values: dict) -> type[PeftConfig]:
    name = values.get("peft_type")
    if not isinstance(name, str) or name not in PeftType.__members__:
        raise ValueError(
            f"{path} has the peft_type {shown(name)}; expected one that the installed PEFT knows, such as LORA."
        )
    known = PEFT_TYPE_TO_CONFIG_MAPPING[PeftType[name]]
    if name not in SCORED:
        prompt = "it puts tokens of its own before the prompt"
        reason = NOT_SCORED.get(name) or (prompt if _is_prompt_learning(known) else "it is not tested here")
        raise ValueError(f"The adapter {str(path.parent)!r} is of type {name}: {reason}. {LAYERS}")
    return known


def _is_prompt_learning(config_class: type[PeftConfig]) -> bool:
    found: Any = config_class.is_prompt_learning  # a property, of some types an attribute of the class
    return bool(found.fget(None) if isinstance(found, property) else found)


def _refuse_purpose(path: Path, values: dict) -> None:
    task = values.get("task_type")
    if task not in (None, "CAUSAL_LM"):
        raise ValueError(
            f"{path} has the task_type {shown(task)}; expected CAUSAL_LM: an adapter of a classifier answers something else."
        )
    named = values.get("base_model_name_or_path"), values.get("revision")
    if any(not isinstance(name, (str, type(None))) for name in named):
        raise ValueError(
            f"{path} names its base {shown(named[0])} (revision {shown(named[1])}); expected text or null."
        )


def _refuse_foreign(path: Path, values: dict) -> None:
    for key, reason in FOREIGN.items():
        if values.get(key):
            raise ValueError(f"{path} has {key}: {reason}. {LAYERS}")
    init = values.get("init_lora_weights", True)
    if not any(init is kept or (isinstance(init, str) and init == kept) for kept in KEPT_INITS):
        raise ValueError(
            f"{path} has init_lora_weights {shown(init)}: its base would be changed by chance, by data or by what that names. Save the "
            "adapter as plain LoRA (save_pretrained with path_initial_model_for_weight_conversion)."
        )
    for key, value in values.items():
        for pattern in _plain_names(key, value):
            if not isinstance(pattern, str) or not PLAIN.fullmatch(pattern):
                raise ValueError(
                    f"{path} has {shown(pattern)} in {key}; expected plain names of modules, without regular expressions."
                )


def _plain_names(key: str, value: object) -> list:
    """The names in a setting whose every entry PEFT takes for a regular expression."""
    if key == "layers_pattern":
        return [] if value is None else value if isinstance(value, list) else [value]
    return list(value) if key.endswith("_pattern") and isinstance(value, dict) else []


def _numbers(values: object, key: str = "") -> Iterator[tuple[str, float]]:
    """Every number, with the name of the setting that it stands in."""
    if isinstance(values, dict):
        for name, value in values.items():
            yield from _numbers(value, key or name)
    elif isinstance(values, list):
        for value in values:
            yield from _numbers(value, key)
    elif isinstance(values, (int, float)) and not isinstance(values, bool):
        yield key, values


def _refuse_number(path: Path, key: str, value: float, largest: int) -> None:
    if not math.isfinite(value):
        raise ValueError(f"{path} has {key}: {value}; expected a finite number.")
    if abs(value) > largest and not any(part in key for part in LARGE_BY_NATURE):
        raise ValueError(
            f"{path} has {key}: {shown(value)}, more than any size of the weights beside it ({largest:,})."
        )
