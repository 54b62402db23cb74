"""One tuning run: prompts → tokens → adapter of the best validation epoch, in one folder with its recipe and its curve."""

from __future__ import annotations

import json
import shutil
import time
from dataclasses import asdict
from itertools import chain
from pathlib import Path

import yaml
from accelerate import PartialState
from peft import LoraConfig
from transformers import EarlyStoppingCallback, PreTrainedTokenizerBase, set_seed
from transformers.trainer import TRAINER_STATE_NAME

from dataset_builders.prompts import pointwise
from dataset_builders.tables import hub, provenance, shots, store
from dataset_builders.text.tokens import answer_tokens, encode_completions, encode_prompts
from training.language_models.load import base_identity, load_base, load_tokenizer, write_base_record
from training.language_models.plain_base import require_readable
from training.loops.answers import AnswerTrainer, tokenized_rows
from training.tuning import requirements
from training.tuning.arguments import TuningArguments, TuningConfig
from training.tuning.curve import draw

RECIPE, INPUTS, RECORD, RESULT = "recipe.yaml", "inputs.json", "training.json", "adapter"
# Where a run writes, how it looks and how often: options that do not change the weights.
NOT_OF_THE_RECIPE = {
    "overwrite",
    "output_dir",
    "logging_steps",
    "save_total_limit",
    "disable_tqdm",
    "report_to",
    "run_name",
}


def tune(options: TuningArguments, config: TuningConfig, score, measure) -> None:
    """Train and keep the best epoch. score, measure: see `AnswerTrainer`."""
    needs = {key: getattr(options, key) for key in requirements.Needs.__dataclass_fields__}
    requirements.check(requirements.Needs(**needs))
    _require_validation(config)
    output = Path(config.output_dir)
    folder = hub.resolve(options.dataset, [options.config_name], options.dataset_revision)
    provenance.require_current(folder, options.config_name)
    identity = base_identity(options.base, options.base_revision)
    recipe = _recipe(options, config)
    inputs = {
        "base model": identity["weights"],
        "prompts": store.provenance(folder, options.config_name)["fingerprint"],
    }
    if not options.overwrite and _is_finished(output, recipe, inputs):
        print(f"{output / RESULT}: this recipe has been trained already, kept.", flush=True)
        return
    set_seed(config.seed)
    tokenizer = load_tokenizer(options.base, options.base_revision)
    train, validation, answers = _rows(folder, tokenizer, options, config)
    model = load_base(options.base, options.base_revision, options.dtype, options.quantization, for_training=True)
    require_readable(model, chain(train["input_ids"], validation["input_ids"]))
    trainer = AnswerTrainer(
        model=model,
        args=_without_preparation(config),
        train_dataset=train,
        eval_dataset=validation,
        processing_class=tokenizer,
        peft_config=None if options.full_finetuning else _lora(options),
        callbacks=[EarlyStoppingCallback(options.early_stopping_patience)],
        yes=answers.yes,
        score=lambda model, prompts: score(model, prompts, answers),
        measure=measure,
    )
    trainable = sum(p.numel() for p in trainer.model.parameters() if p.requires_grad)
    print(
        f"{len(train):,} training rows, {len(validation):,} validation samples, {trainable:,} trainable weights.",
        flush=True,
    )
    checkpoint = _open_folder(output, recipe, inputs, options.overwrite)
    begin = time.perf_counter()
    trainer.train(resume_from_checkpoint=checkpoint)
    record = {
        "trainable_weights": trainable,
        "training_rows": len(train),
        "training_samples": len(train) // shots.training_split(folder, options.config_name)[1],
        "training_tokens_per_epoch": sum(map(len, train["input_ids"])),
        "seconds": round(time.perf_counter() - begin, 1),
        "resumed": checkpoint is not None,
        "best_validation_auc": _auc_at(trainer.state.best_global_step, trainer.state.log_history),
        "best_step": trainer.state.best_global_step,
        "log": trainer.state.log_history,
    }
    if trainer.is_world_process_zero():
        _save(trainer, tokenizer, output, identity, record)
    trainer.accelerator.wait_for_everyone()


def _require_validation(config: TuningConfig) -> None:
    if config.eval_strategy == "no" or not config.load_best_model_at_end:
        raise ValueError(
            f"A run keeps the weights of its best validation AUC. Got --eval_strategy {config.eval_strategy.value} and "
            f"--load_best_model_at_end {str(config.load_best_model_at_end).lower()}; it needs epoch or steps, and true."
        )


def _rows(folder: Path, tokenizer: PreTrainedTokenizerBase, options: TuningArguments, config: TuningConfig):
    train = shots.first_shots(folder, options.config_name, options.num_shots)
    validation = shots.seeded_rows(folder, options.config_name, "validation", options.num_validation, config.seed)
    example = train["prompt"][0].as_py()
    completions = encode_completions(tokenizer, example, pointwise.ANSWERS)

    def tokenized(table):
        prompts = encode_prompts(tokenizer, table["prompt"].to_pylist(), config.max_length)
        return tokenized_rows(prompts, [completions[label] for label in table["label"].to_pylist()])

    return tokenized(train), tokenized(validation), answer_tokens(tokenizer, example, pointwise.ANSWERS)


def _lora(options: TuningArguments) -> LoraConfig:
    return LoraConfig(
        r=options.lora_r,
        lora_alpha=options.lora_alpha,
        lora_dropout=options.lora_dropout,
        target_modules=list(options.lora_target_modules),
        bias="none",
        task_type="CAUSAL_LM",
    )


def _without_preparation(config: TuningConfig) -> TuningConfig:
    """The rows are tokenized and within budget: TRL must neither tokenize nor cut them, nor push anything."""
    config.max_length = None
    config.dataset_kwargs = {"skip_prepare_dataset": True}
    config.remove_unused_columns = False
    config.shuffle_dataset = False
    config.push_to_hub = False  # else every checkpoint, with TRL's card; training/sft.py pushes what is finished
    config._n_gpu = (
        1  # one process, one GPU: Trainer would split a batch over all it sees, positions of the answers included
    )
    return config


def _is_finished(output: Path, recipe: dict, inputs: dict) -> bool:
    """Whether the folder holds the result of this very run. ValueError when it holds another run, or the beginning of one."""
    finished = (output / RESULT).exists()
    if not finished and _last_checkpoint(output) is None:
        return False
    wanted = {**recipe, **inputs}
    existing = dict(inputs)
    if (output / INPUTS).exists():
        existing = json.loads((output / INPUTS).read_text(encoding="utf-8"))
    if (output / RECIPE).exists():
        existing |= yaml.safe_load((output / RECIPE).read_text(encoding="utf-8"))
    for key in {**wanted, **existing}:
        got, asked = (values.get(key, "the default") for values in (existing, wanted))
        if got != asked:
            raise ValueError(
                f"{output} holds a run of another recipe or on other inputs: its {key} is {got!r}, asked for is {asked!r}. "
                f"Pass --overwrite true to start anew, or another --output_dir."
            )
    return finished


def _open_folder(output: Path, recipe: dict, inputs: dict, overwrite: bool) -> str | None:
    """Make the run folder ready, by the first of several processes, and give the checkpoint to go on from, if any."""
    state = PartialState()
    if state.is_main_process:
        if overwrite and (output / RECIPE).exists():  # and so a run folder
            shutil.rmtree(output)
        output.mkdir(parents=True, exist_ok=True)
        with store.replacing_file(output / RECIPE) as temporary:
            temporary.write_text(yaml.safe_dump(recipe, sort_keys=False), encoding="utf-8")
        with store.replacing_file(output / INPUTS) as temporary:
            temporary.write_text(json.dumps(inputs, indent=2) + "\n", encoding="utf-8")
    state.wait_for_everyone()
    checkpoint = _last_checkpoint(output)
    if checkpoint is not None:
        print(f"going on from {checkpoint}", flush=True)
    return checkpoint


def _last_checkpoint(output: Path) -> str | None:
    """The newest whole checkpoint. One that was being written when its run was killed lacks the trainer's state, its last file."""

    def is_whole(checkpoint: Path) -> bool:
        try:
            json.loads((checkpoint / TRAINER_STATE_NAME).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return False
        return True

    whole = [path for path in output.glob("checkpoint-*") if is_whole(path)]
    return str(max(whole, key=lambda path: int(path.name.rpartition("-")[2]))) if whole else None


def _auc_at(step: int | None, log: list[dict]) -> float:
    found = [entry["eval_auc"] for entry in log if entry["step"] == step and "eval_auc" in entry]
    if not found:
        raise ValueError(
            "The run ended before its first validation, so there is no best epoch to keep. Lower --eval_steps and --save_steps, or "
            "take --eval_strategy epoch and --save_strategy epoch."
        )
    return found[0]


def _recipe(options: TuningArguments, config: TuningConfig) -> dict:
    """Every option of ours, and those of SFTConfig that differ from its defaults: what pins the weights."""
    plain = TuningConfig(output_dir="unused")
    changed = {
        name: value
        for name, value in vars(config).items()
        if not name.startswith("_")
        and isinstance(value, (int, float, str, bool, list, dict))
        and value != getattr(plain, name, None)
    }
    paper = ("learning_rate", "weight_decay", "lr_scheduler_type", "num_train_epochs", "max_length", "seed")
    values = {**asdict(options), **{name: getattr(config, name) for name in paper}, **changed}
    return {
        name: value.value if hasattr(value, "value") else value
        for name, value in values.items()
        if name not in NOT_OF_THE_RECIPE and not name.startswith(("hub_", "push_to_hub"))  # a token is no recipe
    }


def _save(trainer: AnswerTrainer, tokenizer, output: Path, identity: dict, record: dict) -> None:
    """Write record and curve, and then the result, which says that the run is finished."""
    with store.replacing_file(output / RECORD) as temporary:
        temporary.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    draw(record["log"], output / "training.png")
    with store.replacing(output / RESULT) as temporary:
        trainer.save_model(str(temporary))
        tokenizer.save_pretrained(temporary)
        (temporary / "training_args.bin").unlink(missing_ok=True)  # a pickle; the recipe says the same in text
        (temporary / "README.md").unlink(missing_ok=True)  # PEFT's empty form; model_cards/render.py writes the card
        write_base_record(temporary, identity)
    print(
        f"{output / RESULT}: validation AUC {record['best_validation_auc']:.4f} at step {record['best_step']}.",
        flush=True,
    )
