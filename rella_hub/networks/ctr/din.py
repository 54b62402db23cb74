"""DIN: the history as the target item sees it, a sum of behaviors that a small network weights by pairs.

    logit = MLP([v_U(A), all fields]),    v_U(A) = sum_j a(e_j, v_A) e_j

Source: Zhou et al., Deep Interest Network for Click-Through Rate Prediction (KDD 2018), section 4.3, equation 3, and section 5.2
for Dice. Its mini-batch aware regularization (section 5.1) is a matter of the training loop and is not here. Dice uses batch
statistics in training, so a logit there depends on the batch; in evaluation mode it does not.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from rella_hub.networks.layers.attention import ActivationUnit
from rella_hub.networks.layers.batch import Batch
from rella_hub.networks.layers.embedding import SampleEmbedding
from rella_hub.networks.layers.mlp import Predictor
from rella_hub.networks.layers.saving import SavedModel


class DIN(SavedModel):
    """`attention_sizes` are the hidden layers of the activation unit (36 in the paper); `activation` is of unit and MLP."""

    def __init__(
        self,
        field_sizes: dict[str, int],
        rating_values: int,
        *,
        embedding_size: int = 32,
        attention_sizes: Sequence[int] = (36,),
        hidden_sizes: Sequence[int] = (200, 80),
        activation: str = "dice",
        dropout: float = 0.0,
    ):
        super().__init__()
        self.embedding = SampleEmbedding(field_sizes, rating_values, embedding_size)
        self.attention = ActivationUnit(embedding_size, attention_sizes, activation)
        self.predictor = Predictor((1 + len(field_sizes)) * embedding_size, hidden_sizes, dropout, activation)

    def forward(self, batch: Batch) -> Tensor:
        embedded = self.embedding(batch)
        interest = self.attention(embedded.item, embedded.history, batch.history_mask)  # (B, T, D) -> (B, D)
        return self.predictor(torch.cat([interest, embedded.fields.flatten(1)], dim=1))
