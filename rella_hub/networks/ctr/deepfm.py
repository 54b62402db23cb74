"""DeepFM: a factorization machine and an MLP on the same embeddings.

    logit = y_FM + y_DNN,    y_FM = <w, x> + sum_{i<j} <v_i, v_j>,    y_DNN = MLP([v_1, ..., v_F])

Source: Guo et al., DeepFM: A Factorization-Machine based Neural Network for CTR Prediction (IJCAI 2017), section 2.1,
equations 1 to 4. The history is two more fields, whose vectors are the means of its items and of its ratings; they have no codes of
their own, so their first-order weight is a linear map of those vectors.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from rella_hub.networks.layers.batch import Batch
from rella_hub.networks.layers.embedding import POOLED, SampleEmbedding, embedding_table
from rella_hub.networks.layers.factorization import pairwise_interactions
from rella_hub.networks.layers.mlp import Predictor
from rella_hub.networks.layers.saving import SavedModel


class DeepFM(SavedModel):
    def __init__(
        self,
        field_sizes: dict[str, int],
        rating_values: int,
        *,
        embedding_size: int = 32,
        hidden_sizes: Sequence[int] = (256, 256, 256),
        dropout: float = 0.0,
    ):
        super().__init__()
        self.embedding = SampleEmbedding(field_sizes, rating_values, embedding_size)
        self.field_weight = embedding_table(self.embedding.rows.num_rows, 1)
        self.history_weight = nn.Linear(POOLED * embedding_size, 1, bias=False)
        self.deep = Predictor((len(field_sizes) + POOLED) * embedding_size, hidden_sizes, dropout)

    def forward(self, batch: Batch) -> Tensor:
        vectors = self.embedding.fields_with_history(batch)  # (B, F + 2, D)
        first_order = self.field_weight(self.embedding.rows.fields(batch.fields)).sum(dim=(1, 2))  # (B, F, 1) -> (B,)
        first_order = first_order + self.history_weight(vectors[:, -POOLED:].flatten(1)).squeeze(1)
        return first_order + pairwise_interactions(vectors) + self.deep(vectors.flatten(1))
