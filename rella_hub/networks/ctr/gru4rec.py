"""GRU4Rec: a gated recurrent unit reads the history; its last state is the user.

    h_t = (1 - z_t) h_(t-1) + z_t h'_t,    h'_t = tanh(W x_t + U (r_t h_(t-1))),    z_t, r_t = sigmoid(W. x_t + U. h_(t-1))

Source: Hidasi et al., Session-based Recommendations with Recurrent Neural Networks (ICLR 2016), section 3, equations 2 to 5.
PyTorch's unit has biases, resets U h instead of h, and calls z what is 1 - z here. The paper ranks all items by the state;
here an MLP scores the target from the state and all fields.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from rella_hub.networks.layers.batch import Batch
from rella_hub.networks.layers.embedding import SampleEmbedding
from rella_hub.networks.layers.mlp import Predictor
from rella_hub.networks.layers.options import check_dropout, check_size
from rella_hub.networks.layers.pooling import last_state
from rella_hub.networks.layers.saving import SavedModel


class GRU4Rec(SavedModel):
    """Dropout is between the recurrent layers and in the MLP."""

    def __init__(
        self,
        field_sizes: dict[str, int],
        rating_values: int,
        *,
        embedding_size: int = 32,
        gru_layers: int = 1,
        gru_size: int = 64,
        hidden_sizes: Sequence[int] = (128, 64),
        dropout: float = 0.0,
    ):
        super().__init__()
        check_size("gru_layers", gru_layers)
        check_size("gru_size", gru_size)
        check_dropout(dropout)
        self.embedding = SampleEmbedding(field_sizes, rating_values, embedding_size)
        between = dropout if gru_layers > 1 else 0.0
        self.gru = nn.GRU(embedding_size, gru_size, gru_layers, batch_first=True, dropout=between)
        self.predictor = Predictor(gru_size + len(field_sizes) * embedding_size, hidden_sizes, dropout)

    def forward(self, batch: Batch) -> Tensor:
        embedded = self.embedding(batch)
        states, _ = self.gru(embedded.history)  # (B, T, D) -> (B, T, gru_size)
        state = last_state(states, batch.history_mask)  # (B, gru_size), untouched by the padding after it
        return self.predictor(torch.cat([state, embedded.fields.flatten(1)], dim=1))
