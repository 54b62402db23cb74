"""Random T5s small enough for a test, with a SentencePiece tokenizer made on the fly; a run's options for them, and data to run on."""

from pathlib import Path

import torch
from transformers import PreTrainedTokenizerBase, PreTrainedTokenizerFast, T5Config, T5ForConditionalGeneration

from rella_hub.pretraining.tokenizer import train_t5_tokenizer, train_tokenizer
from rella_hub.stages.arguments import FolderArguments, RawArguments
from rella_hub.stages.prepare import prepare
from rella_hub.systems.seq2seq.options import Options

RAW = Path(__file__).parent / "fixtures" / "raw"
TEXT = "Will user_12 like the movie item_345 or not? Answer yes or no. user_12 has watched and rated these movies, the latest first:"


def tokenizer(words: tuple[str, ...] = ("no", "yes"), more: int = 0) -> PreTrainedTokenizerBase:
    """words: those that are one piece. more: pieces that no text has."""
    return train_t5_tokenizer([TEXT.replace("yes or no", "")] * 20, 120, (*words, *(f"word{n}" for n in range(more))))


def bytes_tokenizer() -> PreTrainedTokenizerFast:
    """One that has no mark of a word."""
    return train_tokenizer([TEXT] * 20, 300)


def save(folder: Path, **settings) -> Path:
    """A random T5 of width 16 with its tokenizer."""
    language = tokenizer()
    torch.manual_seed(0)
    shape = {"d_model": 16, "d_kv": 8, "d_ff": 32, "num_layers": 2, "num_heads": 2, "decoder_start_token_id": 0}
    config = T5Config(**{"vocab_size": len(language), **shape, **settings})
    T5ForConditionalGeneration(config).eval().save_pretrained(folder)
    language.save_pretrained(folder)
    return folder


def options(base: Path, dataset: Path, output: Path, **changed) -> Options:
    small = {"history_length": 4, "batch_size": 16, "num_train_epochs": 2, "learning_rate": 1e-2, "seed": 3}
    places = {"t5": str(base), "dataset": str(dataset), "output_dir": str(output)}
    return Options(**{**places, **small, **changed})


def prepare_ml1m(folder: Path, raw: Path = RAW / "ml1m") -> Path:
    where = FolderArguments(corpus="ml1m", output=str(folder))
    prepare(where, RawArguments(raw=str(raw)))
    return where.folder


def data_of_steady_users(folder: Path) -> Path:
    """40 users who rate all movies alike, half of them 5 and half 1, at times that are mixed."""
    raw = folder / "raw"
    raw.mkdir()
    users = [f"{u}::M::25::{u % 20}::12345" for u in range(1, 41)]
    movies = [f"{m}::Movie {m} ({1950 + m})::Drama" for m in range(1, 13)]
    ratings = [
        f"{u}::{m}::{5 if u % 2 else 1}::{960_000_000 + 1000 * m + u}" for u in range(1, 41) for m in range(1, 13)
    ]
    for name, lines in (("users", users), ("movies", movies), ("ratings", ratings)):
        (raw / f"{name}.dat").write_text("\n".join(lines) + "\n")
    return prepare_ml1m(folder / "data", raw)
