"""`config.json` of a model, read without trusting it: it may make transformers build, download or run almost anything.

It may name an attention kernel of the Hub, which is code; another configuration file; a model of a billion layers. Here it
describes the weights that lie beside it, and nothing more.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch.nn.modules.module import register_module_parameter_registration_hook
from transformers import AutoConfig, PreTrainedConfig

from rella_hub.hub.model_folders import CONFIG, Stored
from rella_hub.tables.checked import read_object, shown
from rella_hub.texts.shown import first_line

IMPLEMENTATIONS = ("attn_implementation", "experts_implementation")
# What stands for no kernel of the Hub. Whichever is named, the attention is the one that torch brings.
LOCAL = (None, "", "eager", "sdpa", "flex_attention", "flash_attention_2", "flash_attention_3", "flash_attention_4")
LOCAL_EXPERTS = (None, "", "eager", "batched_mm", "grouped_mm")
ELSEWHERE = ("transformers_weights", "configuration_files", "kernel_config", "use_kernels")
QUANTIZED = ("quantization_config", "compression_config")
MOST_LAYERS, MOST = 1_000, 1_000_000  # layers; heads, experts, labels or positions
SLACK = 1_000_000  # weights that are built beside those that are stored, such as a pooler that nobody uses


def read_config(folder: Path, encoder_decoder: bool = False) -> PreTrainedConfig:
    """The configuration of a folder's model. ValueError when it is damaged, or asks for more than the weights beside it.

    encoder_decoder: whether the model has to be one; otherwise it must not.
    """
    path = folder / CONFIG
    values = read_object(path)
    for key, value in _settings(values):
        _refuse_setting(path, key, value)
    try:
        config = AutoConfig.from_pretrained(folder, trust_remote_code=False)
        config._attn_implementation = config._experts_implementation = None
    except Exception as error:  # whatever the class of that model makes of a wrong value
        raise ValueError(f"{path} cannot be read ({first_line(error)}).") from error
    if getattr(config, "is_encoder_decoder", False) != encoder_decoder:
        raise ValueError(
            "It is no encoder-decoder, such as a T5."
            if encoder_decoder
            else "It is an encoder-decoder: it does not go on with a text but answers it with another one."
        )
    return config


def require_size(auto_class: Any, config: PreTrainedConfig, stored: Mapping[str, Stored], times: int = 2) -> None:
    """ValueError when the configuration describes a model that its stored tensors cannot fill; found out without memory.

    times: how often a stored weight may be built, as those of tied layers are.
    """
    most, tensors = times * sum(tensor.size for tensor in stored.values()) + SLACK, 4 * len(stored) + MOST_LAYERS
    with bounded_parameters(most, tensors), torch.device("meta"):
        auto_class.from_config(copy.deepcopy(config), trust_remote_code=False)


@contextmanager
def bounded_parameters(most: int, tensors: int) -> Iterator[None]:
    """While inside, modules register at most `most` weights in at most `tensors` parameters; ValueError beyond that."""
    weights = count = 0

    def registered(module: torch.nn.Module, name: str, parameter: torch.nn.Parameter | None) -> None:
        nonlocal weights, count
        if parameter is None:
            return
        weights, count = weights + parameter.numel(), count + 1
        if weights > most or count > tensors:
            raise ValueError("Its configuration describes a far larger model than the weights beside it hold.")

    handle = register_module_parameter_registration_hook(registered)
    try:
        yield
    finally:
        handle.remove()


def _settings(values: object) -> Iterator[tuple[str, object]]:
    """Every key and value, of nested configurations too."""
    if isinstance(values, dict):
        for key, value in values.items():
            yield key, value
            yield from _settings(value)
    elif isinstance(values, list):
        for value in values:
            yield from _settings(value)


def _refuse_setting(path: Path, key: str, value: object) -> None:
    plain = key.strip("_").removesuffix("_internal")
    if plain in IMPLEMENTATIONS:
        local = LOCAL if plain == "attn_implementation" else LOCAL_EXPERTS
        for name in value.values() if isinstance(value, dict) else [value]:
            if not isinstance(name, (str, type(None))) or name not in local:
                raise ValueError(
                    f"{path} asks for the {key} {shown(name)}. Code from the Hub is not run; expected one that is installed, such as sdpa."
                )
    if key in ELSEWHERE and value:
        raise ValueError(
            f"{path} has {key}: {shown(value)}, so not the files beside it would be read or run. Take it out."
        )
    if key in QUANTIZED and value:
        method = value.get("quant_method", "") if isinstance(value, dict) else ""
        raise ValueError(
            f"It is stored quantized ({key} {shown(method)} in {path}), so what is scored would not be what is recorded. Give the model "
            "in floating point; --quantization 8bit or 4bit quantizes it while it is loaded."
        )
    most = MOST_LAYERS if "layer" in key else MOST
    if ("layer" in key or key.startswith(("num_", "n_"))) and isinstance(value, (int, float)) and value > most:
        raise ValueError(f"{path} has {key}: {shown(value)}; expected at most {most:,}.")
