"""Text → tokenizer → rows → a language model, trained with transformers' Trainer.

A T5 fills in what was taken out of any text (t5.py). A Llama goes on with texts; in a diary its loss covers the numbers alone, above
all the ratings: which movie a user watches next is a draw that no small model can learn, and its ten tokens a line would drown the one
that tells something. Item documents are learned whole. Both kinds are mixed in every batch: apart, each unlearns what the other
teaches.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from datasets import Dataset
from torch.nn.functional import cross_entropy
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerBase, Trainer, TrainingArguments, set_seed

from rella_hub.cli import terminal
from rella_hub.cli.options import pinning, pinning_defaults
from rella_hub.files import ownership, places
from rella_hub.files.writer import sole_writer
from rella_hub.hub import resolve as hub
from rella_hub.language_models.answers import IGNORED, collate
from rella_hub.pretraining import next_item, t5
from rella_hub.pretraining.text import diaries, item_documents
from rella_hub.pretraining.tokenizer import train_t5_tokenizer, train_tokenizer
from rella_hub.prompts import pointwise
from rella_hub.tables import records, store
from rella_hub.views import config_name, table_name

VIEWS = ("recency", "subr")
BASE_MODEL = "base model"  # what the folder is recorded as
RECORD = "pretraining.json"  # stands in the folder: what the base model was made from
INTERMEDIATE = 8 / 3  # width of Llama's feed-forward layers, in units of the hidden size
TOKENIZER_DOCUMENTS = 20_000  # more text does not change a small vocabulary
# A line's number, and its rating. The number is a free lesson in looking back a line, after which ratings come sooner.
LEARNED = re.compile(r"^\d+(?=\. )|(?<=\()[\d.]+(?= stars?\)$)", re.MULTILINE)


def pretrain(options, output: Path) -> None:
    """Train and save a base model into `output`, unless it stands there from the very same options and data."""
    places.check_replaced_folder(output, reads=[options.dataset])
    ownership.require_own_folder(output, BASE_MODEL)
    tables = next_item.tables_of(hub.resolve(options.dataset, ["samples"]), options.history_length)
    if tables is None:
        tables = ["users", "items", "interactions", "samples"]
        tables += [table_name(config_name(view, options.history_length)) for view in VIEWS]
    folder = hub.resolve(options.dataset, tables)
    made_from = {
        **pinning(options),
        "inputs": records.input_fingerprints(folder, tables),
    }
    existing, defaults = records.read_record(output / RECORD), pinning_defaults(type(options))
    if records.is_current(output, existing, made_from, options.overwrite, defaults=defaults):
        return
    with sole_writer(output, beside=True):
        _pretrain(options, folder, output, made_from)


def _pretrain(options, folder: Path, output: Path, made_from: dict) -> None:
    rng = np.random.default_rng(options.seed)
    answers = t5.ANSWERS if options.architecture == "t5" else pointwise.ANSWERS
    chooses = next_item.tables_of(folder, options.history_length) is not None
    if chooses:
        described, about_users = next_item.documents(folder, options.history_length, options.diaries, rng)
        about_items = described * options.item_rounds
    else:
        about_items = [text for _ in range(options.item_rounds) for text in item_documents(folder, rng, answers)]
        about_users = [t for view in VIEWS for t in diaries(folder, view, options.history_length, options.diaries, rng)]
    sample = [*about_items, *about_users]
    some = [sample[i] for i in rng.permutation(len(sample))[:TOKENIZER_DOCUMENTS]]
    if options.architecture == "t5":
        tokenizer = train_t5_tokenizer(some, options.vocabulary, t5.ANSWERS)
        texts = [sample[i] for i in rng.permutation(len(sample))]
        rows = t5.make_rows(tokenizer, texts, min(options.context, t5.LONGEST_ROW))
        set_seed(options.seed)
        model = t5.make_model(options, tokenizer)
        train = partial(_train, collator=t5.SpanCorruption(tokenizer, options.seed))
    else:
        tokenizer = train_tokenizer(some, options.vocabulary)
        diary_rows = _rows_learned_numbers(tokenizer, about_users)
        if chooses:  # what is learned is titles
            diary_rows = [{**row, "labels": row["input_ids"]} for row in diary_rows]
        width = max(len(row["input_ids"]) for row in diary_rows)
        rows = [*_rows_learned_whole(tokenizer, about_items, width), *diary_rows]
        set_seed(options.seed)
        model = LlamaForCausalLM(_config(options, tokenizer))
        train = partial(_train, trainer=_NumberTrainer)
    tokens = sum(len(row["input_ids"]) for row in rows)
    print(
        f"{len(about_items):,} item documents, {len(about_users):,} diaries, {tokens:,} tokens, vocabulary {len(tokenizer):,}; "
        f"{model.num_parameters():,} weights.",
        flush=True,
    )
    with ownership.writing_folder(output, BASE_MODEL) as temporary, TemporaryDirectory() as scratch:
        train(model, rows, options, scratch)
        model.save_pretrained(temporary)
        tokenizer.save_pretrained(temporary)
        record = {"corpus": store.made_from(folder, "items")["corpus"], **made_from}
        (temporary / RECORD).write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    print(f"{output}: base model.", flush=True)


def _config(options, tokenizer: PreTrainedTokenizerBase) -> LlamaConfig:
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


def _rows_learned_whole(tokenizer: PreTrainedTokenizerBase, texts: list[str], width: int) -> list[dict]:
    """Short documents end to end, each closed by the end token, in rows of `width`: batches then hold little padding."""
    flat = [token for ids in tokenizer(texts)["input_ids"] for token in (*ids, tokenizer.eos_token_id)]
    rows = [flat[begin : begin + width] for begin in range(0, len(flat), width)]
    return [{"input_ids": row, "labels": row} for row in rows]


def _rows_learned_numbers(tokenizer: PreTrainedTokenizerBase, texts: list[str]) -> list[dict]:
    """Labels are IGNORED outside line numbers and ratings."""
    encoded = tokenizer(texts, return_offsets_mapping=True)
    rows = []
    for text, ids, offsets in zip(texts, encoded["input_ids"], encoded["offset_mapping"], strict=True):
        inside = np.zeros(len(text) + 1, dtype=bool)
        for match in LEARNED.finditer(text):
            inside[match.start() : match.end()] = True
        learned = inside[[end - 1 for _, end in offsets]]
        rows.append({"input_ids": ids, "labels": np.where(learned, ids, IGNORED).tolist()})
    return rows


def _train(
    model: torch.nn.Module,
    rows: list[dict],
    options,
    scratch: str,
    trainer: type[Trainer] = Trainer,
    collator: Callable = collate,
) -> None:
    on_gpu = torch.cuda.is_available()
    arguments = TrainingArguments(
        output_dir=scratch,
        per_device_train_batch_size=options.batch_size,
        num_train_epochs=options.epochs,
        learning_rate=options.learning_rate,
        lr_scheduler_type="cosine",
        warmup_steps=0.03,
        adam_beta2=0.98,
        weight_decay=0.01,
        save_strategy="no",
        logging_steps=50,
        report_to="none",
        disable_tqdm=not terminal.is_watched(),
        use_cpu=not on_gpu,
        bf16=on_gpu,
        remove_unused_columns=False,
        seed=options.seed,
        data_seed=options.seed,
    )
    arguments._n_gpu = 1  # Trainer would otherwise split a batch over all GPUs it sees, and hide the parts of the model
    trainer(model=model, args=arguments, train_dataset=Dataset.from_list(rows), data_collator=collator).train()


class _NumberTrainer(Trainer):
    """Trainer that takes logits only where a label bears loss: one position in six of a diary."""

    def compute_loss(self, model, inputs, return_outputs=False, num_items_in_batch=None):
        labels = inputs["labels"][:, 1:]  # (B, T - 1)
        bears_loss = labels != IGNORED
        hidden = model.model(input_ids=inputs["input_ids"], use_cache=False).last_hidden_state[:, :-1]  # (B, T - 1, D)
        logits = model.lm_head(hidden[bears_loss])  # (labels, V)
        total = cross_entropy(logits.float(), labels[bears_loss], reduction="sum")
        return total / (bears_loss.sum() if num_items_in_batch is None else num_items_in_batch)
