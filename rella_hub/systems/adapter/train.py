"""One tuning run: prompts → tokens → adapter of the best validation epoch, in one folder with its recipe and its curve."""

from __future__ import annotations

import time
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Protocol

from accelerate import PartialState
from peft import LoraConfig
from transformers import EarlyStoppingCallback, PreTrainedTokenizerBase, set_seed
from trl import SFTConfig

from rella_hub.cli.options import pinning, pinning_defaults
from rella_hub.files.replace import temporary_beside
from rella_hub.files.writer import sole_writer
from rella_hub.hub import resolve as hub
from rella_hub.language_models.answer_rows import lengths_of, require_room_for_rows
from rella_hub.language_models.load import base_identity, load_base, load_tokenizer, write_base_record
from rella_hub.language_models.p_yes import p_yes
from rella_hub.language_models.room import room_of
from rella_hub.metrics import measure
from rella_hub.prompts import style_of
from rella_hub.stages.dry_run import Estimate
from rella_hub.stages.rationales.distill import is_distillation
from rella_hub.systems.adapter import checkpoints, dry_run, instructions, requirements
from rella_hub.systems.adapter.checkpoints import CheckpointingTrainer
from rella_hub.systems.adapter.config import TuningConfig
from rella_hub.systems.adapter.options import READS, RESULT, RUN, Options
from rella_hub.systems.adapter.resume import MadeFrom
from rella_hub.systems.adapter.rows import RowMaker
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
from rella_hub.systems.adapter.trainer_arguments import sft_config
from rella_hub.tables import records, shots, store

ADAPTER = "adapter"  # what the result in a run folder is recorded as
KIND = Kind(RUN, RESULT, ADAPTER, Options, READS)


def train(options: Options) -> None:
    """Train, and keep the best epoch."""
    if is_distillation(options.config_name):  # its answers are texts
        from rella_hub.systems.adapter import student

        return student.train(options)
    defaults = pinning_defaults(Options) | used(sft_config(TuningConfig(output_dir="unused")))
    arguments = sft_config(options)  # the last one made: the devices are set up by it
    needs = {key: getattr(options, key) for key in requirements.Needs.__dataclass_fields__}
    requirements.check(requirements.Needs(**needs))
    if not options.full_finetuning:
        requirements.check_layers(options.base, options.base_revision, options.lora_target_modules)
    output = Path(options.output_dir)
    check_output(output, KIND, [options.dataset, options.base], options.overwrite)
    folder = hub.resolve(options.dataset, [options.config_name], options.dataset_revision)
    records.require_current(folder, options.config_name)
    identity = base_identity(options.base, options.base_revision)
    hashes = {
        "base model": identity["weights"],
        "configuration of the base model": identity["config"],
        "tokenizer of the base model": identity["tokenizer"],
        "prompts": store.made_from(folder, options.config_name)["fingerprint"],
    }
    if options.instructions:
        hashes["instructions"] = instructions.find(options.instructions, options.instructions_revision).sha256
    if options.dry_run:
        _cost(options, arguments, folder).say()
        return
    pinned = {**pinning(options), **used(arguments), **hashes}
    made_of = MadeOf(identity, recipe_of(options, KIND, pinned, defaults), pinned, defaults)
    if not options.overwrite and is_finished(output, KIND, made_of, hashes):
        return
    with ExitStack() as held:
        if PartialState().is_main_process:
            held.enter_context(sole_writer(output))
        scratch = temporary_beside(output.with_name(f"{output.name}.rows"))  # of each process its own
        _train(options, arguments, folder, made_of, held.enter_context(scratch))


def _row_maker(options: Options, folder: Path, tokenizer: PreTrainedTokenizerBase) -> RowMaker:
    return RowMaker(folder, options.config_name, tokenizer, options.max_length, options.chat_template_kwargs)


def cost(options: Options) -> Estimate:
    """What a training would cost, by a few of its steps."""
    arguments = sft_config(options)
    folder = hub.resolve(options.dataset, [options.config_name], options.dataset_revision)
    return _cost(options, arguments, folder)


def _cost(options: Options, arguments: SFTConfig, folder: Path) -> Estimate:
    maker = _row_maker(options, folder, load_tokenizer(options.base, options.base_revision))
    rows_per_sample = shots.training_split(folder, options.config_name)[1]
    rows = shots.count_shots(folder, options.config_name, options.num_shots)[1]
    some = min(rows, dry_run.rows_needed(arguments)) // rows_per_sample or 1
    with TemporaryDirectory() as scratch:
        timed = maker.make(Path(scratch), some, 1, options.seed, options.loss_on_prompt)
        model = load_base(
            *(options.base, options.base_revision, options.dtype, options.quantization), use_cpu=options.use_cpu
        )
        require_room_for_rows(room_of(model), options.base, timed.train, (timed.answers.no, timed.answers.yes))
        lora = None if options.full_finetuning else lora_of(options)
        found = dry_run.estimate(model, lora, arguments, timed, rows, Path(scratch))
        return replace(found, rows_per_sample=rows_per_sample)


def _train(options: Options, arguments: SFTConfig, folder: Path, made_of: MadeOf, scratch: Path) -> None:
    output = Path(options.output_dir)
    set_seed(options.seed)
    tokenizer = load_tokenizer(options.base, options.base_revision)
    asked = (options.num_shots, options.num_validation, options.seed, options.loss_on_prompt)
    rows = _row_maker(options, folder, tokenizer).make(scratch, *asked)
    train, validation, answers = rows.train, rows.validation, rows.answers
    model = load_base(
        *(options.base, options.base_revision, options.dtype, options.quantization), use_cpu=options.use_cpu
    )
    for one in (train, validation):
        require_room_for_rows(room_of(model), options.base, one, (answers.no, answers.yes))
    lora = None if options.full_finetuning else lora_of(options)
    if _begins_with_instructions(options):
        model, lora = instructions.first_stage(model, lora, arguments, options, tokenizer, scratch), None
    trainer = CheckpointingTrainer(
        model=model,
        args=arguments,
        train_dataset=train,
        eval_dataset=validation,
        processing_class=tokenizer,
        peft_config=lora,
        callbacks=[EarlyStoppingCallback(options.early_stopping_patience), MadeFrom(made_of.pinned)],
        yes=answers.yes,
        score=lambda model, prompts: p_yes(model, prompts, answers),
        measure=measure,
        kept=options.save_total_limit,
    )
    trainable = sum(p.numel() for p in trainer.model.parameters() if p.requires_grad)
    print(
        f"{len(train):,} training rows, {len(validation):,} validation samples, {trainable:,} trainable weights.",
        flush=True,
    )
    checkpoint = open_folder(output, KIND, made_of, options.overwrite, options.resume_from_checkpoint)
    begin = time.perf_counter()
    trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    record = {
        "trainable_weights": trainable,
        "training_rows": len(train),
        "training_samples": len(train) // shots.training_split(folder, options.config_name)[1],
        "training_tokens_per_epoch": int(lengths_of(train).sum()),
        "seconds": round(time.perf_counter() - begin, 1),
        "resumed": checkpoint is not None,
        "best_validation_auc": auc_at(trainer.state.best_global_step, trainer.state.log_history),
        "best_step": trainer.state.best_global_step,
        "log": trainer.state.log_history,
    }
    if trainer.is_world_process_zero():
        write = partial(_save, trainer, tokenizer, made_of=made_of)
        save(output, KIND, made_of, options.overwrite, record, write)
    trainer.accelerator.wait_for_everyone()


def _begins_with_instructions(options: Options) -> bool:
    """Whether this run has a first stage, and has not come beyond it."""
    if options.instructions is None:
        if style_of(options.config_name) == "tallrec":
            print("no --instructions: TALLRec's first stage, tuning on instructions, is skipped.", flush=True)
        return False
    return options.overwrite or checkpoints.last_whole(Path(options.output_dir)) is None


class LoraOptions(Protocol):
    """What LoRA is made of; the options of each family that tunes a base have it."""

    @property
    def lora_r(self) -> int: ...

    @property
    def lora_alpha(self) -> int: ...

    @property
    def lora_dropout(self) -> float: ...

    @property
    def lora_target_modules(self) -> list[str]: ...


def lora_of(options: LoraOptions, excluded: list[str] | None = None, whole: list[str] | None = None) -> LoraConfig:
    """excluded: modules that get no LoRA; whole: those that are trained themselves, and saved beside it."""
    wanted = options.lora_target_modules
    return LoraConfig(
        r=options.lora_r,
        lora_alpha=options.lora_alpha,
        lora_dropout=options.lora_dropout,
        target_modules=requirements.ALL_LINEAR if wanted == [requirements.ALL_LINEAR] else wanted,
        exclude_modules=excluded,
        modules_to_save=whole,
        bias="none",
        task_type="CAUSAL_LM",
    )


def _save(trainer: CheckpointingTrainer, tokenizer, folder: Path, made_of: MadeOf) -> None:
    """The result: the adapter, the tokenizer, and the record of the base."""
    trainer.save_model(str(folder))
    tokenizer.save_pretrained(folder)
    (folder / "training_args.bin").unlink(missing_ok=True)  # a pickle; the recipe says the same in text
    (folder / "README.md").unlink(missing_ok=True)  # PEFT's empty form; model_cards/render.py writes the card
    write_base_record(folder, made_of.base, made_of.pinned["chat_template_kwargs"] or None)
