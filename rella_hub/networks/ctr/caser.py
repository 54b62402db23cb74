"""Caser: convolutions over the last L behaviors; an MLP scores the target from their state and all fields.

    logit = MLP([z, all fields])

Source: Tang and Wang, Personalized Top-N Sequential Recommendation via Convolutional Sequence Embedding (WSDM 2018), which ranks all
items by [z, user].
"""

from __future__ import annotations

from collections.abc import Sequence

from rella_hub.networks.layers.embedding import SampleEmbedding
from rella_hub.networks.layers.sequence import SequenceModel
from rella_hub.networks.sequence.caser import Caser as Encoder


class Caser(SequenceModel):
    """`history_length` is the L of the paper."""

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
        super().__init__(
            SampleEmbedding(field_sizes, rating_values, embedding_size),
            Encoder(
                embedding_size,
                history_length=history_length,
                heights=heights,
                horizontal_filters=horizontal_filters,
                vertical_filters=vertical_filters,
                state_size=state_size,
                dropout=dropout,
            ),
            hidden_sizes,
            dropout,
        )
