"""Caser: the last L behaviors as an image, with filters for patterns in their order and in their features.

    z = phi(W [o, o'] + b)      o of the horizontal, o' of the vertical convolutions

Source: Tang and Wang, Personalized Top-N Sequential Recommendation via Convolutional Sequence Embedding (WSDM 2018),
sections 3.1 to 3.3. Paper: filters of all heights 1 to L, for an L of at most 9. Ours: `heights`, 1 to 5 by default, because L
is 30 and more here. The paper ranks all items by [z, user]; here an MLP scores the target from z and all fields.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from rella_hub.networks.layers.batch import Batch
from rella_hub.networks.layers.convolution import HorizontalConvolution, VerticalConvolution
from rella_hub.networks.layers.embedding import SampleEmbedding
from rella_hub.networks.layers.mlp import MLP, Predictor
from rella_hub.networks.layers.options import check_size
from rella_hub.networks.layers.pooling import most_recent
from rella_hub.networks.layers.saving import SavedModel


class Caser(SavedModel):
    """`history_length` is L: longer histories are cut to the most recent, shorter ones have zero rows before the first."""

    def __init__(
        self,
        field_sizes: dict[str, int],
        rating_values: int,
        *,
        history_length: int = 30,
        embedding_size: int = 32,
        heights: Sequence[int] = (1, 2, 3, 4, 5),
        horizontal_filters: int = 16,
        vertical_filters: int = 4,
        state_size: int = 64,
        hidden_sizes: Sequence[int] = (128, 64),
        dropout: float = 0.0,
    ):
        super().__init__()
        check_size("history_length", history_length)
        check_size("state_size", state_size)
        self.history_length = history_length
        self.embedding = SampleEmbedding(field_sizes, rating_values, embedding_size)
        self.horizontal = HorizontalConvolution(history_length, embedding_size, heights, horizontal_filters)
        self.vertical = VerticalConvolution(history_length, vertical_filters)
        num_patterns = len(heights) * horizontal_filters + vertical_filters * embedding_size
        self.state = MLP(num_patterns, (state_size,), dropout)
        self.predictor = Predictor(state_size + len(field_sizes) * embedding_size, hidden_sizes, dropout)

    def forward(self, batch: Batch) -> Tensor:
        embedded = self.embedding(batch)
        image, _ = most_recent(embedded.history, batch.history_mask, self.history_length)  # (B, T, D) -> (B, L, D)
        state = self.state(torch.cat([self.horizontal(image), self.vertical(image)], dim=1))  # (B, state_size)
        return self.predictor(torch.cat([state, embedded.fields.flatten(1)], dim=1))
