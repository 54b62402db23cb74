"""SASRec: causal self-attention over the history; the state of the last behavior is the user.

    x = E + P,    x = block(x) for each block,    state = the last row of x

Source: Kang and McAuley, Self-Attentive Sequential Recommendation (ICDM 2018), section III, equations 1 to 5. Histories have
the length n: longer ones are cut to the most recent, shorter ones are padded at the left, so a position counts from the target.
The last state is normalized, as in the released code (the paper does not say). The paper ranks all items by the state; here
an MLP scores the target from the state and all fields.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from rella_hub.networks.layers.batch import Batch
from rella_hub.networks.layers.embedding import SPREAD, SampleEmbedding
from rella_hub.networks.layers.mlp import Predictor
from rella_hub.networks.layers.options import check_size
from rella_hub.networks.layers.pooling import most_recent
from rella_hub.networks.layers.saving import SavedModel
from rella_hub.networks.layers.self_attention import CausalBlock, causal_mask


class SASRec(SavedModel):
    """`history_length` is the n of the paper."""

    def __init__(
        self,
        field_sizes: dict[str, int],
        rating_values: int,
        *,
        history_length: int = 30,
        embedding_size: int = 32,
        blocks: int = 2,
        heads: int = 1,
        hidden_sizes: Sequence[int] = (128, 64),
        dropout: float = 0.0,
    ):
        super().__init__()
        check_size("history_length", history_length)
        check_size("blocks", blocks)
        self.history_length = history_length
        self.embedding = SampleEmbedding(field_sizes, rating_values, embedding_size)
        self.position = nn.Parameter(torch.randn(history_length, embedding_size) * SPREAD)
        self.blocks = nn.ModuleList(CausalBlock(embedding_size, heads, dropout) for _ in range(blocks))
        self.dropout = nn.Dropout(dropout)
        self.norm = nn.LayerNorm(embedding_size)
        self.predictor = Predictor((1 + len(field_sizes)) * embedding_size, hidden_sizes, dropout)

    def forward(self, batch: Batch) -> Tensor:
        embedded = self.embedding(batch)
        behaviors, mask = most_recent(embedded.history, batch.history_mask, self.history_length)  # (B, L, D), (B, L)
        x = self.dropout(behaviors + self.position)
        allowed = causal_mask(mask)  # (B, L, L)
        for number, block in enumerate(self.blocks, start=1):
            x = block(x, allowed, last_only=number == len(self.blocks))
        state = self.norm(x[:, -1]) * mask[:, -1:]  # (B, L, D) -> (B, D), zero for an empty history
        return self.predictor(torch.cat([state, embedded.fields.flatten(1)], dim=1))
