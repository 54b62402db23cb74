"""Towers of text encoders with one small classifier on them.

    CTR-BERT   logit = W2 dropout(tanh(W1 [cls(user text); cls(item text)] + b1)) + b2,   two encoders that share no weight
    PTab       logit = W2 dropout(tanh(W1 cls(row text) + b1)) + b2

cls is the last layer's vector of the first token, without a pooler. In a batch every distinct text is encoded once: samples gather its
vector, and their gradients add up in it.

Source: ReLLa, appendix C.2, names the two models; the shape of the classifier (128 wide, dropout 0.2) is that of the same laboratory's
released baselines (FLIP). CTR-BERT's own paper adds numeric features and distills from a larger teacher; ReLLa mentions neither.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from rella_hub.systems.encoder.tokens import Tokens, batches


@dataclass(frozen=True)
class Computing:
    """Where and how texts are encoded; of no effect on what is learned but rounding and the draws of dropout."""

    device: torch.device
    dtype: torch.dtype = torch.float32  # that layers compute in; weights are float32
    tokens_per_batch: int = 8192
    twice: bool = False  # whether activations are computed again for the gradients instead of kept


class Classifier(nn.Module):
    def __init__(self, towers: Mapping[str, Any], pad: int, hidden_size: int = 128, dropout: float = 0.2):
        """towers: side → its encoder; pad: id of the padding token."""
        super().__init__()
        self.towers = nn.ModuleDict(towers)
        width = sum(tower.config.hidden_size for tower in towers.values())
        self.head = nn.Sequential(
            nn.Linear(width, hidden_size), nn.Tanh(), nn.Dropout(dropout), nn.Linear(hidden_size, 1)
        )
        self.pad = pad

    def forward(self, vectors: Sequence[torch.Tensor]) -> torch.Tensor:
        """(B,) logits of (B, D) vectors, a tensor a side."""
        return self.head(torch.cat(list(vectors), dim=1)).squeeze(1)

    def encode(self, side: str, tokens: Tokens, texts: np.ndarray, how: Computing) -> torch.Tensor:
        """(n, D) float32 vectors of some texts, in their order."""
        tower, parts, order = self.towers[side], [], []
        for numbers in batches(tokens.lengths[texts], how.tokens_per_batch):
            ids, real = (part.to(how.device) for part in tokens.padded(texts[numbers], self.pad))
            if how.twice and torch.is_grad_enabled():
                parts.append(checkpoint(_first_token, tower, ids, real, how, use_reentrant=False))
            else:
                parts.append(_first_token(tower, ids, real, how))
            order.append(numbers)
        place = torch.from_numpy(np.argsort(np.concatenate(order))).to(how.device)
        return torch.cat(parts)[place]

    def logits(self, sides, samples: np.ndarray, how: Computing) -> torch.Tensor:
        """(B,) logits of samples by number. sides: `SideTexts`, whose distinct texts are encoded once."""
        gathered = []
        for side in sides:
            texts, of_sample = np.unique(side.of_sample[samples], return_inverse=True)
            vectors = self.encode(side.name, side.tokens, texts, how)
            gathered.append(vectors[torch.from_numpy(of_sample).to(how.device)])
        return self(gathered)


def _first_token(tower: nn.Module, ids: torch.Tensor, real: torch.Tensor, how: Computing) -> torch.Tensor:
    with torch.autocast(how.device.type, how.dtype, enabled=how.dtype != torch.float32):
        return tower(input_ids=ids, attention_mask=real.long()).last_hidden_state[:, 0].float()
