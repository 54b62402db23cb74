"""Random T5s small enough for a test, with a SentencePiece tokenizer made on the fly, and a run's options for them."""

from pathlib import Path

import torch
from transformers import PreTrainedTokenizerBase, T5Config, T5ForConditionalGeneration

from rella_hub.pretraining.tokenizer import train_t5_tokenizer
from rella_hub.systems.seq2seq.options import Options

TEXTS = ["Will user_12 like the movie item_345 or not? Answer yes or no. He has watched and rated these movies, the latest first:"]


def tokenizer(words: tuple[str, ...] = ("no", "yes")) -> PreTrainedTokenizerBase:
    """words: those that are one piece."""
    return train_t5_tokenizer(TEXTS * 20, 120, words)


def save(folder: Path, language: PreTrainedTokenizerBase | None = None, **settings) -> Path:
    """A random T5 of width 16 with its tokenizer."""
    language = language or tokenizer()
    torch.manual_seed(0)
    shape = {"d_model": 16, "d_kv": 8, "d_ff": 32, "num_layers": 2, "num_heads": 2, "decoder_start_token_id": 0}
    config = T5Config(**{"vocab_size": len(language), **shape, **settings})
    T5ForConditionalGeneration(config).eval().save_pretrained(folder)
    language.save_pretrained(folder)
    return folder


def options(base: Path, dataset: Path, output: Path, **changed) -> Options:
    small = {"history_length": 4, "batch_size": 16, "num_train_epochs": 2, "learning_rate": 1e-2, "seed": 3}
    places = {"base": str(base), "dataset": str(dataset), "output_dir": str(output)}
    return Options(**{**places, **small, **changed})
