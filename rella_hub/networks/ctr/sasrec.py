"""SASRec: causal self-attention over the history; an MLP scores the target from the state of the last behavior and all fields.

    logit = MLP([state, all fields])

Source: Kang and McAuley, Self-Attentive Sequential Recommendation (ICDM 2018), which ranks all items by the state.
"""

from __future__ import annotations

from collections.abc import Sequence

from rella_hub.networks.layers.embedding import SampleEmbedding
from rella_hub.networks.layers.sequence import SequenceModel
from rella_hub.networks.sequence.sasrec import SASRec as Encoder


class SASRec(SequenceModel):
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
        super().__init__(
            SampleEmbedding(field_sizes, rating_values, embedding_size),
            Encoder(embedding_size, history_length=history_length, blocks=blocks, heads=heads, dropout=dropout),
            hidden_sizes,
            dropout,
        )
