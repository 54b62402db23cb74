"""Saved CTR models: `config.json` with the constructor's options, and the weights in safetensors."""

from __future__ import annotations

from typing import NoReturn

from huggingface_hub import PyTorchModelHubMixin
from torch import nn


class SavedModel(nn.Module, PyTorchModelHubMixin):
    """`save_pretrained`, `from_pretrained` and `push_to_hub`, without two habits of the mixin.

    The mixin loads weights that do not fit, leaving the rest random, unless it is told to be strict; and where a repository
    has no safetensors file it reads a pickle.
    """

    RETRIEVES = False  # whether a batch must hold behaviors searched in the whole history

    @classmethod
    def _load_as_safetensor(cls, model: SavedModel, model_file: str, map_location: str, strict: bool) -> SavedModel:
        return super()._load_as_safetensor(model, model_file, map_location, strict=True)

    @classmethod
    def _load_as_pickle(cls, model: SavedModel, model_file: str, map_location: str, strict: bool) -> NoReturn:
        raise ValueError(
            f"The repository holds {model_file} and no model.safetensors. Expected safetensors: save with save_pretrained."
        )
