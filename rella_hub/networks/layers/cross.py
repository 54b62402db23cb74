"""The cross network of DCN-V2, with full-rank weights.

    x_(l+1) = x_0 * (W_l x_l + b_l) + x_l      (* element by element)

Source: Wang et al., DCN V2 (WWW 2021), section 3.2, equation 1. l layers hold all products of up to l + 1 features.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from rella_hub.networks.layers.options import check_size


class CrossNetwork(nn.Module):
    """(B, width) -> (B, width)"""

    def __init__(self, width: int, num_layers: int):
        super().__init__()
        check_size("cross_layers", num_layers)
        self.layers = nn.ModuleList(nn.Linear(width, width) for _ in range(num_layers))

    def forward(self, x0: Tensor) -> Tensor:
        x = x0
        for layer in self.layers:
            x = torch.addcmul(x, x0, layer(x))
        return x
