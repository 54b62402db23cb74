"""Adapters of every kind on one tiny base, as PEFT alone saves and reads them."""

import json
from copy import deepcopy
from functools import cache
from pathlib import Path

import peft
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from peft.mapping import PEFT_TYPE_TO_CONFIG_MAPPING
from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM

from rella_hub.language_models.load import base_identity, load_adapter, load_base

IDS = torch.tensor([[5, 6, 7, 8, 9]])
ATTENTION = {"target_modules": ["q_proj", "v_proj"]}
# What a kind needs beside its targets to be made on a tiny model.
OPTIONS = {
    "IA3": {"target_modules": ["q_proj", "down_proj"], "feedforward_modules": ["down_proj"]},
    "LN_TUNING": {"target_modules": ["input_layernorm"]},
    "OFT": ATTENTION | {"r": 0, "oft_block_size": 4},
    "FOURIERFT": ATTENTION | {"n_frequency": 20},
    "WAVEFT": ATTENTION | {"n_frequency": 20},
    "ADALORA": ATTENTION | {"total_step": 10},
    "VBLORA": ATTENTION | {"vector_length": 4, "num_vectors": 8},
    "ROAD": ATTENTION | {"group_size": 4},
    "C3A": ATTENTION | {"block_size": 4},
    "TRAINABLE_TOKENS": {"token_indices": [5, 7], "target_modules": ["embed_tokens"]},
}


def llama(folder: Path, seed: int = 0, **shape) -> Path:
    torch.manual_seed(seed)
    sizes = {
        "hidden_size": 16,
        "intermediate_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "vocab_size": 40,
    }
    config = LlamaConfig(**sizes | shape, initializer_range=0.3, attention_bias=True)
    LlamaForCausalLM(config).save_pretrained(folder)
    return folder


def make(folder: Path, base: Path, config) -> Path:
    """An adapter as PEFT alone saves it, with weights that are far from what it began with."""
    tuned = get_peft_model(AutoModelForCausalLM.from_pretrained(base), config)
    torch.manual_seed(1)
    with torch.no_grad():
        for weight in tuned.parameters():
            if weight.requires_grad:
                weight.add_(torch.randn_like(weight) * 0.2)
    tuned.save_pretrained(folder)
    return folder


def lora(**options) -> LoraConfig:
    return LoraConfig(**{"task_type": "CAUSAL_LM", "r": 4, **ATTENTION} | options)


def edit(folder: Path, **changes) -> Path:
    path = folder / "adapter_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
    return folder


def answer(model) -> torch.Tensor:
    with torch.inference_mode():
        return model.eval()(input_ids=IDS).logits[0, -1]


@cache
def base_at(folder: Path):
    """The loaded base, of which every test takes a copy."""
    return load_base(str(folder))


@cache
def zero_shot(folder: Path) -> torch.Tensor:
    return answer(deepcopy(base_at(folder)))


def by_peft_alone(base: Path, adapter: Path) -> torch.Tensor:
    return answer(PeftModel.from_pretrained(deepcopy(base_at(base)), adapter))


def load(base: Path, adapter: Path, **options):
    return load_adapter(deepcopy(base_at(base)), base_identity(str(base)), str(adapter), **options)


def config_of(kind: str):
    options = OPTIONS.get(kind, {"r": 4, **ATTENTION})
    known = PEFT_TYPE_TO_CONFIG_MAPPING[peft.PeftType[kind]]
    named = {key: value for key, value in options.items() if key in known.__dataclass_fields__}
    return known(task_type="CAUSAL_LM", **named)
