"""The text encoder that a run starts from, loaded whole: its [CLS] token sees the text, and for PTab a head guesses tokens."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from transformers import AutoModel, AutoModelForMaskedLM, AutoTokenizer
from transformers.utils import logging

from rella_hub.hub.model_configs import read_config
from rella_hub.texts.shown import first_line
from rella_hub.vectors.encode import Encoder, load_encoder
from rella_hub.vectors.encoders import encoder_folder


def load_towers(name: str, revision: str | None, sides: tuple[str, ...]) -> tuple[dict[str, nn.Module], object]:
    """An encoder of its own for each side, all alike, and their tokenizer. ValueError where its first token cannot stand for a text."""
    encoder = load_encoder(name, revision)
    require_first_token(encoder)
    body = without_pooler(encoder.model.cpu().float())
    return {side: copy.deepcopy(body) for side in sides}, encoder.tokenizer


def load_masked(name: str, revision: str | None) -> tuple[nn.Module, object, bool]:
    """An encoder with a head that guesses masked tokens, its tokenizer, and whether the head is new: drawn from PyTorch's generator.

    ValueError where it has no mask token, or is no encoder of this kind.
    """
    encoder = load_encoder(name, revision)
    if encoder.tokenizer.mask_token_id is None:
        raise ValueError(
            f"The tokenizer of {name!r} has no mask token, so PTab's first stage cannot hide any. Take an encoder that was trained to "
            "guess masked tokens, such as a BERT, or --model ctr_bert."
        )
    require_first_token(encoder)
    folder = encoder_folder(name, revision)
    try:
        with _unreported():
            model, found = AutoModelForMaskedLM.from_pretrained(
                folder,
                config=read_config(folder),
                use_safetensors=True,
                trust_remote_code=False,
                output_loading_info=True,
            )
    except MemoryError:
        raise
    except Exception as error:  # whatever the library says of a kind of model that it has no such head for
        raise ValueError(
            f"{name!r} cannot be trained to guess masked tokens ({first_line(error)}). Take another encoder, or --model ctr_bert."
        ) from error
    of_body = [key for key in found["missing_keys"] if key.startswith(f"{model.base_model_prefix}.")]
    if of_body:
        raise ValueError(f"{name!r} lacks weights that guess masked tokens, such as {sorted(of_body)[0]}.")
    return model.float(), encoder.tokenizer, bool(found["missing_keys"])


@contextmanager
def _unreported() -> Iterator[None]:
    """Without the library's table of weights that are missing or left over, which is read here instead."""
    before = logging.get_verbosity()
    logging.set_verbosity_error()
    try:
        yield
    finally:
        logging.set_verbosity(before)


def without_pooler(model: Any) -> Any:
    """The encoder without what is behind its last layer, which nothing here reads."""
    if isinstance(getattr(model, "pooler", None), nn.Module):
        model.pooler = None
    return model


def require_first_token(encoder: Encoder) -> None:
    """ValueError unless every text begins with a [CLS] token whose vector depends on the text."""
    cls, texts = encoder.tokenizer.cls_token_id, ("a movie", "an old book")
    rows = encoder.tokenizer(list(texts))["input_ids"]
    if cls is None or any(row[0] != cls for row in rows):
        raise ValueError(
            f"{encoder.id!r} puts no [CLS] token at the start of a text, and these models read a text by its vector. Take an encoder that "
            "has one, such as a BERT."
        )
    device = next(encoder.model.parameters()).device
    with torch.inference_mode():
        first = [
            encoder.model(torch.tensor([row], device=device)).last_hidden_state[0, 0].float().cpu() for row in rows
        ]
    if np.allclose(*first, atol=1e-6):
        raise ValueError(
            f"The [CLS] token of {encoder.id!r} has the same vector in every text: it does not see what follows. Take an encoder that "
            "reads in both directions, such as a BERT."
        )


def empty_towers(folder: Path, sides: tuple[str, ...]) -> tuple[dict[str, nn.Module], object]:
    """Towers of the shape that `config.json` of a trained model says, for its weights to be put in, and its tokenizer."""
    config = read_config(folder)
    towers = {side: without_pooler(AutoModel.from_config(config, trust_remote_code=False)) for side in sides}
    return towers, AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
