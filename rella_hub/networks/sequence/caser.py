"""Caser: the last L behaviors as an image, with filters for patterns in their order and in their features.

    z = phi(W [o, o'] + b)      o of the horizontal, o' of the vertical convolutions

Source: Tang and Wang, Personalized Top-N Sequential Recommendation via Convolutional Sequence Embedding (WSDM 2018),
sections 3.1 to 3.3. Paper: filters of all heights 1 to L, for an L of at most 9. Ours: `heights`, 1 to 5 by default, because L
is 30 and more here. It has no state after each behavior: the paper trains on windows of L behaviors, each of which has one z.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from rella_hub.networks.layers.convolution import HorizontalConvolution, VerticalConvolution
from rella_hub.networks.layers.mlp import MLP
from rella_hub.networks.layers.options import check_size
from rella_hub.networks.layers.pooling import most_recent


class Caser(nn.Module):
    """`history_length` is L: longer histories are cut to the most recent, shorter ones have zero rows before the first."""

    def __init__(
        self,
        embedding_size: int,
        *,
        history_length: int = 30,
        heights: Sequence[int] = (1, 2, 3, 4, 5),
        horizontal_filters: int = 16,
        vertical_filters: int = 4,
        state_size: int = 64,
        dropout: float = 0.0,
    ):
        super().__init__()
        check_size("history_length", history_length)
        check_size("state_size", state_size)
        self.state_size, self.history_length = state_size, history_length
        self.horizontal = HorizontalConvolution(history_length, embedding_size, heights, horizontal_filters)
        self.vertical = VerticalConvolution(history_length, vertical_filters)
        num_patterns = len(heights) * horizontal_filters + vertical_filters * embedding_size
        self.state = MLP(num_patterns, (state_size,), dropout)

    def forward(self, behaviors: Tensor, mask: Tensor) -> Tensor:
        image, _ = most_recent(behaviors, mask, self.history_length)  # (B, T, D) -> (B, L, D)
        return self.state(torch.cat([self.horizontal(image), self.vertical(image)], dim=1))  # (B, state_size)
