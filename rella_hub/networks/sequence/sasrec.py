"""SASRec: causal self-attention over the history; the state of the last behavior is the user.

    x = E + P,    x = block(x) for each block,    state = the last row of x

Source: Kang and McAuley, Self-Attentive Sequential Recommendation (ICDM 2018), section III, equations 1 to 5. Histories have
the length n: longer ones are cut to the most recent, shorter ones are padded at the left, so a position counts from the target.
The last state is normalized, as in the released code (the paper does not say).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from rella_hub.networks.layers.embedding import SPREAD
from rella_hub.networks.layers.options import check_size
from rella_hub.networks.layers.pooling import most_recent, to_history
from rella_hub.networks.layers.self_attention import CausalBlock, causal_mask


class SASRec(nn.Module):
    """`history_length` is the n of the paper, L below."""

    def __init__(
        self, embedding_size: int, *, history_length: int = 30, blocks: int = 2, heads: int = 1, dropout: float = 0.0
    ):
        super().__init__()
        check_size("history_length", history_length)
        check_size("blocks", blocks)
        self.state_size, self.history_length = embedding_size, history_length
        self.position = nn.Parameter(torch.randn(history_length, embedding_size) * SPREAD)
        self.blocks = nn.ModuleList(CausalBlock(embedding_size, heads, dropout) for _ in range(blocks))
        self.dropout = nn.Dropout(dropout)
        self.norm = nn.LayerNorm(embedding_size)

    def forward(self, behaviors: Tensor, mask: Tensor) -> Tensor:
        x, shown = self._after_blocks(behaviors, mask, last_only=True)  # (B, 1, D)
        return self.norm(x[:, -1]) * shown[:, -1:]  # (B, D), zero for an empty history

    def states(self, behaviors: Tensor, mask: Tensor) -> Tensor:
        x, _ = self._after_blocks(behaviors, mask, last_only=False)
        return to_history(self.norm(x), mask)  # (B, L, D) -> (B, T, D)

    def _after_blocks(self, behaviors: Tensor, mask: Tensor, last_only: bool) -> tuple[Tensor, Tensor]:
        """(B, L, D) and (B, L), padded at the left; `last_only`: (B, 1, D), the last row alone."""
        recent, shown = most_recent(behaviors, mask, self.history_length)
        x = self.dropout(recent + self.position)
        allowed = causal_mask(shown)  # (B, L, L)
        for number, block in enumerate(self.blocks, start=1):
            x = block(x, allowed, last_only=last_only and number == len(self.blocks))
        return x, shown
