"""One run of a hybrid system: prompts → tokens → LoRA and projector of the best validation epoch, with the item vectors beside them."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from pathlib import Path

import torch
import yaml
from accelerate import PartialState
from peft import LoraConfig
from transformers import EarlyStoppingCallback, set_seed
from trl import SFTConfig

from rella_hub.cli.options import pinning, pinning_defaults, recipe
from rella_hub.figures import draw_curve
from rella_hub.files import ownership, places
from rella_hub.files.hashes import hash_file
from rella_hub.files.replace import temporary_beside
from rella_hub.files.writer import sole_writer
from rella_hub.hub import resolve as hub
from rella_hub.language_models.item_prompts import ItemPrompts
from rella_hub.language_models.load import base_identity, load_base, load_tokenizer, write_base_record
from rella_hub.language_models.p_yes import Budget
from rella_hub.language_models.projector import LAYERS, add_items, initialize
from rella_hub.language_models.room import room_of
from rella_hub.prompts.choosing.next_item import VERSION
from rella_hub.systems.adapter import checkpoints, requirements
from rella_hub.systems.adapter.config import TuningConfig
from rella_hub.systems.adapter.resume import MadeFrom, checkpoint_to_go_on_from
from rella_hub.systems.adapter.trainer_arguments import sft_config
from rella_hub.systems.hybrid.items import save_items
from rella_hub.systems.hybrid.options import MARK, READS, RESULT, RUN, Options
from rella_hub.systems.hybrid.questions import Hybrid, require_questions
from rella_hub.systems.hybrid.rows import RowMaker
from rella_hub.systems.hybrid.trainer import HybridTrainer
from rella_hub.systems.sequential.items import ItemTable, read_item_table
from rella_hub.tables import records, store
from rella_hub.tables.runs import CURVE, INPUTS, RECIPE, RECORD, public_name

SHARED = (  # options that are TRL's, under the same name
    *("output_dir", "num_train_epochs", "per_device_train_batch_size", "gradient_accumulation_steps", "learning_rate"),
    *(
        "warmup_steps",
        "weight_decay",
        "max_grad_norm",
        "seed",
        "use_cpu",
        "activation_checkpointing",
        "save_total_limit",
    ),
    *("logging_steps", "resume_from_checkpoint"),
)
PROJECTOR_LINEAR = [f"{LAYERS}.0", f"{LAYERS}.2"]  # they are trained whole, and get no LoRA
NAMES_A_PLACE = ("base_model_name_or_path", "revision")  # base_model.json says the base
OF_PEFT = ("adapter_config.json", "README.md")  # what PEFT writes beside the weights; llara.json says the same


@dataclass(frozen=True)
class Inputs:
    folder: Path  # of the data set
    table: ItemTable | None  # of the recommender
    base: dict  # its identity
    made_from: dict  # everything that pins the result


def train(options: Options) -> None:
    """Leave the run of `options` in its folder, unless it is there already."""
    arguments = sft_arguments(options)
    output = Path(options.output_dir)
    places.check_own_folder(output, "--output_dir", reads=[options.dataset, options.base, options.recommender])
    ownership.require_own_folder(output, RUN)
    checkpoints.require_own(output)
    requirements.check(
        requirements.Needs(
            **{key: getattr(options, key) for key in requirements.Needs.__dataclass_fields__ if hasattr(options, key)}
        )
    )
    requirements.check_layers(options.base, options.base_revision, options.lora_target_modules)
    inputs = _inputs(options)
    finished = records.read_record(output / RECORD)
    existing = finished or records.read_record(output / INPUTS)
    defaults = {"recipe": pinning_defaults(Options)}
    if existing is not None and records.is_current(
        output, existing, inputs.made_from, options.overwrite, "--output_dir", finished is not None, defaults
    ):
        return
    with sole_writer(output, beside=True), temporary_beside(output.with_name(f"{output.name}.rows")) as scratch:
        _train(options, arguments, inputs, scratch)


def sft_arguments(options: Options) -> SFTConfig:
    """Adam with a linear warm-up and a cosine, from and to `lowest_rate` of the highest rate. Source: LLaRA, released code."""
    same = {name: getattr(options, name) for name in SHARED}
    rates = {"min_lr_rate": options.lowest_rate, "warmup_lr_rate": options.lowest_rate}
    several = (
        {"ddp_find_unused_parameters": True} if PartialState().num_processes > 1 else {}
    )  # text steps leave the projector out
    arguments = sft_config(
        TuningConfig(**same, lr_scheduler_type="cosine_warmup_with_min_lr", lr_scheduler_kwargs=rates, **several)
    )
    arguments.metric_for_best_model, arguments.greater_is_better = options.metric_for_best_model, True
    return arguments


def _inputs(options: Options) -> Inputs:
    folder = hub.resolve(
        options.dataset, [options.config_name, "items", "samples", "interactions"], options.dataset_revision
    )
    require_questions(folder, options.config_name)
    records.require_current(folder, options.config_name)
    table = read_item_table(options.recommender, options.recommender_revision) if options.recommender else None
    if table is not None:
        table.require_same_items(folder)
    base = base_identity(options.base, options.base_revision)
    made_from = {
        "corpus": store.made_from(folder, "items")["corpus"],
        "inputs": records.input_fingerprints(folder, [options.config_name, "items"]),
        "base": {key: base[key] for key in ("weights", "config", "tokenizer")} | {"name": public_name(options.base)},
        "recommender": None if table is None else table.identity,
        "prompt_version": VERSION,
        "recipe": pinning(options),
    }
    return Inputs(folder, table, base, made_from)


def _train(options: Options, arguments: SFTConfig, inputs: Inputs, scratch: Path) -> None:
    output = Path(options.output_dir)
    set_seed(options.seed)
    tokenizer = load_tokenizer(options.base, options.base_revision)
    model = load_base(
        *(options.base, options.base_revision, options.dtype, options.quantization), use_cpu=options.use_cpu
    )
    reader = ItemPrompts.of(tokenizer, options.base, room_of(model), options.max_length, options.chat_template_kwargs)
    hybrid = None if inputs.table is None else Hybrid.of(inputs.folder, inputs.table)
    maker = RowMaker(inputs.folder, options.config_name, reader, hybrid)
    rows, lengths = maker.train(scratch, options.curriculum, options.num_shots)
    validation = maker.validation(options.num_validation, options.seed)
    if inputs.table is not None:
        initialize(add_items(model, torch.from_numpy(inputs.table.vectors)).projector, options.seed)
    trainer = HybridTrainer(
        model=model,
        args=arguments,
        train_dataset=rows,
        eval_dataset=rows.select([]),  # TRL asks for one; validation has its own
        processing_class=tokenizer,
        peft_config=lora(options),
        callbacks=[EarlyStoppingCallback(options.early_stopping_patience), MadeFrom(inputs.made_from)],
        lengths=lengths,
        curriculum=options.curriculum,
        validation=validation,
        budget=Budget(options.tokens_per_batch),
        kept=options.save_total_limit,
    )
    trainable = sum(p.numel() for p in trainer.model.parameters() if p.requires_grad)
    print(
        f"{lengths.shape[1]:,} training samples, {len(validation.prompts):,} validation samples, {trainable:,} trainable weights; "
        f"{int(trainer.hybrid_steps.sum()):,} of {len(trainer.hybrid_steps):,} optimizer steps read item vectors.",
        flush=True,
    )
    checkpoint = _open_folder(output, options, inputs)
    begin = time.perf_counter()
    trainer.train(resume_from_checkpoint=checkpoint and str(checkpoint))
    best = trainer.state.best_global_step
    record = inputs.made_from | {
        "trainable_weights": trainable,
        "training_samples": lengths.shape[1],
        "validation_samples": len(validation.prompts),
        "longest_prompt": int(lengths.max()),
        "hybrid_steps": int(trainer.hybrid_steps.sum()),
        "steps": len(trainer.hybrid_steps),
        "seconds": round(time.perf_counter() - begin, 1),
        "resumed": checkpoint is not None,
        "best_step": best,
        "best_validation": next(
            {key.removeprefix("eval_"): value for key, value in entry.items() if key.startswith("eval_")}
            for entry in trainer.state.log_history
            if entry["step"] == best and "eval_ndcg" in entry
        ),
        "log": trainer.state.log_history,
    }
    if trainer.is_world_process_zero():
        _save(trainer, output, options, inputs, record)
    trainer.accelerator.wait_for_everyone()


def lora(options: Options) -> LoraConfig:
    """LoRA on the linear layers of the base, and the projector, trained whole, in the same file."""
    wanted, hybrid = options.lora_target_modules, options.recommender is not None
    return LoraConfig(
        r=options.lora_r,
        lora_alpha=options.lora_alpha,
        lora_dropout=options.lora_dropout,
        target_modules=requirements.ALL_LINEAR if wanted == [requirements.ALL_LINEAR] else wanted,
        exclude_modules=PROJECTOR_LINEAR if hybrid else None,
        modules_to_save=[LAYERS] if hybrid else None,
        bias="none",
        task_type="CAUSAL_LM",
    )


def _open_folder(output: Path, options: Options, inputs: Inputs) -> Path | None:
    """Make the run folder ready, by the first of several processes, and give the checkpoint to go on from, if any."""
    state = PartialState()
    if state.is_main_process:
        ownership.open_folder(output, RUN)
        if options.overwrite:
            checkpoints.remove_all(output)
        with ownership.writing_file(output / INPUTS, RUN, True) as temporary:
            temporary.write_text(json.dumps(inputs.made_from, indent=2) + "\n", encoding="utf-8")
    state.wait_for_everyone()
    checkpoint = checkpoint_to_go_on_from(output, inputs.made_from, options.resume_from_checkpoint, {})
    if checkpoint is not None:
        print(f"going on from {checkpoint}", flush=True)
    return checkpoint


def _save(trainer: HybridTrainer, output: Path, options: Options, inputs: Inputs, record: dict) -> None:
    """Replace the result, and then write the record, which says that the run is finished."""
    with ownership.writing_folder(output / RESULT, RUN) as temporary:
        trainer.accelerator.unwrap_model(trainer.model).save_pretrained(temporary)
        settings = json.loads((temporary / OF_PEFT[0]).read_text(encoding="utf-8"))
        settings = {key: value for key, value in settings.items() if value and key not in NAMES_A_PLACE}
        for name in OF_PEFT:
            (temporary / name).unlink(missing_ok=True)
        write_base_record(temporary, inputs.base | {"name": options.base}, options.chat_template_kwargs)
        if inputs.table is not None:
            save_items(inputs.table, temporary)
        mark = {
            "corpus": inputs.made_from["corpus"],
            "config_name": options.config_name,
            "curriculum": options.curriculum,
            "max_length": options.max_length,
            "prompt_version": VERSION,
            "num_shots": options.num_shots,
            "training_samples": record["training_samples"],
            "recommender": inputs.made_from["recommender"],
            "sha256": {path.name: hash_file(path) for path in sorted(temporary.glob("*.safetensors"))},
            "lora": settings,
        }
        (temporary / MARK).write_text(json.dumps(mark, indent=2) + "\n", encoding="utf-8")
        record |= {"sha256": {path.name: hash_file(path) for path in sorted(temporary.iterdir())}}
        ownership.remove(output, RUN, [RECORD])  # of an older run
    texts = {
        RECIPE: yaml.safe_dump(recipe(options, READS), sort_keys=False),
        RECORD: json.dumps(record, indent=2) + "\n",
    }
    with ownership.writing_file(output / CURVE, RUN, True) as temporary:
        steps = [(entry["step"], entry["loss"]) for entry in record["log"] if "loss" in entry]
        validated = [(entry["step"], entry["eval_hit_ratio"]) for entry in record["log"] if "eval_hit_ratio" in entry]
        draw_curve(
            temporary,
            "optimizer step",
            "training loss per answer token",
            {"training": steps},
            validated,
            titled="validation HitRatio@1",
        )
    for name, text in texts.items():
        with ownership.writing_file(output / name, RUN, True) as temporary:
            temporary.write_text(text, encoding="utf-8")
    best = record["best_validation"]
    print(
        f"{output / RESULT}: validation HitRatio@1 {best['hit_ratio']:.4f} at step {record['best_step']}.", flush=True
    )
