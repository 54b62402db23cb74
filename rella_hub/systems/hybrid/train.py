"""One run of a hybrid system: prompts → tokens → LoRA and projector of the best validation epoch, with the item vectors beside them."""

from __future__ import annotations

import time
from contextlib import ExitStack
from pathlib import Path

import torch
from accelerate import PartialState
from transformers import EarlyStoppingCallback, set_seed
from trl import SFTConfig

from rella_hub.cli.options import pinning_defaults
from rella_hub.files import ownership, places
from rella_hub.files.replace import temporary_beside
from rella_hub.files.writer import sole_writer
from rella_hub.language_models.item_prompts import ItemPrompts
from rella_hub.language_models.load import load_base, load_tokenizer
from rella_hub.language_models.p_yes import Budget
from rella_hub.language_models.projector import LAYERS, add_items, initialize
from rella_hub.language_models.room import room_of
from rella_hub.systems.adapter import checkpoints, requirements
from rella_hub.systems.adapter.config import TuningConfig
from rella_hub.systems.adapter.resume import MadeFrom
from rella_hub.systems.adapter.run_folder import open_plain_folder
from rella_hub.systems.adapter.train import lora_of
from rella_hub.systems.adapter.trainer_arguments import sft_config
from rella_hub.systems.hybrid.options import RUN, Options
from rella_hub.systems.hybrid.questions import Hybrid
from rella_hub.systems.hybrid.rows import RowMaker
from rella_hub.systems.hybrid.run_folder import Inputs, inputs_of, save
from rella_hub.systems.hybrid.trainer import HybridTrainer
from rella_hub.tables import records
from rella_hub.tables.runs import INPUTS, RECORD

SHARED = (  # options that are TRL's, under the same name
    *("output_dir", "num_train_epochs", "per_device_train_batch_size", "gradient_accumulation_steps", "learning_rate"),
    *("warmup_steps", "weight_decay", "max_grad_norm", "seed", "use_cpu", "activation_checkpointing"),
    *("save_total_limit", "logging_steps", "resume_from_checkpoint"),
)
PROJECTOR_LINEAR = [f"{LAYERS}.0", f"{LAYERS}.2"]  # they are trained whole, and get no LoRA


def train(options: Options) -> None:
    """Leave the run of `options` in its folder, unless it is there already."""
    arguments = sft_arguments(options)
    output = Path(options.output_dir)
    places.check_own_folder(output, "--output_dir", reads=[options.dataset, options.base, options.recommender])
    ownership.require_own_folder(output, RUN)
    checkpoints.require_own(output)
    same = {key: getattr(options, key) for key in requirements.Needs.__dataclass_fields__ if hasattr(options, key)}
    requirements.check(requirements.Needs(**same))
    requirements.check_layers(options.base, options.base_revision, options.lora_target_modules)
    inputs = inputs_of(options)
    finished = records.read_record(output / RECORD)
    existing = finished or records.read_record(output / INPUTS)
    defaults = {"recipe": pinning_defaults(Options)}
    if existing is not None and records.is_current(
        output, existing, inputs.made_from, options.overwrite, "--output_dir", finished is not None, defaults
    ):
        return
    with ExitStack() as held:
        if PartialState().is_main_process:
            held.enter_context(sole_writer(output, beside=True))
        scratch = temporary_beside(output.with_name(f"{output.name}.rows"))  # of each process its own
        _train(options, arguments, inputs, held.enter_context(scratch))


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
        peft_config=lora_of(options, PROJECTOR_LINEAR, [LAYERS]) if options.recommender else lora_of(options),
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
    checkpoint = open_plain_folder(output, RUN, inputs.made_from, options.overwrite, options.resume_from_checkpoint)
    begin = time.perf_counter()
    trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
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
        save(trainer.accelerator.unwrap_model(trainer.model), output, options, inputs, record)
    trainer.accelerator.wait_for_everyone()
