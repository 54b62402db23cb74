"""The convolutions of Caser over the matrix E (L, D) of the last L behaviors.

    horizontal:  o_k  = max_i phi(<E[i : i + h], F_k> + b_k)     F_k of h rows and D columns, sliding over the rows
    vertical:    o'_k = sum_l F'_kl E_l                          F'_k of L rows and one column, sliding over the columns

Source: Tang and Wang, Personalized Top-N Sequential Recommendation via Convolutional Sequence Embedding (WSDM 2018), section 3.2.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rella_hub.networks.layers.options import check_size, check_sizes


class HorizontalConvolution(nn.Module):
    """(B, L, D) -> (B, len(heights) * filters): the strongest match of each filter anywhere in the sequence."""

    def __init__(self, length: int, width: int, heights: Sequence[int], filters: int):
        super().__init__()
        check_sizes("heights", heights)
        check_size("horizontal_filters", filters)
        if max(heights) > length:
            raise ValueError(
                f"heights is {list(heights)}. Expected at most history_length = {length}: leave out the taller."
            )
        self.convolutions = nn.ModuleList(nn.Conv1d(width, filters, height) for height in heights)

    def forward(self, behaviors: Tensor) -> Tensor:
        columns = behaviors.transpose(1, 2).contiguous()  # (B, L, D) -> (B, D, L)
        matches = [F.relu(convolution(columns)) for convolution in self.convolutions]  # each (B, filters, L - h + 1)
        return torch.cat([match.amax(dim=2) for match in matches], dim=1)


class VerticalConvolution(nn.Module):
    """(B, L, D) -> (B, filters * D): weighted sums of the rows."""

    def __init__(self, length: int, filters: int):
        super().__init__()
        check_size("vertical_filters", filters)
        self.weight = nn.Parameter(torch.empty(filters, length))
        nn.init.xavier_uniform_(self.weight)

    def forward(self, behaviors: Tensor) -> Tensor:
        return torch.matmul(self.weight, behaviors).flatten(1)  # (K, L) (B, L, D) -> (B, K, D) -> (B, K * D)
