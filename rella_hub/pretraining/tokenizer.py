"""Tokenizers trained on the given text: byte-level BPE, of the kind that GPT-2, Llama 3 and Qwen use, and T5's SentencePiece unigrams."""

from __future__ import annotations

import json
import string
from collections.abc import Iterable

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerBase, PreTrainedTokenizerFast, T5Tokenizer

END, PAD = "<|end|>", "<|pad|>"
T5_SPECIAL = ("<pad>", "</s>", "<unk>")  # the first of a T5's vocabulary, in its order; its 100 sentinels are the last
WORD_BOUNDARY = "▁"
DIGITS = 6  # of a score
ADDED_LETTERS = 0.02  # by how much they are likelier at most: 0.0001 a letter


def train_tokenizer(texts: Iterable[str], vocabulary: int) -> PreTrainedTokenizerBase:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=[END, PAD],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),  # so that no text is out of vocabulary
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token=END, pad_token=PAD)


def train_t5_tokenizer(texts: Iterable[str], vocabulary: int, words: Iterable[str] = ()) -> T5Tokenizer:
    """A tokenizer of T5's kind, with at most so many pieces and 100 sentinels. words: each is one piece, whatever the texts hold."""
    sentinels = [f"<extra_id_{number}>" for number in reversed(range(100))]
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.WhitespaceSplit(),
            pre_tokenizers.Metaspace(replacement=WORD_BOUNDARY, prepend_scheme="always", split=True),
        ]
    )
    trainer = trainers.UnigramTrainer(
        vocab_size=vocabulary,
        special_tokens=list(T5_SPECIAL),
        unk_token=T5_SPECIAL[-1],
        initial_alphabet=[letter for letter in string.printable if not letter.isspace()],
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    scores = _scores(tokenizer)
    # A word as likely as the likeliest piece is never written as several.
    scores |= {WORD_BOUNDARY + word: max(scores.values()) for word in words if WORD_BOUNDARY + word not in scores}
    pieces = sorted(scores.items(), key=lambda piece: (-piece[1], piece[0]))
    special = [(piece, 0.0) for piece in T5_SPECIAL]
    return T5Tokenizer(vocab=[*special, *pieces, *((sentinel, 0.0) for sentinel in sentinels)])


def _scores(tokenizer: Tokenizer) -> dict[str, float]:
    """Piece → its log-probability, the same every time: the trainer walks through hash tables, so its last digits differ from run to run.

    It also adds letters that the texts lack, each a little likelier than the one before; all of them get the score of the first.
    """
    found = dict(json.loads(tokenizer.to_str())["model"]["vocab"])
    scores = {piece: round(score, DIGITS) for piece, score in found.items() if piece not in T5_SPECIAL}
    least = min(scores.values())
    return {
        piece: least if len(piece) == 1 and score < least + ADDED_LETTERS else score for piece, score in scores.items()
    }
