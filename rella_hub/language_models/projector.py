"""Items as tokens of a language model: a vector of a recommender is projected to where the base has its words.

    e(i) = W2 GELU(W1 v_i + b1) + b2        v_i: (d,) the recommender's vector of item i, frozen;  e(i): (D,) an input of the base

Source: LLaRA (arXiv 2312.02445), section 3.2, and its released code for the sizes: two layers, the first one to the width of the base.

An item is the token V + its row in the table, where V is how many tokens the base has. So a prompt with items is a row of token ids like
any other: it is trained on, scored and generated from by the code of all prompts, and the base needs no new rows.

Divergence, new tokens. Paper: special tokens hold the place of an item. Released code: five tokens are added and the base's matrix is
resized; the new rows are never trained, and those of items never read. Ours: no row at all. Why: the base stays what it was, to the
last byte, and an adapter of it fits it.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

LAYERS = "projector"  # the name of the module that is trained, by which PEFT finds it and saves it beside LoRA


class Projector(nn.Sequential):
    """(..., d) -> (..., D), in float32 whatever the base computes in."""

    def __init__(self, item_size: int, hidden_size: int):
        super().__init__(nn.Linear(item_size, hidden_size), nn.GELU(), nn.Linear(hidden_size, hidden_size))


class WithItems(nn.Module):
    """The input embeddings of a base, with the items behind its tokens.

    vectors: (n, d) of the items, which are no weights of the model: they are neither trained nor saved with it.
    """

    vectors: Tensor

    def __init__(self, words: nn.Embedding, vectors: Tensor):
        super().__init__()
        self.words = words
        self.first_item = words.num_embeddings
        device = words.weight.device
        self.register_buffer("vectors", vectors.detach().float().to(device), persistent=False)
        self.projector = Projector(vectors.shape[1], words.embedding_dim).to(device)

    @property
    def weight(self) -> Tensor:
        """(V, D) of the words alone: what a library asks of input embeddings."""
        return self.words.weight

    def forward(self, input_ids: Tensor) -> Tensor:
        """(B, T) -> (B, T, D). Rows without an item do not touch the projector, so that it gets no gradient from them."""
        is_item = input_ids >= self.first_item
        embedded = self.words(input_ids.masked_fill(is_item, 0))
        if not bool(is_item.any()):
            return embedded
        projected = self.projector(self.vectors[input_ids[is_item] - self.first_item])  # (I, D)
        return embedded.masked_scatter(is_item[..., None], projected.to(embedded.dtype))


def add_items(model: nn.Module, vectors: Tensor) -> WithItems:
    """Give a base model the items of `vectors` (n, d) as tokens behind its own; the projector is new.

    ValueError where the base's embeddings cannot be read by token.
    """
    words = model.get_input_embeddings()
    if not isinstance(words, nn.Embedding):
        raise ValueError(
            f"The input embeddings of the base are a {type(words).__name__}; items need one row a token (torch.nn.Embedding). Take "
            "another base model."
        )
    items = WithItems(words, vectors)
    model.set_input_embeddings(items)
    return items


def items_of(model: nn.Module) -> WithItems | None:
    """What `add_items` gave a model, with or without LoRA around it."""
    return next((module for module in model.modules() if isinstance(module, WithItems)), None)


def require_width(stored: dict, name: str, item_size: int, hidden_size: int) -> None:
    """ValueError where a stored projector does not lead from vectors of `item_size` to a base of `hidden_size`.

    stored: the tensors of its file by name, with their shapes; name: of the system, as it was given.
    """
    wanted = {"0.weight": (hidden_size, item_size), "2.weight": (hidden_size, hidden_size)}
    for part, shape in wanted.items():
        found = [tuple(one.shape) for key, one in stored.items() if key.endswith(f".{LAYERS}.{part}")]
        if found != [shape]:
            raise ValueError(
                f"The projector of {name!r} has {part} of {' and '.join(map(str, found)) or 'no size'}; vectors of {item_size} numbers and "
                f"a base of width {hidden_size} need {shape}. It was trained on another base or recommender; take those with it."
            )


def initialize(projector: Projector, seed: int) -> None:
    """New weights as `nn.Linear` draws them, the same for a seed whatever was drawn before."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for layer in projector:
            if isinstance(layer, nn.Linear):
                fresh = nn.Linear(layer.in_features, layer.out_features)
                layer.weight.data.copy_(fresh.weight.data)
                layer.bias.data.copy_(fresh.bias.data)
