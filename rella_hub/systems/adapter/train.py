"""One tuning run: prompts → tokens → adapter of the best validation epoch, in one folder with its recipe and its curve."""

from __future__ import annotations

import json
import time
from contextlib import ExitStack
from dataclasses import asdict
from enum import Enum
from pathlib import Path
from tempfile import TemporaryDirectory

import yaml
from accelerate import PartialState
from peft import LoraConfig
from transformers import EarlyStoppingCallback, set_seed
from trl import SFTConfig

from rella_hub.files import ownership, places
from rella_hub.files.hashes import hash_file
from rella_hub.files.replace import temporary_beside
from rella_hub.files.writer import sole_writer
from rella_hub.hub import resolve as hub
from rella_hub.language_models.answer_rows import lengths_of, require_room_for_rows
from rella_hub.language_models.load import base_identity, load_base, load_tokenizer, write_base_record
from rella_hub.language_models.room import room_of
from rella_hub.systems.adapter import checkpoints, dry_run, requirements
from rella_hub.systems.adapter.checkpoints import CheckpointingTrainer
from rella_hub.systems.adapter.config import BESIDE_THE_RECIPE, NOT_OF_TRL, OF_THE_RECIPE, TuningConfig
from rella_hub.systems.adapter.curve import draw
from rella_hub.systems.adapter.options import TuningArguments
from rella_hub.systems.adapter.resume import MadeFrom, checkpoint_to_go_on_from
from rella_hub.systems.adapter.rows import RowMaker
from rella_hub.systems.adapter.trainer_arguments import sft_config
from rella_hub.tables import records, shots, store
from rella_hub.tables.checked import parse_yaml, read_text, require

TUNING_RUN, ADAPTER = "tuning run", "adapter"  # what the run folder and the result in it are recorded as
RECIPE, INPUTS, RECORD, CURVE, RESULT = "recipe.yaml", "inputs.json", "training.json", "training.png", "adapter"
Inputs = tuple[dict, dict, dict]  # the identity of the base model, the recipe, and the hashes of what it was applied to


def tune(options: TuningArguments, config: TuningConfig, score, measure) -> None:
    """Train and keep the best epoch. score, measure: see `rella_hub.language_models.answers.AnswerTrainer`."""
    arguments = sft_config(config)
    needs = {key: getattr(options, key) for key in requirements.Needs.__dataclass_fields__}
    requirements.check(requirements.Needs(**needs))
    if not options.full_finetuning:
        requirements.check_layers(options.base, options.base_revision, options.lora_target_modules)
    output = Path(config.output_dir)
    _check_output(output, options)
    folder = hub.resolve(options.dataset, [options.config_name], options.dataset_revision)
    records.require_current(folder, options.config_name)
    identity = base_identity(options.base, options.base_revision)
    recipe = _recipe(options, arguments, config.max_length)
    inputs = {
        "base model": identity["weights"],
        "configuration of the base model": identity["config"],
        "tokenizer of the base model": identity["tokenizer"],
        "prompts": store.provenance(folder, options.config_name)["fingerprint"],
    }
    if options.dry_run:
        _say_cost(options, config, arguments, folder)
        return
    if not options.overwrite and _is_finished(output, recipe, inputs):
        return
    with ExitStack() as held:
        if PartialState().is_main_process:
            held.enter_context(sole_writer(output))
        scratch = held.enter_context(
            temporary_beside(output.with_name(f"{output.name}.rows"))
        )  # of each process its own
        _tune(options, config, arguments, folder, (identity, recipe, inputs), score, measure, scratch)


def _say_cost(options: TuningArguments, config: TuningConfig, arguments: SFTConfig, folder: Path) -> None:
    tokenizer = load_tokenizer(options.base, options.base_revision)
    maker = RowMaker(folder, options.config_name, tokenizer, config.max_length, options.chat_template_kwargs)
    rows_per_sample = shots.training_split(folder, options.config_name)[1]
    rows = shots.count_shots(folder, options.config_name, options.num_shots)[1]
    some = min(rows, dry_run.rows_needed(arguments)) // rows_per_sample or 1
    with TemporaryDirectory() as scratch:
        timed = maker.make(Path(scratch), some, 1, config.seed)
        model = load_base(
            *(options.base, options.base_revision, options.dtype, options.quantization), use_cpu=config.use_cpu
        )
        require_room_for_rows(room_of(model), options.base, timed.train, (timed.answers.no, timed.answers.yes))
        lora = None if options.full_finetuning else _lora(options)
        dry_run.estimate(model, lora, arguments, timed, rows, Path(scratch)).say()


def _tune(
    options: TuningArguments,
    config: TuningConfig,
    arguments: SFTConfig,
    folder: Path,
    made_from: Inputs,
    score,
    measure,
    scratch: Path,
) -> None:
    output, kept = Path(config.output_dir), config.save_total_limit
    set_seed(config.seed)
    tokenizer = load_tokenizer(options.base, options.base_revision)
    maker = RowMaker(folder, options.config_name, tokenizer, config.max_length, options.chat_template_kwargs)
    rows = maker.make(scratch, options.num_shots, options.num_validation, config.seed)
    train, validation, answers = rows.train, rows.validation, rows.answers
    model = load_base(
        *(options.base, options.base_revision, options.dtype, options.quantization), use_cpu=config.use_cpu
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
        callbacks=[EarlyStoppingCallback(options.early_stopping_patience), MadeFrom(made_from[1] | made_from[2])],
        yes=answers.yes,
        score=lambda model, prompts: score(model, prompts, answers),
        measure=measure,
        kept=kept,
    )
    trainable = sum(p.numel() for p in trainer.model.parameters() if p.requires_grad)
    print(
        f"{len(train):,} training rows, {len(validation):,} validation samples, {trainable:,} trainable weights.",
        flush=True,
    )
    checkpoint = _open_folder(output, made_from, options.overwrite, config.resume_from_checkpoint)
    begin = time.perf_counter()
    trainer.train(resume_from_checkpoint=checkpoint and str(checkpoint))
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
        _save(trainer, tokenizer, output, made_from, options.overwrite, record)
    trainer.accelerator.wait_for_everyone()


def _lora(options: TuningArguments) -> LoraConfig:
    wanted = options.lora_target_modules
    return LoraConfig(
        r=options.lora_r,
        lora_alpha=options.lora_alpha,
        lora_dropout=options.lora_dropout,
        target_modules=requirements.ALL_LINEAR if wanted == [requirements.ALL_LINEAR] else wanted,
        bias="none",
        task_type="CAUSAL_LM",
    )


def _check_output(output: Path, options: TuningArguments) -> None:
    """ValueError before any work where the run folder is none, or a name in it that the run writes is somebody else's."""
    places.check_own_folder(output, "--output_dir", reads=[options.dataset, options.base])
    ownership.require_own_folder(output, TUNING_RUN)
    ownership.require_own_folder(output / RESULT, ADAPTER)
    checkpoints.require_own(output)
    for name in (RECIPE, INPUTS, RECORD, CURVE):
        ownership.require_replaceable(output / name, TUNING_RUN, options.overwrite)


def _has_result(output: Path) -> bool:
    return (output / RESULT).is_dir() and (output / RECORD).is_file()


def _is_finished(output: Path, recipe: dict, inputs: dict) -> bool:
    """Whether the folder holds the result of this very run. ValueError when it holds another run, or the beginning of one."""
    finished = _has_result(output)
    if not finished and checkpoints.last_whole(output) is None:
        return False
    stored = {}
    if (output / RECIPE).exists():
        stored = require(parse_yaml(read_text(output / RECIPE), str(output / RECIPE)), {}, str(output / RECIPE))
        stored = {key: value for key, value in stored.items() if key not in BESIDE_THE_RECIPE}
    existing = stored | (records.read_record(output / INPUTS) or inputs)
    unsaid = dict.fromkeys(existing | recipe, "the default") | dict.fromkeys(inputs, "not recorded")
    both = [{key: values.get(key, unsaid[key]) for key in unsaid} for values in (existing, recipe | inputs)]
    return records.is_current(output, *both, overwrite=False, option="--output_dir", whole=finished)


def _open_folder(output: Path, made_from: Inputs, overwrite: bool, asked: str | None) -> Path | None:
    """Make the run folder ready, by the first of several processes, and give the checkpoint to go on from, if any."""
    state = PartialState()
    if state.is_main_process:
        ownership.open_folder(output, TUNING_RUN)
        if overwrite:
            checkpoints.remove_all(output)
        if not _has_result(output):  # else that of the older run, whose recipe it has until it is replaced
            _write_recipe(output, made_from, overwrite)
    state.wait_for_everyone()
    checkpoint = checkpoint_to_go_on_from(output, made_from[1] | made_from[2], asked)
    if checkpoint is not None:
        print(f"going on from {checkpoint}", flush=True)
    return checkpoint


def _write_recipe(output: Path, made_from: Inputs, overwrite: bool) -> None:
    _, recipe, inputs = made_from
    texts = {RECIPE: yaml.safe_dump(recipe, sort_keys=False), INPUTS: json.dumps(inputs, indent=2) + "\n"}
    for name, text in texts.items():
        with ownership.writing_file(output / name, TUNING_RUN, overwrite) as temporary:
            temporary.write_text(text, encoding="utf-8")


def _auc_at(step: int | None, log: list[dict]) -> float:
    found = [entry["eval_auc"] for entry in log if entry["step"] == step and "eval_auc" in entry]
    if not found:
        raise ValueError(
            "The run ended before its first validation, so there is no best epoch to keep. Lower --eval_steps and --save_steps, or "
            "take --eval_strategy epoch and --save_strategy epoch."
        )
    return found[0]


def _recipe(options: TuningArguments, arguments: SFTConfig, max_length: int) -> dict:
    """Every option of ours, and those of SFTConfig that pin the weights and differ from their defaults, as they are used."""
    plain = sft_config(TuningConfig(output_dir="unused"))
    always = ("learning_rate", "weight_decay", "lr_scheduler_type", "num_train_epochs", "seed")
    used = {name: getattr(arguments, name) for name in OF_THE_RECIPE if name not in NOT_OF_TRL}
    used = {name: value for name, value in used.items() if name in always or value != getattr(plain, name)}
    values = {**asdict(options), "max_length": max_length, **used}
    del values["overwrite"], values["dry_run"]
    if not options.chat_template_kwargs:
        del values["chat_template_kwargs"]
    return {name: value.value if isinstance(value, Enum) else value for name, value in values.items()}


def _save(trainer: CheckpointingTrainer, tokenizer, output: Path, made_from: Inputs, overwrite: bool, record) -> None:
    """Replace the result, with its recipe, and then write the record, which says that the run is finished."""
    with ownership.writing_folder(output / RESULT, ADAPTER) as temporary:
        trainer.save_model(str(temporary))
        tokenizer.save_pretrained(temporary)
        (temporary / "training_args.bin").unlink(missing_ok=True)  # a pickle; the recipe says the same in text
        (temporary / "README.md").unlink(missing_ok=True)  # PEFT's empty form; model_cards/render.py writes the card
        write_base_record(temporary, made_from[0], made_from[1].get("chat_template_kwargs"))
        record |= {"sha256": {path.name: hash_file(path) for path in sorted(temporary.glob("*.safetensors"))}}
        ownership.remove(output, TUNING_RUN, [RECORD])  # of the older run: without it neither result is a finished one
        _write_recipe(output, made_from, overwrite)
    with ownership.writing_file(output / CURVE, TUNING_RUN, overwrite) as temporary:
        draw(record["log"], temporary)
    with ownership.writing_file(output / RECORD, TUNING_RUN, overwrite) as temporary:
        temporary.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    print(
        f"{output / RESULT}: validation AUC {record['best_validation_auc']:.4f} at step {record['best_step']}.",
        flush=True,
    )
