"""DCN-V2: a cross network for products of features and a deep network, side by side or one upon the other.

    parallel:  logit = <w, [cross(x_0), deep(x_0)]> + b        stacked:  logit = <w, deep(cross(x_0))> + b

Source: Wang et al., DCN V2: Improved Deep & Cross Network and Practical Lessons for Web-scale Learning to Rank Systems
(WWW 2021), sections 3.1 to 3.4. Full-rank cross weights, not the mixture of low-rank experts. The history is two more
fields, whose vectors are the means of its items and of its ratings. Which structure ReLLa's row used is not known.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from rella_hub.networks.layers.batch import Batch
from rella_hub.networks.layers.cross import CrossNetwork
from rella_hub.networks.layers.embedding import POOLED, SampleEmbedding
from rella_hub.networks.layers.mlp import MLP
from rella_hub.networks.layers.options import check_choice
from rella_hub.networks.layers.saving import SavedModel

STRUCTURES = ("parallel", "stacked")


class DCNv2(SavedModel):
    def __init__(
        self,
        field_sizes: dict[str, int],
        rating_values: int,
        *,
        embedding_size: int = 32,
        cross_layers: int = 3,
        hidden_sizes: Sequence[int] = (256, 256, 256),
        structure: str = "parallel",
        dropout: float = 0.0,
    ):
        super().__init__()
        check_choice("structure", structure, STRUCTURES)
        self.structure = structure
        self.embedding = SampleEmbedding(field_sizes, rating_values, embedding_size)
        width = (len(field_sizes) + POOLED) * embedding_size
        self.cross = CrossNetwork(width, cross_layers)
        self.deep = MLP(width, hidden_sizes, dropout)
        self.output = nn.Linear(self.deep.output_size + (width if structure == "parallel" else 0), 1)

    def forward(self, batch: Batch) -> Tensor:
        x0 = self.embedding.fields_with_history(batch).flatten(1)  # (B, F + 2, D) -> (B, (F + 2) * D)
        crossed = self.cross(x0)
        last = self.deep(crossed) if self.structure == "stacked" else torch.cat([crossed, self.deep(x0)], dim=1)
        return self.output(last).squeeze(1)
