"""Text → tokenizer → packed blocks → a causal language model, trained with transformers' Trainer."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from datasets import Dataset
from transformers import LlamaConfig, LlamaForCausalLM, Trainer, TrainingArguments, set_seed

from dataset_builders.stages.view import config_name, table_name
from dataset_builders.tables import hub, store
from training.pretraining.text import diaries, item_documents
from training.pretraining.tokenizer import train_tokenizer

VIEWS = ("recency", "subr")
INTERMEDIATE = 8 / 3  # width of Llama's feed-forward layers, in units of the hidden size


def pretrain(options, output: Path) -> None:
    """Train and save a base model into `output`; a folder that holds one already is replaced when the new one is whole."""
    tables = [table_name(config_name(view, options.history_length)) for view in VIEWS]
    folder = hub.resolve(options.dataset, ["users", "items", "interactions", "samples", *tables])
    rng = np.random.default_rng(options.seed)
    documents = [d for _ in range(options.item_rounds) for d in item_documents(folder, rng)]
    for view in VIEWS:
        documents += diaries(folder, view, options.history_length, options.diaries, rng)
    documents = [documents[i] for i in rng.permutation(len(documents))]
    tokenizer = train_tokenizer(documents[: 50_000], options.vocabulary)
    blocks = _blocks(tokenizer, documents, options.block_size)
    set_seed(options.seed)
    model = LlamaForCausalLM(_config(options, tokenizer))
    print(
        f"{len(documents):,} documents, {blocks.size:,} tokens, vocabulary {len(tokenizer):,}; "
        f"{model.num_parameters():,} parameters.",
        flush=True,
    )
    with store.replacing(output) as temporary:
        _train(model, blocks, options, temporary / "trainer")
        model.save_pretrained(temporary)
        tokenizer.save_pretrained(temporary)
        (temporary / "pretraining.json").write_text(json.dumps(asdict(options), indent=2) + "\n", encoding="utf-8")
    print(f"{output}: base model.", flush=True)


def _config(options, tokenizer) -> LlamaConfig:
    return LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=options.hidden_size,
        intermediate_size=int(INTERMEDIATE * options.hidden_size) // 32 * 32,
        num_hidden_layers=options.layers,
        num_attention_heads=options.heads,
        max_position_embeddings=options.context,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )


def _blocks(tokenizer, documents: list[str], block_size: int) -> np.ndarray:
    """(blocks, block_size) tokens: the documents end to end, each closed by the end token."""
    encoded = tokenizer(documents)["input_ids"]
    flat = np.fromiter((token for ids in encoded for token in (*ids, tokenizer.eos_token_id)), dtype=np.int32)
    blocks = len(flat) // block_size
    if blocks == 0:
        raise ValueError(f"The text has {len(flat):,} tokens, less than one block of {block_size}: raise --diaries or --item_rounds.")
    return flat[: blocks * block_size].reshape(blocks, block_size)


def _train(model: torch.nn.Module, blocks: np.ndarray, options, scratch: Path) -> None:
    data = Dataset.from_dict({"input_ids": list(blocks), "labels": list(blocks)}).with_format("torch")
    on_gpu = torch.cuda.is_available()
    arguments = TrainingArguments(
        output_dir=str(scratch),
        per_device_train_batch_size=options.batch_size,
        num_train_epochs=options.epochs,
        learning_rate=options.learning_rate,
        lr_scheduler_type="cosine",
        warmup_steps=0.05,
        adam_beta2=0.98,
        weight_decay=0.01,
        save_strategy="no",
        logging_steps=20,
        report_to="none",
        use_cpu=not on_gpu,
        bf16=on_gpu,
        seed=options.seed,
        data_seed=options.seed,
    )
    Trainer(model=model, args=arguments, train_dataset=data).train()
