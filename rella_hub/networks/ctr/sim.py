"""SIM: behaviors searched in the whole history for this target, beside the recent ones.

    logit = MLP([long-term interest, short-term interest, all fields])

Long-term: multi-head target attention over the retrieved behaviors, each with an embedding of its distance in time (the exact
search unit). Short-term: the activation unit of DIN over the recent behaviors.
Source: Pi et al., Search-based User Interest Modeling with Lifelong Sequential Behavior Data for Click-Through Rate Prediction
(CIKM 2020), section 3.3.

The general search unit (section 3.2) is not here: what it found arrives in the batch. Paper: a soft search by embeddings trained
along with the model, or a hard search by category; DIEN for the recent behaviors. ReLLa: the same semantic search for SIM as
for the language model. Ours: whatever the data path searched with; the unit of DIN. Why: no search to train, and DIEN has an
auxiliary loss that needs behaviors nobody chose, which no rating data have.

Time: the gap log(1 + x) falls into one of `gap_buckets` equal parts of [0, `gap_limit`]; 21 is 50 years of seconds.
Dice uses batch statistics in training, so a logit there depends on the batch; in evaluation mode it does not.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from rella_hub.networks.layers.attention import ActivationUnit, MultiHeadTargetAttention
from rella_hub.networks.layers.batch import Batch
from rella_hub.networks.layers.embedding import SPREAD, SampleEmbedding
from rella_hub.networks.layers.mlp import Predictor
from rella_hub.networks.layers.options import check_size
from rella_hub.networks.layers.saving import SavedModel


class SIM(SavedModel):
    """`attention_size` is the width of a head of the exact search unit; `attention_sizes` the layers of DIN's unit."""

    RETRIEVES = True

    def __init__(
        self,
        field_sizes: dict[str, int],
        rating_values: int,
        *,
        embedding_size: int = 32,
        heads: int = 2,
        attention_size: int = 32,
        gap_buckets: int = 32,
        gap_limit: float = 21.0,
        attention_sizes: Sequence[int] = (36,),
        hidden_sizes: Sequence[int] = (200, 80),
        activation: str = "dice",
        dropout: float = 0.0,
    ):
        super().__init__()
        check_size("gap_buckets", gap_buckets)
        if not isinstance(gap_limit, int | float) or not 0 < gap_limit < math.inf:
            raise ValueError(
                f"gap_limit is {gap_limit!r}. Expected a number above 0: the largest log(1 + gap) to tell apart."
            )
        self.gap_buckets, self.gap_limit = gap_buckets, gap_limit
        self.embedding = SampleEmbedding(field_sizes, rating_values, embedding_size)
        self.gap_embedding = nn.Embedding(gap_buckets, embedding_size)
        nn.init.normal_(self.gap_embedding.weight, std=SPREAD)
        self.short_term = ActivationUnit(embedding_size, attention_sizes, activation)
        self.long_term = MultiHeadTargetAttention(embedding_size, 2 * embedding_size, heads, attention_size)
        width = (2 * heads + 1 + len(field_sizes)) * embedding_size
        self.predictor = Predictor(width, hidden_sizes, dropout, activation)

    def forward(self, batch: Batch) -> Tensor:
        embedded = self.embedding(batch, with_retrieved=True)
        long_term = self.long_term(
            embedded.item, embedded.retrieved, self.gap_embedding.weight, self._buckets(batch), batch.retrieved_mask
        )  # (B, heads * 2D)
        short_term = self.short_term(embedded.item, embedded.history, batch.history_mask)  # (B, D)
        return self.predictor(torch.cat([long_term, short_term, embedded.fields.flatten(1)], dim=1))

    def _buckets(self, batch: Batch) -> Tensor:
        """(B, R)"""
        if batch.retrieved_gap is None or batch.retrieved_mask is None:
            raise ValueError(
                "The batch has no retrieved_gap. Expected log(1 + gap) of each retrieved behavior: fill it."
            )
        gap = batch.retrieved_gap.masked_fill(~batch.retrieved_mask, 0)
        return (gap * (self.gap_buckets / self.gap_limit)).long().clamp(0, self.gap_buckets - 1)
