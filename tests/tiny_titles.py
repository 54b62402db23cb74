"""A tiny Llama and a byte-level tokenizer for prompts with titles, both random and the same every time."""

from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

TEXT = ["Toy Story, Heat, Casino\nGoldenEye (1995)\n", "The user has watched these movies: Which one is next?\n"]


def tokenizer() -> PreTrainedTokenizerFast:
    """It merges a closing bracket with the newline behind it, as the tokenizers of GPT and Llama 3 do."""
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=320, special_tokens=["<pad>", "<eos>"], initial_alphabet=pre_tokenizers.ByteLevel.alphabet()
    )
    made.train_from_iterator(TEXT * 4, trainer)
    return PreTrainedTokenizerFast(tokenizer_object=made, pad_token="<pad>", eos_token="<eos>")


def llama(vocabulary: int, width: int = 16, seed: int = 0) -> LlamaForCausalLM:
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=vocabulary,
        hidden_size=width,
        intermediate_size=2 * width,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=512,
        initializer_range=0.3,
        pad_token_id=0,
        bos_token_id=None,
        eos_token_id=1,
    )
    return LlamaForCausalLM(config).eval()


def base_folder(folder: Path, width: int = 16) -> Path:
    """The two as a base model."""
    words = tokenizer()
    llama(len(words), width).save_pretrained(folder)
    words.save_pretrained(folder)
    return folder
