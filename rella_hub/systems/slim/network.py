"""Ids, texts and rationales in one score. Texts come as vectors, of an encoder that is not trained.

    id           z_i = id_i                               s_u = encoder(z of the history)
    plus         z_i = g_f [g_l text_i ; id_i]            s_u = encoder(z of the history)
    fusion       z_i = g_f [g_l text_i ; id_i]            s_u = g_f [g_l rationale_u ; encoder(z of the history)]
    agnostic     z_i = g_t text_i                         s_u = g_t rationale_u
    y_ui = s_u . z_i

Source: SLIM (arXiv 2403.04260), section 3.3; all g are linear. Open there: whether g_f is one for items and users (ours: one, as the symbol
is), what the encoder reads (ours: z, so that "plus" and "fusion" differ in the rationale alone), a user without a rationale (ours: the zero
vector, so that the biases speak), score by dot product or MLP (ours: dot product).
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from rella_hub.systems.sequential.network import Recommender
from rella_hub.systems.slim.options import AGNOSTIC, FUSION, ID, PLUS, VARIANTS


class Slim(Recommender):
    """A batch of histories has one column more than behaviors: the row of the user's text (rella_hub/systems/slim/inputs.py)."""

    def __init__(
        self,
        *,
        model: str,
        items: int,
        variant: str = FUSION,
        text_width: int = 1,
        embedding_size: int = 64,
        history_length: int = 10,
        spread: float = 0.01,
        encoder_options: Mapping | None = None,
    ):
        if variant not in VARIANTS:
            raise ValueError(f"variant is {variant!r}. Expected one of {', '.join(VARIANTS)}.")
        super().__init__(
            model=model,
            items=items,
            embedding_size=embedding_size,
            history_length=history_length,
            tied=True,
            spread=spread,
            encoder_options=encoder_options,
        )
        self.variant = variant
        self.register_buffer("item_texts", torch.zeros(items + 1, text_width), persistent=False)
        self.register_buffer("user_texts", torch.zeros(1, text_width), persistent=False)
        if variant in (PLUS, FUSION):
            self.narrow = nn.Linear(text_width, embedding_size)  # g_l
            self.fuse = nn.Linear(2 * embedding_size, embedding_size)  # g_f
        if variant == AGNOSTIC:
            self.match = nn.Linear(text_width, embedding_size)  # g_t
            self.encoder = None
            self.items = nn.Embedding(items + 1, 1)  # tells how many items there are
            self.items.weight.requires_grad_(False).zero_()

    def read(self, item_texts: Tensor | None, user_texts: Tensor | None) -> Slim:
        """The same model with the texts that it reads: (I + 1, W) and (U + 1, W), the first row of each zero."""
        width = self.item_texts.shape[1]
        for texts in (item_texts, user_texts):
            if texts is not None and texts.shape[1] != width:
                raise ValueError(f"The model reads texts of {width} dimensions, these vectors have {texts.shape[1]}.")
        if item_texts is not None:
            assert item_texts.shape == self.item_texts.shape, "every item has a text"
            self.item_texts = item_texts
        if user_texts is not None:
            self.user_texts = user_texts
        return self

    def item_vectors(self, items: Tensor) -> Tensor:
        if self.variant == ID:
            return self.items(items)
        texts = self.item_texts[items]
        if self.variant == AGNOSTIC:
            return self.match(texts)
        return self.fuse(torch.cat([self.narrow(texts), self.items(items)], dim=-1))

    def user_state(self, items: Tensor, mask: Tensor) -> Tensor:
        """(B, T + 1), (B, T) -> (B, D)."""
        history, text = items[:, :-1], self.user_texts[items[:, -1]]
        if self.variant == AGNOSTIC:
            return self.match(text)
        state = self.encoder(self.item_vectors(history), mask)
        return self.fuse(torch.cat([self.narrow(text), state], dim=-1)) if self.variant == FUSION else state
