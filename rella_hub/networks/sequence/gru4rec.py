"""GRU4Rec: a gated recurrent unit reads the history; its last state is the user.

    h_t = (1 - z_t) h_(t-1) + z_t h'_t,    h'_t = tanh(W x_t + U (r_t h_(t-1))),    z_t, r_t = sigmoid(W. x_t + U. h_(t-1))

Source: Hidasi et al., Session-based Recommendations with Recurrent Neural Networks (ICLR 2016), section 3, equations 2 to 5.
PyTorch's unit has biases, resets U h instead of h, and calls z what is 1 - z here.
"""

from __future__ import annotations

from torch import Tensor, nn

from rella_hub.networks.layers.options import check_dropout, check_size
from rella_hub.networks.layers.pooling import last_state


class GRU4Rec(nn.Module):
    """Dropout is between the recurrent layers."""

    def __init__(self, embedding_size: int, *, gru_layers: int = 1, gru_size: int = 64, dropout: float = 0.0):
        super().__init__()
        check_size("gru_layers", gru_layers)
        check_size("gru_size", gru_size)
        check_dropout(dropout)
        self.state_size = gru_size
        between = dropout if gru_layers > 1 else 0.0
        self.gru = nn.GRU(embedding_size, gru_size, gru_layers, batch_first=True, dropout=between)

    def forward(self, behaviors: Tensor, mask: Tensor) -> Tensor:
        states, _ = self.gru(behaviors)  # (B, T, D) -> (B, T, gru_size)
        return last_state(states, mask)  # (B, gru_size), untouched by the padding after it

    def states(self, behaviors: Tensor, mask: Tensor) -> Tensor:
        states, _ = self.gru(behaviors)
        return states * mask.unsqueeze(2)  # (B, T, gru_size)
