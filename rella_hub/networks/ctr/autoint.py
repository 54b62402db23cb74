"""AutoInt: multi-head self-attention among the fields, layer upon layer, each a higher order of interaction.

    logit = <w, [e_1', ..., e_F']> + b,    e_m' the m-th field after all interacting layers

Source: Song et al., AutoInt: Automatic Feature Interaction Learning via Self-Attentive Neural Networks (CIKM 2019), sections
4.3 to 4.5, equations 5 to 9. With `hidden_sizes` it is AutoInt+, the paper's joint training with an MLP on the embeddings
(section 5.5). The history is two more fields, whose vectors are the means of its items and of its ratings.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from rella_hub.networks.layers.batch import Batch
from rella_hub.networks.layers.embedding import POOLED, SampleEmbedding
from rella_hub.networks.layers.mlp import Predictor
from rella_hub.networks.layers.options import check_size, check_sizes
from rella_hub.networks.layers.saving import SavedModel
from rella_hub.networks.layers.self_attention import InteractingLayer


class AutoInt(SavedModel):
    """`attention_size` is the width of a field after a layer, all heads together; dropout is on the attention weights."""

    def __init__(
        self,
        field_sizes: dict[str, int],
        rating_values: int,
        *,
        embedding_size: int = 32,
        attention_layers: int = 3,
        attention_size: int = 64,
        heads: int = 2,
        hidden_sizes: Sequence[int] = (),
        dropout: float = 0.0,
    ):
        super().__init__()
        check_size("attention_layers", attention_layers)
        check_sizes("hidden_sizes", hidden_sizes, may_be_empty=True)
        self.embedding = SampleEmbedding(field_sizes, rating_values, embedding_size)
        num_fields = len(field_sizes) + POOLED
        widths = [embedding_size, *[attention_size] * (attention_layers - 1)]
        self.layers = nn.Sequential(*(InteractingLayer(width, attention_size, heads, dropout) for width in widths))
        self.output = nn.Linear(num_fields * attention_size, 1)
        self.deep = Predictor(num_fields * embedding_size, hidden_sizes, dropout) if hidden_sizes else None

    def forward(self, batch: Batch) -> Tensor:
        vectors = self.embedding.fields_with_history(batch)  # (B, F + 2, D)
        logits = self.output(self.layers(vectors).flatten(1)).squeeze(1)
        return logits if self.deep is None else logits + self.deep(vectors.flatten(1))
