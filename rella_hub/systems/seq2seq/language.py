"""The T5 that a run starts from, loaded whole, and its tokenizer: pieces, whole words and the two answers."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from transformers import AutoModelForSeq2SeqLM, AutoTokenizer, PreTrainedTokenizerBase

from rella_hub.cards.publishing.terms import PRETRAINING
from rella_hub.hub.model_configs import read_config, require_size
from rella_hub.hub.model_folders import require_model, stored_tensors
from rella_hub.hub.models import local_folder
from rella_hub.systems.seq2seq.network import P5
from rella_hub.systems.seq2seq.text import ANSWERS
from rella_hub.tables.checked import NAME, read_json, require
from rella_hub.texts.shown import first_line

TIMES_BUILT = 7  # a T5 makes its embeddings four times, and then ties three of them to the first
WORD_BOUNDARY = "▁"  # SentencePiece's mark at the beginning of a word
WHOLE_WORDS = "whole_words.weight"


@dataclass(frozen=True)
class Language:
    """A tokenizer as P5 uses it."""

    name: str
    tokenizer: PreTrainedTokenizerBase
    begins_word: np.ndarray  # (V,) whether a piece is the first of a word
    pad: int
    end: int
    answers: tuple[int, int]  # the tokens of no and yes

    def words(self, texts: list[str]) -> list[list[int]]:
        """The tokens of each text, without an end token."""
        return self.tokenizer(texts, add_special_tokens=False, verbose=False)["input_ids"]


def load_language(folder: Path, name: str) -> Language:
    """The tokenizer of a T5 in `folder`, called `name`. ValueError where it is none that P5 can use."""
    try:
        tokenizer: Any = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
    except Exception as error:  # whatever a damaged file makes the tokenizer's class raise
        raise ValueError(f"The tokenizer of {name!r} cannot be loaded: {first_line(error)}") from error
    pieces = tokenizer.convert_ids_to_tokens(list(range(len(tokenizer))))
    begins = np.array([piece is not None and piece.startswith(WORD_BOUNDARY) for piece in pieces])
    if not begins.any():
        raise ValueError(
            f"No piece of the tokenizer of {name!r} begins with {WORD_BOUNDARY}, SentencePiece's mark of a word, so it cannot be told "
            "which pieces make a word. Take a T5 with its SentencePiece tokenizer."
        )
    if tokenizer.eos_token_id is None or tokenizer.pad_token_id is None:
        raise ValueError(f"The tokenizer of {name!r} has no end token or no padding token. Take a T5 with its own.")
    no, yes = (_one_token(tokenizer, answer, name) for answer in ANSWERS)
    if no == yes:
        raise ValueError(
            f"The tokenizer of {name!r} writes {' and '.join(ANSWERS)} as the same token, so it cannot tell them apart. Take another T5."
        )
    return Language(name, tokenizer, begins, tokenizer.pad_token_id, tokenizer.eos_token_id, (no, yes))


def _one_token(tokenizer: PreTrainedTokenizerBase, answer: str, name: str) -> int:
    ids = tokenizer(answer, add_special_tokens=False)["input_ids"]
    if len(ids) != 1 or ids[0] == tokenizer.unk_token_id:
        written = " ".join(map(str, tokenizer.convert_ids_to_tokens(ids))) or "nothing"
        raise ValueError(
            f"The tokenizer of {name!r} writes {answer!r} as {written}, and P5 needs each answer to be one token of its own: P(Yes) is "
            "read off the first one. Take another T5."
        )
    return ids[0]


def load_t5(name: str, revision: str | None) -> tuple[P5, Language]:
    """A T5 by Hub id or folder, with whole words that are new: drawn from PyTorch's generator. ValueError where it does not load whole."""
    try:
        folder = local_folder(name, revision)
        require_model(folder)
        language = load_language(folder, name)
        model = load_model(folder, is_new=True)
    except ValueError as error:
        raise ValueError(
            f"The T5 {name!r} cannot be used: {error} Without a Hub, make a small one: python training/pretrain.py --architecture t5"
        ) from error
    nn.init.normal_(model.whole_words.weight)  # as PyTorch draws an embedding, and so as the released code's
    require_room(model, language)
    return model, language


def pretrained_on(name: str, revision: str | None) -> str | None:
    """The corpus whose text a T5 was made from, where training/pretrain.py made it; None for any other."""
    record = local_folder(name, revision) / PRETRAINING
    return require(read_json(record), {"corpus": NAME}, str(record))["corpus"] if record.is_file() else None


def load_model(folder: Path, is_new: bool = False) -> P5:
    """The model of a folder, on the CPU in float32. is_new: whether it is a T5 that has no whole words yet."""
    config, stored = read_config(folder, encoder_decoder=True), stored_tensors(folder)
    if config.model_type != "t5":
        raise ValueError(f"It is a model of the type {config.model_type}; expected t5.")
    if (WHOLE_WORDS in stored) == is_new:
        raise ValueError(f"It is a P5 already: it has {WHOLE_WORDS}." if is_new else f"Its weights lack {WHOLE_WORDS}.")
    require_size(AutoModelForSeq2SeqLM, config, stored, TIMES_BUILT)
    if config.decoder_start_token_id is None:
        raise ValueError("Its config.json names no decoder_start_token_id, with which an answer begins.")
    try:
        model, found = P5.from_pretrained(
            folder,
            config=config,
            dtype=torch.float32,
            use_safetensors=True,
            trust_remote_code=False,
            output_loading_info=True,
        )
    except MemoryError:
        raise
    except Exception as error:  # whatever a damaged file makes the model's class raise
        raise ValueError(f"Its weights cannot be loaded ({first_line(error)}).") from error
    wrong = [key for kind in ("missing_keys", "unexpected_keys", "mismatched_keys") for key in found.get(kind, ())]
    if wrong:
        raise ValueError(f"Its weights are not those that its config.json describes, such as {min(map(str, wrong))}.")
    return model


def require_room(model: P5, language: Language) -> None:
    """ValueError when the tokenizer writes tokens that the model has no row for."""
    rows = model.shared.num_embeddings
    if len(language.begins_word) > rows:
        raise ValueError(
            f"The tokenizer of {language.name!r} has {len(language.begins_word):,} tokens and the model only {rows:,}: the two are of "
            "different models. Take the tokenizer of the model."
        )
