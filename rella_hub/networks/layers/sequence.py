"""A sequence encoder as a CTR model: an MLP scores the target from the state of the history and all fields.

    logit = MLP([state, all fields])

The papers rank all items by the state; ReLLa's task is one target, about which more than its id is known.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from rella_hub.networks.layers.batch import Batch
from rella_hub.networks.layers.embedding import SampleEmbedding
from rella_hub.networks.layers.mlp import Predictor
from rella_hub.networks.layers.saving import SavedModel
from rella_hub.networks.sequence import Encoder

ENCODER = "encoder."  # what torch puts before the names of the encoder's weights


class SequenceModel(SavedModel):
    """A saved model holds the encoder's weights under their own names: they do not change with the module that uses them."""

    def __init__(self, embedding: SampleEmbedding, encoder: Encoder, hidden_sizes: Sequence[int], dropout: float):
        super().__init__()
        self.embedding = embedding
        self.encoder = encoder
        self.predictor = Predictor(encoder.state_size + embedding.fields_width, hidden_sizes, dropout)
        taken = {name.partition(".")[0] for name in encoder.state_dict()} & {"embedding", "encoder", "predictor"}
        assert not taken, f"{type(encoder).__name__} has weights called {taken}, which a model has beside its encoder"
        self.register_state_dict_post_hook(_to_own_names)
        self.register_load_state_dict_pre_hook(_from_own_names)

    def forward(self, batch: Batch) -> Tensor:
        embedded = self.embedding(batch)
        state = self.encoder(embedded.history, batch.history_mask)  # (B, T, D) -> (B, S)
        return self.predictor(torch.cat([state, embedded.fields.flatten(1)], dim=1))


def _to_own_names(_model: SequenceModel, state: dict[str, Tensor], prefix: str, *_) -> None:
    for name in [name for name in state if name.startswith(prefix + ENCODER)]:
        state[prefix + name.removeprefix(prefix + ENCODER)] = state.pop(name)


def _from_own_names(model: SequenceModel, state: dict[str, Tensor], prefix: str, *_) -> None:
    for name in model.encoder.state_dict():
        if prefix + name in state:
            state[prefix + ENCODER + name] = state.pop(prefix + name)
