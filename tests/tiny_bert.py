"""Random BERTs small enough for a test, with a WordPiece vocabulary made on the fly, and a run's options for them."""

from pathlib import Path

import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import BertConfig, BertForMaskedLM, BertModel, PreTrainedTokenizerFast

from rella_hub.systems.encoder.options import Options

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
KNOWN = "movie title is id user gender male female age occupation zip code genre history star stars"  # short texts, quick tests
LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789"


def tokenizer(**changed) -> PreTrainedTokenizerFast:
    """Words that it does not know in letters, so that nothing is unknown. changed: special tokens by name, None to leave one out."""
    letters = [*LETTERS, *(f"##{letter}" for letter in LETTERS), *":.,()[]-/'&!?"]
    pieces = [*SPECIAL, *letters, *KNOWN.split()]
    raw = Tokenizer(models.WordPiece({piece: i for i, piece in enumerate(pieces)}, unk_token="[UNK]"))
    raw.normalizer = normalizers.BertNormalizer(lowercase=True)
    raw.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    named = {
        "pad_token": "[PAD]",
        "unk_token": "[UNK]",
        "cls_token": "[CLS]",
        "sep_token": "[SEP]",
        "mask_token": "[MASK]",
    }
    named = {name: token for name, token in (named | changed).items() if token}
    if "cls_token" in named:
        raw.post_processor = processors.TemplateProcessing(
            single="[CLS] $A [SEP]",
            special_tokens=[("[CLS]", SPECIAL.index("[CLS]")), ("[SEP]", SPECIAL.index("[SEP]"))],
        )
    return PreTrainedTokenizerFast(tokenizer_object=raw, **named)


def save(folder: Path, words=None, head: bool = False, **settings) -> Path:
    """A random BERT of width 32 with its tokenizer; head: with one that guesses masked tokens."""
    words = words or tokenizer()
    torch.manual_seed(0)
    shape = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
    config = BertConfig(vocab_size=len(words), max_position_embeddings=256, **shape | settings)
    (BertForMaskedLM if head else BertModel)(config).eval().save_pretrained(folder)
    words.save_pretrained(folder)
    return folder


def options(model: str, encoder: Path, dataset: Path, output: Path, **changed) -> Options:
    small = {"max_length": 200, "batch_size": 16, "num_train_epochs": 2, "learning_rate": 1e-3, "seed": 3}
    masking = {"mlm_epochs": 2, "mlm_learning_rate": 1e-3} if model == "ptab" else {}
    places = {"encoder": str(encoder), "dataset": str(dataset), "output_dir": str(output)}
    return Options(**{"model": model, **places, **small, **masking, **changed})
