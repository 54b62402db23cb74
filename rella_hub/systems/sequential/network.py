"""A recommender: the items of a history as vectors, an encoder that makes them a state of the user, and a score of each item.

    s = encoder(E[i_1], ..., E[i_K]),    y_i = s . W[i] + b[i]        tied: y_i = s . E[i]

Source: LLaRA's recommenders (arXiv 2312.02445; released training of DROS): an output layer of its own. SASRec's paper
(section III-E) ties it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from rella_hub.networks.layers.options import check_size
from rella_hub.networks.layers.saving import SavedModel
from rella_hub.networks.sequence import load_encoder_class

PADDING = 0


class Recommender(SavedModel):
    """Items are rows from 1; row 0 is padding. Whoever gives items or users other vectors overrides the methods named so."""

    def __init__(
        self,
        *,
        model: str,
        items: int,
        embedding_size: int = 64,
        history_length: int = 10,
        tied: bool = False,
        spread: float = 0.01,
        encoder_options: Mapping | None = None,
    ):
        super().__init__()
        check_size("items", items)
        check_size("embedding_size", embedding_size)
        self.items = nn.Embedding(items + 1, embedding_size, padding_idx=PADDING)
        nn.init.normal_(self.items.weight, std=spread)
        self.items.weight.data[PADDING] = 0
        encoder_class: Any = load_encoder_class(model)
        self.encoder = encoder_class(embedding_size, **_sizes(encoder_class, history_length), **(encoder_options or {}))
        if tied and self.encoder.state_size != embedding_size:
            raise ValueError(
                f"A tied {model} needs a state as wide as an item: its state has {self.encoder.state_size}, an item {embedding_size}."
            )
        self.output = None if tied else nn.Linear(self.encoder.state_size, items + 1)

    def item_vectors(self, items: Tensor) -> Tensor:
        """(...) rows -> (..., D): what an item is in a history."""
        return self.items(items)

    def user_state(self, items: Tensor, mask: Tensor) -> Tensor:
        """(B, T) rows, (B, T) -> (B, S): what the user is after the history."""
        return self.encoder(self.item_vectors(items), mask)

    def target_vectors(self, items: Tensor) -> Tensor:
        """(...) rows -> (..., S): what a state is compared with."""
        return self.item_vectors(items) if self.output is None else self.output.weight[items]

    def score(self, state: Tensor, items: Tensor) -> Tensor:
        """(B, S), (B, C) rows -> (B, C), the higher the likelier next."""
        found = (self.target_vectors(items) @ state.unsqueeze(2)).squeeze(2)
        return found if self.output is None else found + self.output.bias[items]

    def score_all(self, state: Tensor) -> Tensor:
        """(B, S) -> (B, I): every item but padding."""
        every = torch.arange(1, self.items.num_embeddings, device=state.device)
        found = state @ self.target_vectors(every).T
        return found if self.output is None else found + self.output.bias[every]


def _sizes(encoder_class: type, history_length: int) -> dict[str, int]:
    import inspect

    known = inspect.signature(encoder_class.__init__).parameters
    return {"history_length": history_length} if "history_length" in known else {}
