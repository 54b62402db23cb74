"""CFLoRA: LoRA whose rank-one parts interact, as a recommender's hidden state of the sample tells them to.

    y = W0 x + (alpha / r) B ((A x) W(s))        A x: a row of r numbers for each token;  W(s): (r, r), one for each sample s
    W(s) = reshape(MLP(h)),  MLP = LayerNorm, Linear(H, 2 r^2), GELU, Linear(2 r^2, r^2)        h: (H,) of a frozen CTR model

W = I is LoRA, a diagonal W weighs its rank-one parts. Each layer that has LoRA gets a gate of its own.
Source: ReLLaX (arXiv 2501.13344), component fully-interactive LoRA, and its released code for the MLP.

Divergence, where it acts. Paper: the equation. Released code: files of installed peft and transformers are overwritten, in the layer
for 8 bits alone. Ours: a hook of PyTorch behind each A. Why: any precision, and no library is changed.

Divergence, the start. Paper: not found. Released code: W = MLP(h) with Kaiming-uniform weights and zero biases, so that an adapter that
is loaded is scrambled before the first step. Ours: `identity`, W = I + MLP(h) with zeros in the last layer, which begins as the
adapter; `released` does as the code does. Why: what the adapter knows is kept, and a gate that is not needed need not learn to be none.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import torch
from peft import PeftModel
from peft.tuners.lora import LoraLayer
from torch import Tensor, nn

IDENTITY, RELEASED = "identity", "released"
STARTS = (IDENTITY, RELEASED)
ADAPTER = "default"  # PEFT's name of an adapter that is alone
SEPARATOR = "/"  # in place of the dots of a layer's name, which a name in a ModuleDict may not have


class Gate(nn.Module):
    """(B, H) hidden states -> (B, r, r), in float32 whatever the base computes in."""

    def __init__(self, hidden_size: int, rank: int, start: str):
        super().__init__()
        self.rank, self.adds_to_identity = rank, start == IDENTITY
        wide = 2 * rank * rank
        first, last = nn.Linear(hidden_size, wide), nn.Linear(wide, rank * rank)
        self.layers = nn.Sequential(nn.LayerNorm(hidden_size), first, nn.GELU(), last)
        for layer in (first, last):
            nn.init.kaiming_uniform_(layer.weight, a=math.sqrt(5))
            nn.init.zeros_(layer.bias)
        if self.adds_to_identity:
            nn.init.zeros_(last.weight)

    def forward(self, hidden: Tensor) -> Tensor:
        with torch.autocast(hidden.device.type, enabled=False):
            weights = self.layers(hidden.float()).unflatten(1, (self.rank, self.rank))
        return weights + torch.eye(self.rank, device=weights.device) if self.adds_to_identity else weights


class Gates(nn.Module):
    """A gate behind the A of every LoRA layer of a model. `see` says which samples are read next."""

    def __init__(self, tuned: PeftModel, hidden_size: int, start: str):
        """ValueError where the adapter has other layers than plain LoRA's."""
        super().__init__()
        if start not in STARTS:
            raise ValueError(f"--gate_start is {start!r}; expected one of {', '.join(STARTS)}.")
        self._hidden: Tensor | None = None
        self.of_layer = nn.ModuleDict()
        for name, layer in lora_layers(tuned):
            first: Any = layer.lora_A[ADAPTER]
            gate = Gate(hidden_size, layer.r[ADAPTER], start).to(first.weight.device)
            self.of_layer[name.replace(".", SEPARATOR)] = gate
            first.register_forward_hook(self._behind(gate))

    def see(self, hidden: Tensor) -> None:
        """hidden: (B, H), of each row of the next batch. It holds until the next one, for activations that are computed again."""
        self._hidden = hidden

    def _behind(self, gate: Gate):
        def mix(layer: nn.Module, inputs: tuple, parts: Tensor) -> Tensor:
            hidden = self._hidden
            assert hidden is not None, "see() is told of each batch before it is read"
            assert len(hidden) == len(parts), "see() is told of the very batch that is read"
            return parts @ gate(hidden.to(parts.device)).to(parts.dtype)  # (B, T, r) (B, r, r)

        return mix


def lora_layers(tuned: PeftModel) -> Iterator[tuple[str, LoraLayer]]:
    """The layers of the base that have LoRA, by their names in it. ValueError for a variant of LoRA, or for none."""
    found = False
    for name, layer in tuned.get_base_model().named_modules():
        if isinstance(layer, LoraLayer):
            if ADAPTER not in layer.lora_A or not hasattr(layer.lora_A[ADAPTER], "in_features") or layer.lora_variant:
                raise ValueError(
                    f"{name} has no plain LoRA on a linear layer, which is what CFLoRA gates. Give an adapter of python training/sft.py."
                )
            found = True
            yield name, layer
    if not found:
        raise ValueError("The adapter is no LoRA, and CFLoRA gates LoRA. Give an adapter of python training/sft.py.")
