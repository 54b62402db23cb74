"""A student of rationales: an adapter that is tuned to write, not to answer Yes or No.

Its rows have answers of their own, so validation is how likely a token of the teacher's is to it, the geometric mean; all else is a tuning
run as any other: the same options, trainer, checkpoints and run folder. It is no system that is scored: dataset_builders/rationalize.py
lets it write.

Source: SLIM (arXiv 2403.04260), section 3.2: token-level negative log-likelihood of the teacher's rationale. LoRA's rank, the learning rate
and the epochs are open there.
"""

from __future__ import annotations

import json
import math
import time
from pathlib import Path

import numpy as np
import torch
import yaml
from datasets import Dataset
from transformers import EarlyStoppingCallback, set_seed

from rella_hub.cards.templates import fill
from rella_hub.cli.options import pinning, pinning_defaults, recipe
from rella_hub.files import ownership, places
from rella_hub.files.hashes import hash_file
from rella_hub.files.replace import temporary_beside
from rella_hub.files.writer import sole_writer
from rella_hub.hub import resolve as hub
from rella_hub.language_models.answer_rows import IGNORED, lengths_of, require_room_for_rows
from rella_hub.language_models.answers import collate
from rella_hub.language_models.load import base_identity, load_base, load_tokenizer, write_base_record
from rella_hub.language_models.room import room_of
from rella_hub.systems.adapter import checkpoints, requirements
from rella_hub.systems.adapter.checkpoints import CheckpointingTrainer
from rella_hub.systems.adapter.options import READS, RESULT, RUN, Options
from rella_hub.systems.adapter.resume import MadeFrom
from rella_hub.systems.adapter.run_folder import draw_log, open_plain_folder
from rella_hub.systems.adapter.student_rows import Texts
from rella_hub.systems.adapter.train import lora_of
from rella_hub.systems.adapter.trainer_arguments import sft_config
from rella_hub.tables import records, shots, store
from rella_hub.tables.runs import CURVE, INPUTS, RECIPE, RECORD, public_name

ADAPTER, METRIC = "adapter", "token_likelihood"


class StudentTrainer(CheckpointingTrainer):
    """CheckpointingTrainer over texts; every process validates on all of them."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, yes=-1, score=None, measure=None, **kwargs)

    def evaluate(self, eval_dataset=None, ignore_keys=None, metric_key_prefix="eval") -> dict[str, float]:
        model, samples, total, tokens = self.model, self.eval_dataset, 0.0, 0
        assert isinstance(samples, Dataset)
        model.eval()
        with torch.inference_mode():
            for begin in range(0, len(samples), self.args.per_device_eval_batch_size):
                rows = samples[begin : begin + self.args.per_device_eval_batch_size]
                batch = collate([dict(zip(rows, row, strict=True)) for row in zip(*rows.values(), strict=True)])
                batch = {name: values.to(self.args.device) for name, values in batch.items()}
                count = int((batch["labels"][:, 1:] != IGNORED).sum())
                total += float(self.compute_loss(model, batch)) * count
                tokens += count
        model.train()
        metrics = {f"{metric_key_prefix}_{METRIC}": math.exp(-total / tokens)}
        self.log(metrics)
        self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, metrics)
        return metrics


def train(options: Options) -> None:
    """Train, and keep the epoch to which the teacher's validation rationales are likeliest."""
    arguments = sft_config(options)
    arguments.metric_for_best_model, arguments.greater_is_better = METRIC, True
    _check(options)
    output = Path(options.output_dir)
    places.check_own_folder(output, "--output_dir", reads=[options.dataset, options.base])
    ownership.require_own_folder(output, RUN)
    checkpoints.require_own(output)
    folder = hub.resolve(options.dataset, [options.config_name], options.dataset_revision)
    records.require_current(folder, options.config_name)
    base = base_identity(options.base, options.base_revision)
    made_from = {
        "corpus": store.made_from(folder, options.config_name)["corpus"],
        "inputs": records.input_fingerprints(folder, [options.config_name]),
        "base": {key: base[key] for key in ("weights", "config", "tokenizer")} | {"name": public_name(options.base)},
        "recipe": pinning(options),
    }
    finished = records.read_record(output / RECORD)
    existing = finished or records.read_record(output / INPUTS)
    defaults = {"recipe": pinning_defaults(Options)}
    if records.is_current(
        output, existing, made_from, options.overwrite, "--output_dir", finished is not None, defaults
    ):
        return
    with sole_writer(output, beside=True), temporary_beside(output.with_name(f"{output.name}.rows")) as scratch:
        _train(options, arguments, folder, base, made_from, scratch)


def _check(options: Options) -> None:
    needs = {key: getattr(options, key) for key in requirements.Needs.__dataclass_fields__}
    requirements.check(requirements.Needs(**needs))
    if options.full_finetuning or options.dry_run:
        given = "full_finetuning" if options.full_finetuning else "dry_run"
        raise ValueError(f"--{given} true is not taken for a student of rationales. Leave it out.")
    requirements.check_layers(options.base, options.base_revision, options.lora_target_modules)


def _train(options: Options, arguments, folder: Path, base: dict, made_from: dict, scratch: Path) -> None:
    output = Path(options.output_dir)
    set_seed(options.seed)
    tokenizer = load_tokenizer(options.base, options.base_revision)
    texts = Texts(folder, options.config_name, tokenizer, options)
    count = shots.count_shots(folder, options.config_name, options.num_shots)[1]
    chosen = shots.seeded_numbers(folder, options.config_name, "validation", options.num_validation, options.seed)
    rows = texts.rows(scratch / "train.arrow", "train", np.arange(count))
    validation = texts.rows(scratch / "validation.arrow", "validation", chosen)
    model = load_base(
        *(options.base, options.base_revision, options.dtype, options.quantization), use_cpu=options.use_cpu
    )
    for one in (rows, validation):
        require_room_for_rows(room_of(model), options.base, one, ())
    trainer = StudentTrainer(
        model=model,
        args=arguments,
        train_dataset=rows,
        eval_dataset=validation,
        processing_class=tokenizer,
        peft_config=lora_of(options),
        callbacks=[EarlyStoppingCallback(options.early_stopping_patience), MadeFrom(made_from)],
        kept=options.save_total_limit,
    )
    checkpoint = open_plain_folder(output, RUN, made_from, options.overwrite, options.resume_from_checkpoint)
    begin = time.perf_counter()
    trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    best = trainer.state.best_global_step
    found = [entry for entry in trainer.state.log_history if entry["step"] == best and f"eval_{METRIC}" in entry]
    if not found:
        raise ValueError(
            "The run ended before its first validation. Lower --eval_steps and --save_steps, or take epochs."
        )
    record = made_from | {
        "trainable_weights": sum(p.numel() for p in trainer.model.parameters() if p.requires_grad),
        "training_samples": len(rows),
        "validation_samples": len(validation),
        "training_tokens_per_epoch": int(lengths_of(rows).sum()),
        "seconds": round(time.perf_counter() - begin, 1),
        "resumed": checkpoint is not None,
        "best_step": best,
        "best_validation": {METRIC: found[0][f"eval_{METRIC}"]},
        "log": trainer.state.log_history,
    }
    if trainer.is_world_process_zero():
        _save(trainer, tokenizer, folder, base, options, record)
    trainer.accelerator.wait_for_everyone()


def _save(trainer: StudentTrainer, tokenizer, folder: Path, base: dict, options: Options, record: dict) -> None:
    """Replace the result with its card, and then write the record, which says that the run is finished."""
    output = Path(options.output_dir)
    with ownership.writing_folder(output / RESULT, ADAPTER) as temporary:
        trainer.save_model(str(temporary))
        tokenizer.save_pretrained(temporary)
        (temporary / "training_args.bin").unlink(missing_ok=True)  # a pickle; the recipe says the same in text
        write_base_record(temporary, base, options.chat_template_kwargs or None)
        record |= {"sha256": {path.name: hash_file(path) for path in sorted(temporary.glob("*.safetensors"))}}
        (temporary / "README.md").write_text(_card(folder, options, record), encoding="utf-8")
        ownership.remove(output, RUN, [RECORD])
    values = recipe(options, READS)
    with ownership.writing_file(output / RECIPE, RUN, True) as temporary:
        temporary.write_text(yaml.safe_dump(values, sort_keys=False), encoding="utf-8")
    with ownership.writing_file(output / CURVE, RUN, True) as temporary:
        draw_log(temporary, record["log"], METRIC, "token likelihood", loss="training loss per token")
    with ownership.writing_file(output / RECORD, RUN, True) as temporary:
        temporary.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    likely = record["best_validation"][METRIC]
    print(
        f"{output / RESULT}: a token of the teacher has the likelihood {likely:.4f} at step {record['best_step']}.",
        flush=True,
    )


def _card(folder: Path, options: Options, record: dict) -> str:
    """The data set of rationales that the prompts are made of says who their teacher is."""
    table = next(
        name for name in store.made_from(folder, options.config_name)["inputs"] if name.startswith("rationales_")
    )
    taught = store.provenance(folder, table)
    return fill(
        "student.md.jinja",
        base=record["base"]["name"],
        dataset=public_name(options.dataset),
        corpus=record["corpus"],
        teacher=taught["teacher"]["name"] if taught else None,
        record=record,
        options=options,
        metric=METRIC,
    )
