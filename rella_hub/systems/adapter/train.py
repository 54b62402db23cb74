"""One tuning run: prompts → tokens → adapter of the best validation epoch, in one folder with its recipe and its curve."""

from __future__ import annotations

import json
import time
from contextlib import ExitStack
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path
from tempfile import TemporaryDirectory

import yaml
from accelerate import PartialState
from peft import LoraConfig
from transformers import EarlyStoppingCallback, PreTrainedTokenizerBase, set_seed
from trl import SFTConfig

from rella_hub.cli.options import pinning, pinning_defaults, recipe, without_places
from rella_hub.figures import draw_curve
from rella_hub.files import ownership, places
from rella_hub.files.hashes import hash_file
from rella_hub.files.replace import temporary_beside
from rella_hub.files.writer import sole_writer
from rella_hub.hub import resolve as hub
from rella_hub.language_models.answer_rows import lengths_of, require_room_for_rows
from rella_hub.language_models.load import base_identity, load_base, load_tokenizer, write_base_record
from rella_hub.language_models.p_yes import p_yes
from rella_hub.language_models.room import room_of
from rella_hub.metrics import measure
from rella_hub.stages.rationales.distill import is_distillation
from rella_hub.stages.dry_run import Estimate
from rella_hub.systems.adapter import checkpoints, dry_run, requirements
from rella_hub.systems.adapter.checkpoints import CheckpointingTrainer
from rella_hub.systems.adapter.config import NOT_OF_TRL, OF_THE_RECIPE, TuningConfig
from rella_hub.systems.adapter.options import READS, RESULT, RUN, Options
from rella_hub.systems.adapter.resume import MadeFrom, checkpoint_to_go_on_from
from rella_hub.systems.adapter.rows import RowMaker
from rella_hub.systems.adapter.trainer_arguments import sft_config
from rella_hub.tables import records, shots, store
from rella_hub.tables.checked import parse_yaml, read_text, require
from rella_hub.tables.runs import CURVE, INPUTS, RECIPE, RECORD

ADAPTER = "adapter"  # what the result in a run folder is recorded as
OF_SFT_CONFIG = tuple(name for name in OF_THE_RECIPE if name not in NOT_OF_TRL)
ALWAYS_SAID = ("learning_rate", "weight_decay", "lr_scheduler_type", "num_train_epochs", "seed", "max_length")


@dataclass(frozen=True)
class MadeOf:
    """What a run is made of."""

    base: dict  # the identity of the base model
    recipe: dict  # as people read it: without what is at its default
    pinned: dict  # every option that pins the result, and the hashes of what they are applied to
    defaults: dict  # what an option counts as in a record that is older than it


def train(options: Options) -> None:
    """Train, and keep the best epoch."""
    if is_distillation(options.config_name):  # its answers are texts
        from rella_hub.systems.adapter import student

        return student.train(options)
    defaults = pinning_defaults(Options) | _used(sft_config(TuningConfig(output_dir="unused")))
    arguments = sft_config(options)  # the last one made: the devices are set up by it
    needs = {key: getattr(options, key) for key in requirements.Needs.__dataclass_fields__}
    requirements.check(requirements.Needs(**needs))
    if not options.full_finetuning:
        requirements.check_layers(options.base, options.base_revision, options.lora_target_modules)
    output = Path(options.output_dir)
    _check_output(output, options)
    folder = hub.resolve(options.dataset, [options.config_name], options.dataset_revision)
    records.require_current(folder, options.config_name)
    identity = base_identity(options.base, options.base_revision)
    hashes = {
        "base model": identity["weights"],
        "configuration of the base model": identity["config"],
        "tokenizer of the base model": identity["tokenizer"],
        "prompts": store.made_from(folder, options.config_name)["fingerprint"],
    }
    if options.dry_run:
        _cost(options, arguments, folder).say()
        return
    pinned = {**pinning(options), **_used(arguments), **hashes}
    made_of = MadeOf(identity, _recipe(options, pinned, defaults), pinned, defaults)
    if not options.overwrite and _is_finished(output, made_of, hashes):
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
        timed = maker.make(Path(scratch), some, 1, options.seed)
        model = load_base(
            *(options.base, options.base_revision, options.dtype, options.quantization), use_cpu=options.use_cpu
        )
        require_room_for_rows(room_of(model), options.base, timed.train, (timed.answers.no, timed.answers.yes))
        lora = None if options.full_finetuning else _lora(options)
        found = dry_run.estimate(model, lora, arguments, timed, rows, Path(scratch))
        return replace(found, rows_per_sample=rows_per_sample)


def _train(options: Options, arguments: SFTConfig, folder: Path, made_of: MadeOf, scratch: Path) -> None:
    output = Path(options.output_dir)
    set_seed(options.seed)
    tokenizer = load_tokenizer(options.base, options.base_revision)
    rows = _row_maker(options, folder, tokenizer).make(scratch, options.num_shots, options.num_validation, options.seed)
    train, validation, answers = rows.train, rows.validation, rows.answers
    model = load_base(
        *(options.base, options.base_revision, options.dtype, options.quantization), use_cpu=options.use_cpu
    )
    for one in (train, validation):
        require_room_for_rows(room_of(model), options.base, one, (answers.no, answers.yes))
    trainer = CheckpointingTrainer(
        model=model,
        args=arguments,
        train_dataset=train,
        eval_dataset=validation,
        processing_class=tokenizer,
        peft_config=None if options.full_finetuning else _lora(options),
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
    checkpoint = _open_folder(output, made_of, options.overwrite, options.resume_from_checkpoint)
    begin = time.perf_counter()
    trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    record = {
        "trainable_weights": trainable,
        "training_rows": len(train),
        "training_samples": len(train) // shots.training_split(folder, options.config_name)[1],
        "training_tokens_per_epoch": int(lengths_of(train).sum()),
        "seconds": round(time.perf_counter() - begin, 1),
        "resumed": checkpoint is not None,
        "best_validation_auc": _auc_at(trainer.state.best_global_step, trainer.state.log_history),
        "best_step": trainer.state.best_global_step,
        "log": trainer.state.log_history,
    }
    if trainer.is_world_process_zero():
        _save(trainer, tokenizer, output, made_of, options.overwrite, record)
    trainer.accelerator.wait_for_everyone()


def _lora(options: Options) -> LoraConfig:
    wanted = options.lora_target_modules
    return LoraConfig(
        r=options.lora_r,
        lora_alpha=options.lora_alpha,
        lora_dropout=options.lora_dropout,
        target_modules=requirements.ALL_LINEAR if wanted == [requirements.ALL_LINEAR] else wanted,
        bias="none",
        task_type="CAUSAL_LM",
    )


def _check_output(output: Path, options: Options) -> None:
    """ValueError before any work where the run folder is none, or a name in it that the run writes is somebody else's."""
    places.check_own_folder(output, "--output_dir", reads=[options.dataset, options.base])
    ownership.require_own_folder(output, RUN)
    ownership.require_own_folder(output / RESULT, ADAPTER)
    checkpoints.require_own(output)
    for name in (RECIPE, INPUTS, RECORD, CURVE):
        ownership.require_replaceable(output / name, RUN, options.overwrite)


def _has_result(output: Path) -> bool:
    return (output / RESULT).is_dir() and (output / RECORD).is_file()


def _is_finished(output: Path, made_of: MadeOf, hashes: dict) -> bool:
    """Whether the folder holds the result of this very run. ValueError when it holds another run, or the beginning of one."""
    finished = _has_result(output)
    if not finished and checkpoints.last_whole(output) is None:
        return False
    stored = {}
    if (output / RECIPE).exists():
        stored = require(parse_yaml(read_text(output / RECIPE), str(output / RECIPE)), {}, str(output / RECIPE))
    existing = without_places(stored, Options) | (records.read_record(output / INPUTS) or hashes)
    defaults = made_of.defaults | dict.fromkeys(hashes, "not recorded")
    return records.is_current(
        output, existing, made_of.pinned, False, "--output_dir", whole=finished, defaults=defaults
    )


def _open_folder(output: Path, made_of: MadeOf, overwrite: bool, asked: str | None) -> Path | None:
    """Make the run folder ready, by the first of several processes, and give the checkpoint to go on from, if any."""
    state = PartialState()
    if state.is_main_process:
        ownership.open_folder(output, RUN)
        if overwrite:
            checkpoints.remove_all(output)
        if not _has_result(output):  # else that of the older run, whose recipe it has until it is replaced
            _write_recipe(output, made_of, overwrite)
    state.wait_for_everyone()
    checkpoint = checkpoint_to_go_on_from(output, made_of.pinned, asked, made_of.defaults)
    if checkpoint is not None:
        print(f"going on from {checkpoint}", flush=True)
    return checkpoint


def _write_recipe(output: Path, made_of: MadeOf, overwrite: bool) -> None:
    recipe_text = yaml.safe_dump(made_of.recipe, sort_keys=False)
    texts = {RECIPE: recipe_text, INPUTS: json.dumps(made_of.pinned, indent=2) + "\n"}
    for name, text in texts.items():
        with ownership.writing_file(output / name, RUN, overwrite) as temporary:
            temporary.write_text(text, encoding="utf-8")


def _auc_at(step: int | None, log: list[dict]) -> float:
    found = [entry["eval_auc"] for entry in log if entry["step"] == step and "eval_auc" in entry]
    if not found:
        raise ValueError(
            "The run ended before its first validation, so there is no best epoch to keep. Lower --eval_steps and --save_steps, or "
            "take --eval_strategy epoch and --save_strategy epoch."
        )
    return found[0]


def _recipe(options: Options, pinned: dict, defaults: dict) -> dict:
    """What the run is made again with; of SFTConfig's options those that are not at their defaults, as they are used."""
    plain = {name: defaults[name] for name in OF_SFT_CONFIG if name not in ALWAYS_SAID}
    values = {name: pinned.get(name, value) for name, value in recipe(options, READS).items()}
    if not options.chat_template_kwargs:
        del values["chat_template_kwargs"]
    return {name: value for name, value in values.items() if name not in plain or value != plain[name]}


def _used(arguments: SFTConfig) -> dict:
    """The options of SFTConfig that pin the weights, as they are used on this machine."""
    values = {name: getattr(arguments, name) for name in OF_SFT_CONFIG}
    return {name: value.value if isinstance(value, Enum) else value for name, value in values.items()}


def _save(trainer: CheckpointingTrainer, tokenizer, output: Path, made_of: MadeOf, overwrite: bool, record) -> None:
    """Replace the result, with its recipe, and then write the record, which says that the run is finished."""
    with ownership.writing_folder(output / RESULT, ADAPTER) as temporary:
        trainer.save_model(str(temporary))
        tokenizer.save_pretrained(temporary)
        (temporary / "training_args.bin").unlink(missing_ok=True)  # a pickle; the recipe says the same in text
        (temporary / "README.md").unlink(missing_ok=True)  # PEFT's empty form; model_cards/render.py writes the card
        write_base_record(temporary, made_of.base, made_of.pinned["chat_template_kwargs"] or None)
        record |= {"sha256": {path.name: hash_file(path) for path in sorted(temporary.glob("*.safetensors"))}}
        ownership.remove(output, RUN, [RECORD])  # of the older run: without it neither result is a finished one
        _write_recipe(output, made_of, overwrite)
    with ownership.writing_file(output / CURVE, RUN, overwrite) as temporary:
        steps = [(entry["step"], entry["loss"]) for entry in record["log"] if "loss" in entry]
        validated = [(entry["step"], entry["eval_auc"]) for entry in record["log"] if "eval_auc" in entry]
        draw_curve(temporary, "optimizer step", "training loss per answer token", {"training": steps}, validated)
    with ownership.writing_file(output / RECORD, RUN, overwrite) as temporary:
        temporary.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    print(
        f"{output / RESULT}: validation AUC {record['best_validation_auc']:.4f} at step {record['best_step']}.",
        flush=True,
    )
