"""GRU4Rec: a gated recurrent unit reads the history; an MLP scores the target from its last state and all fields.

    logit = MLP([state, all fields])

Source: Hidasi et al., Session-based Recommendations with Recurrent Neural Networks (ICLR 2016), which ranks all items by the state.
"""

from __future__ import annotations

from collections.abc import Sequence

from rella_hub.networks.layers.embedding import SampleEmbedding
from rella_hub.networks.layers.sequence import SequenceModel
from rella_hub.networks.sequence.gru4rec import GRU4Rec as Encoder


class GRU4Rec(SequenceModel):
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
        super().__init__(
            SampleEmbedding(field_sizes, rating_values, embedding_size),
            Encoder(embedding_size, gru_layers=gru_layers, gru_size=gru_size, dropout=dropout),
            hidden_sizes,
            dropout,
        )
