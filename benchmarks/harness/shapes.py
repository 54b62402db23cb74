"""Models of known shapes with random weights, and prompts of mixed lengths: speed depends on nothing else."""

from __future__ import annotations

import math

import numpy as np
import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

SHAPES = {
    "25m": {
        "hidden_size": 384,
        "intermediate_size": 1024,
        "num_hidden_layers": 7,
        "num_attention_heads": 6,
        "tie_word_embeddings": True,
    },
    "7b": {"hidden_size": 4096, "intermediate_size": 11008, "num_hidden_layers": 32, "num_attention_heads": 32},
}
VOCABULARY = 32_000
YES, NO = 3869, 1939  # any two tokens


def llama(shape: str, dtype: torch.dtype, device: str, quantized: bool = False) -> LlamaForCausalLM:
    """A Llama of the given shape, seeded; `quantized`: its linear layers in 8 bits through bitsandbytes."""
    torch.manual_seed(0)
    config = LlamaConfig(vocab_size=VOCABULARY, max_position_embeddings=2048, pad_token_id=0, **SHAPES[shape])
    with torch.device("cpu" if quantized else device):
        model = LlamaForCausalLM(config).to(dtype)
    if quantized:
        _quantize(model)
    return model.to(device).eval()


def _quantize(model: torch.nn.Module) -> None:
    from bitsandbytes.nn import Int8Params, Linear8bitLt

    for module in list(model.model.modules()):
        for name, child in list(module.named_children()):
            if isinstance(child, torch.nn.Linear):
                quantized = Linear8bitLt(child.in_features, child.out_features, bias=False, has_fp16_weights=False)
                quantized.weight = Int8Params(child.weight.data, requires_grad=False, has_fp16_weights=False)
                setattr(module, name, quantized)


def mixed_lengths(count: int, seed: int = 0, median: int = 200, longest: int = 1000) -> list[list[int]]:
    """`count` prompts of random tokens whose lengths are log-normal between 40 and `longest`."""
    rng = np.random.default_rng(seed)
    lengths = np.clip(np.exp(rng.normal(math.log(median), 0.7, count)), 40, longest).astype(int)
    return [rng.integers(10, VOCABULARY, length).tolist() for length in lengths]


def word_tokenizer() -> PreTrainedTokenizerFast:
    """A tokenizer for trainers that demand one; the rows are tokenized already."""
    tokenizer = Tokenizer(models.WordLevel({"<pad>": 0, "<end>": 1}, unk_token="<pad>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="<pad>", eos_token="<end>")


def flops_forward(model: LlamaForCausalLM, lengths: list[int]) -> float:
    """Floating-point operations that a forward pass over the real tokens must do: two for each weight and token of the
    layers, and the attention products under a causal mask; the vocabulary head at one position a prompt."""
    c = model.config
    weights = c.num_hidden_layers * (4 * c.hidden_size**2 + 3 * c.hidden_size * c.intermediate_size)
    attention = sum(2 * c.num_hidden_layers * c.hidden_size * length**2 for length in lengths)
    return 2 * weights * sum(lengths) + attention + 2 * c.hidden_size * c.vocab_size * len(lengths)
