"""One ReLLaX run: prompts → tokens → what a CTR model knows of them → gates and projector of the best validation epoch."""

from __future__ import annotations

import time
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import PartialState
from datasets import Dataset
from peft import PeftModel, get_peft_model
from transformers import EarlyStoppingCallback, set_seed
from trl import SFTConfig

from rella_hub.cli.options import pinning, pinning_defaults
from rella_hub.files.replace import temporary_beside
from rella_hub.files.writer import sole_writer
from rella_hub.hub import resolve as hub
from rella_hub.language_models.answer_rows import lengths_of, require_room_for_rows
from rella_hub.language_models.load import (
    adapter_identity,
    base_identity,
    load_adapter,
    load_base,
    load_tokenizer,
    write_base_record,
)
from rella_hub.metrics import measure
from rella_hub.systems.adapter import requirements
from rella_hub.systems.adapter.config import TuningConfig
from rella_hub.systems.adapter.resume import MadeFrom
from rella_hub.systems.adapter.rows import RowMaker, TuningRows
from rella_hub.systems.adapter.run_folder import (
    Kind,
    MadeOf,
    auc_at,
    check_output,
    is_finished,
    open_folder,
    recipe_of,
    save,
    used,
)
from rella_hub.systems.adapter.train import lora_of
from rella_hub.systems.adapter.trainer_arguments import sft_config
from rella_hub.systems.ctr.load import Trained, read_trained
from rella_hub.systems.rellax import pack
from rella_hub.systems.rellax.knowledge import Knowledge, tables_of
from rella_hub.systems.rellax.model import Assembled, assemble, room_with_items, see_rows, trainable
from rella_hub.systems.rellax.options import GATED, PROMPTED, READS, RESULT, RUN, Options
from rella_hub.systems.rellax.soft_prompts import ItemReader, ItemRowMaker, sample_ids_of
from rella_hub.systems.rellax.trainer import ROW, RellaxTrainer
from rella_hub.tables import records, shots, store
from rella_hub.views import table_name

KIND = Kind(RUN, RESULT, "rellax", Options, READS)


@dataclass(frozen=True)
class Sources:
    """What a run reads."""

    folder: Path  # of the data set
    ctr: Trained
    base: dict  # its identity
    scratch: Path


def train(options: Options) -> None:
    """Train, and keep the best epoch."""
    defaults = pinning_defaults(Options) | used(sft_config(TuningConfig(output_dir="unused")))
    arguments = sft_config(options)  # the last one made: the devices are set up by it
    needs = requirements.Needs.__dataclass_fields__
    requirements.check(requirements.Needs(**{key: getattr(options, key) for key in needs if hasattr(options, key)}))
    if options.adapter is None:
        requirements.check_layers(options.base, options.base_revision, options.lora_target_modules)
    output, ctr = Path(options.output_dir), read_trained(options.ctr, options.ctr_revision)
    reads = [options.dataset, options.base, options.ctr, *([options.adapter] if options.adapter else [])]
    check_output(output, KIND, reads, options.overwrite)
    tables = [options.config_name, table_name(options.config_name), *tables_of(ctr)]
    folder = hub.resolve(options.dataset, tables, options.dataset_revision)
    records.require_current(folder, options.config_name)
    base = base_identity(options.base, options.base_revision)
    hashes = _hashes(options, folder, ctr, base)
    pinned = {**pinning(options), **used(arguments), **hashes}
    made_of = MadeOf(base, recipe_of(options, KIND, pinned, defaults), pinned, defaults)
    if not options.overwrite and is_finished(output, KIND, made_of, hashes):
        return
    with ExitStack() as held:
        if PartialState().is_main_process:
            held.enter_context(sole_writer(output))
        scratch = held.enter_context(temporary_beside(output.with_name(f"{output.name}.rows")))
        _train(options, arguments, Sources(folder, ctr, base, scratch), made_of)


def _hashes(options: Options, folder: Path, ctr: Trained, base: dict) -> dict:
    adapter = adapter_identity(options.adapter, options.adapter_revision) if options.adapter else {}
    return {
        "base model": base["weights"],
        "configuration of the base model": base["config"],
        "tokenizer of the base model": base["tokenizer"],
        "prompts": store.made_from(folder, options.config_name)["fingerprint"],
        "CTR model": ctr.identity["sha256"],
        "vocabulary of the CTR model": ctr.identity["vocabulary_sha256"],
        "adapter": adapter.get("sha256"),
        "settings of the adapter": adapter.get("settings_sha256"),
    }


def _train(options: Options, arguments: SFTConfig, sources: Sources, made_of: MadeOf) -> None:
    set_seed(options.seed)
    knowledge = Knowledge(sources.ctr, sources.folder)
    model = load_base(
        *(options.base, options.base_revision, options.dtype, options.quantization), use_cpu=options.use_cpu
    )
    rows = _rows(options, sources, knowledge, model)
    room = room_with_items(model, options.mode, knowledge)
    for one in (rows.train, rows.validation):
        require_room_for_rows(room, options.base, one, (rows.answers.no, rows.answers.yes))
    assembled = assemble(
        model, options.mode, options.gate_start, knowledge, partial(_with_lora, options=options, base=sources.base)
    )
    see = None
    if options.mode in GATED:
        hidden = _hidden(options, sources.folder, knowledge, rows)
        assert assembled.gates is not None, "a gated mode has gates"
        see = see_rows(assembled.gates, hidden, model)
    trainer = RellaxTrainer(
        assembled,
        see,
        rows.answers,
        args=arguments,
        train_dataset=rows.train,
        eval_dataset=rows.validation,
        processing_class=load_tokenizer(options.base, options.base_revision),
        callbacks=[EarlyStoppingCallback(options.early_stopping_patience), MadeFrom(made_of.pinned)],
        measure=measure,
        kept=options.save_total_limit,
    )
    learning = trainable(assembled.model)
    print(
        f"{options.mode}: {len(rows.train):,} training rows, {len(rows.validation):,} validation samples, {learning:,} trainable weights.",
        flush=True,
    )
    _run(options, trainer, sources, made_of, rows, assembled, learning)


def _run(
    options: Options,
    trainer: RellaxTrainer,
    sources: Sources,
    made_of: MadeOf,
    rows: TuningRows,
    assembled: Assembled,
    learning: int,
) -> None:
    output = Path(options.output_dir)
    checkpoint = open_folder(output, KIND, made_of, options.overwrite, options.resume_from_checkpoint)
    begin = time.perf_counter()
    trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    corpus = store.made_from(sources.folder, options.config_name)["corpus"]
    samples = len(rows.train) // shots.training_split(sources.folder, options.config_name)[1]
    record = {
        "corpus": corpus,
        "mode": options.mode,
        "trainable_weights": learning,
        "training_rows": len(rows.train),
        "training_samples": samples,
        "training_tokens_per_epoch": int(lengths_of(rows.train).sum()),
        "seconds": round(time.perf_counter() - begin, 1),
        "resumed": checkpoint is not None,
        "best_validation_auc": auc_at(trainer.state.best_global_step, trainer.state.log_history),
        "best_step": trainer.state.best_global_step,
        "log": trainer.state.log_history,
    }
    mark = {key: getattr(options, key) for key in ("mode", "gate_start", "config_name", "num_shots")}
    mark |= {"corpus": corpus, "training_samples": samples, "first_item": _tokens_of(trainer.model)}

    def write(folder: Path) -> None:
        pack.write(folder, assembled, sources.ctr, mark)
        write_base_record(folder, made_of.base, options.chat_template_kwargs or None)

    if trainer.is_world_process_zero():
        save(output, KIND, made_of, options.overwrite, record, write)
    trainer.accelerator.wait_for_everyone()


def _rows(options: Options, sources: Sources, knowledge: Knowledge, model: torch.nn.Module) -> TuningRows:
    """The tokenized rows, each with the number of its sample's hidden state."""
    own: dict[str, Any] = {key: getattr(options, key) for key in ("config_name", "max_length", "chat_template_kwargs")}
    where: dict[str, Any] = {"folder": sources.folder, "tokenizer": load_tokenizer(options.base, options.base_revision)}
    maker = RowMaker(**where, **own)
    if options.mode in PROMPTED:
        asked = (
            options.base,
            options.base_revision,
            _tokens_of(model),
            options.max_length,
            options.chat_template_kwargs,
        )
        maker = ItemRowMaker(**where, **own, knowledge=knowledge, reader=ItemReader(*asked))
    made = maker.make(sources.scratch, options.num_shots, options.num_validation, options.seed)
    train = _numbered(made.train, 0)
    return TuningRows(train, _numbered(made.validation, len(train)), made.answers)


def _tokens_of(model: Any) -> int:
    """How many tokens the base has, behind which the items stand."""
    return model.get_input_embeddings().weight.shape[0]


def _numbered(rows: Dataset, first: int) -> Dataset:
    return rows.add_column(ROW, list(range(first, first + len(rows))))


def _hidden(options: Options, folder: Path, knowledge: Knowledge, rows: TuningRows) -> torch.Tensor:
    """(n, H) hidden states of the samples of the training rows, then of the validation rows."""
    name = options.config_name
    split = shots.training_split(folder, name)[0]
    train = sample_ids_of(folder, name, split, np.arange(len(rows.train)))
    chosen = shots.seeded_numbers(folder, name, "validation", options.num_validation, options.seed)
    validation = sample_ids_of(folder, name, "validation", chosen)
    return torch.cat([knowledge.hidden("train", train), knowledge.hidden("validation", validation)])


def _with_lora(model: torch.nn.Module, options: Options, base: dict) -> PeftModel:
    """The adapter that is given, frozen, or a new one, which learns."""
    if options.adapter is None:
        return get_peft_model(model, lora_of(options))
    return load_adapter(model, base, options.adapter, options.adapter_revision)
