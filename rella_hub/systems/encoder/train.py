"""Train CTR-BERT or PTab on the tables of a data set and leave a run folder that says all of it."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file

from rella_hub.cli.options import pinning
from rella_hub.files import ownership, places
from rella_hub.files.writer import sole_writer
from rella_hub.hub import resolve as hub
from rella_hub.language_models.load import number_format
from rella_hub.systems import checkpoint
from rella_hub.systems.checkpoint import Kept, Progress, Running
from rella_hub.systems.encoder.inputs import SIDES, TABLES, Samples, Seen, Side, open_sides, read_samples
from rella_hub.systems.encoder.loop import adamw, learn_epoch, validate
from rella_hub.systems.encoder.masked import Masking, adapt
from rella_hub.systems.encoder.network import Classifier, Computing
from rella_hub.systems.encoder.options import MARK, READS, RESULT, RUN, Options
from rella_hub.systems.encoder.pretrained import load_masked, load_towers, without_pooler
from rella_hub.systems.encoder.text import VERSION
from rella_hub.systems.encoder.tokens import Budget, require_positions
from rella_hub.systems.epochs import CHECKPOINT, is_finished, outcome, peak_memory, run_epochs, write_records
from rella_hub.systems.whole_run import WEIGHTS
from rella_hub.tables import records, store
from rella_hub.tables.runs import public_name
from rella_hub.tables.shots import sample_ids, seeded_ids
from rella_hub.vectors.encode import encoder_revision

MASKED_CHECKPOINT = "masked_checkpoint"


def train(options: Options) -> None:
    """Leave the run of `options` in its folder, unless it is there already."""
    output = Path(options.output_dir)
    places.check_replaced_folder(output, "--output_dir", reads=[options.dataset, options.encoder])
    folder = hub.resolve(options.dataset, list(TABLES), options.dataset_revision)
    record = {
        "corpus": store.made_from(folder, "samples")["corpus"],
        "inputs": records.input_fingerprints(folder, list(TABLES)),
        "encoder": {
            "name": public_name(options.encoder),
            "revision": encoder_revision(options.encoder, options.encoder_revision),
        },
        "text_version": VERSION,
        "recipe": pinning(options),
    }
    if is_finished(output, RUN, record, options, (CHECKPOINT, MASKED_CHECKPOINT)):
        return
    with sole_writer(output, beside=True):
        _train(options, folder, output, record)


def _train(options: Options, folder: Path, output: Path, record: dict) -> None:
    seen = Seen(
        options.model,
        record["corpus"],
        options.ids_in_text,
        options.history_length if options.history_in_text else 0,
    )
    sides = open_sides(folder, seen)
    how = Computing(
        torch.device("cuda" if torch.cuda.is_available() else "cpu"),
        number_format(options.dtype),
        options.tokens_per_batch,
        options.activation_checkpointing,
    )
    torch.manual_seed(options.seed)
    towers, budget, read, masking = _begin(options, folder, sides, output, record, how)
    torch.manual_seed(options.seed)
    model = Classifier(towers, budget.tokenizer.pad_token_id, options.hidden_size, options.dropout).to(how.device)
    weights = sum(parameter.numel() for parameter in model.parameters())
    print(
        f"{options.model}: {weights:,} weights, {len(read['train']):,} training and {len(read['validation']):,} validation samples; "
        f"{_texts_in_words(read['train'])}.",
        flush=True,
    )
    order = torch.Generator().manual_seed(options.seed)
    optimizer = adamw(model.parameters(), options.learning_rate, options.weight_decay, how.device)
    running = Running(model, optimizer, order, copy.deepcopy(model.state_dict()), Progress())
    run_epochs(
        *(running, options, Kept(output / CHECKPOINT, record)),
        learn=lambda epoch: learn_epoch(model, read["train"], optimizer, order, epoch, options, how),
        validate=lambda: validate(model, read["validation"], how),
    )
    model.load_state_dict(running.best)
    progress = running.progress
    record |= {
        "weights": weights,
        "training_samples": len(read["train"]),
        "validation_samples": len(read["validation"]),
        "texts": {split: _counted(samples) for split, samples in read.items()},
        **({"masking": masking} if masking else {}),
        "peak_memory_bytes": peak_memory(),
        **outcome(progress),
        "seconds": round(progress.seconds + masking.get("seconds", 0), 1),
    }
    with ownership.writing_folder(output, RUN) as temporary:
        _save(temporary, model.cpu(), budget, seen, options, record)
    for name in (CHECKPOINT, MASKED_CHECKPOINT):
        checkpoint.remove(output / name)
    print(f"{output}: epoch {progress.best_epoch} of {progress.epoch} kept, {record['seconds']:.0f} s.", flush=True)


def _begin(
    options: Options, folder: Path, sides: tuple[Side, ...], output: Path, record: dict, how: Computing
) -> tuple[dict, Budget, dict[str, Samples], dict]:
    """The towers to start from, how texts are read, the samples of train and validation, and how PTab's first stage went."""
    ids = {
        "train": sample_ids(folder, "train", options.num_shots),
        "validation": seeded_ids(folder, "validation", options.num_validation, options.seed),
    }
    label = store.read(folder, "interactions", columns=["label"])["label"].to_numpy().astype(np.int8)

    def read(tokenizer) -> tuple[Budget, dict[str, Samples]]:
        budget = Budget(tokenizer, options.max_length, options.truncation)
        found = {split: read_samples(sides, chosen, budget, label) for split, chosen in ids.items()}
        ownership.open_folder(output, RUN)
        return budget, found

    if options.model != "ptab":
        towers, tokenizer = load_towers(options.encoder, options.encoder_revision, SIDES[options.model])
        require_positions(next(iter(towers.values())), options.encoder, options.max_length)
        return towers, *read(tokenizer), {}
    masked, tokenizer, is_new = load_masked(options.encoder, options.encoder_revision)
    require_positions(masked, options.encoder, options.max_length)
    budget, samples = read(tokenizer)
    order = torch.Generator().manual_seed(options.seed)
    optimizer = adamw(masked.to(how.device).parameters(), options.mlm_learning_rate, options.weight_decay, how.device)
    running = Running(masked, optimizer, order, {}, Progress())
    (rows,) = samples["train"].sides
    masking = Masking(tokenizer, options.mlm_probability, order)
    adapt(running, rows.tokens, masking, options, how, Kept(output / MASKED_CHECKPOINT, record))
    stage = {"head_is_new": is_new, "seconds": round(running.progress.seconds, 1), "log": running.progress.log}
    return {rows.name: without_pooler(masked.base_model)}, budget, samples, stage


def _counted(samples: Samples) -> dict[str, dict[str, int]]:
    """Of each side the distinct texts, their tokens, the longest, and how many were cut."""
    return {
        side.name: {
            "texts": len(side.tokens),
            "tokens": len(side.tokens.ids),
            "longest": int(side.tokens.lengths.max()),
            "cut": side.tokens.cut,
        }
        for side in samples.sides
    }


def _texts_in_words(samples: Samples) -> str:
    return ", ".join(
        f"{found['texts']:,} distinct {name} texts of {found['tokens'] / found['texts']:.0f} tokens in the mean, {found['longest']} at most"
        + (f", {found['cut']:,} of them cut" if found["cut"] else "")
        for name, found in _counted(samples).items()
    )


def _save(folder: Path, model: Classifier, budget: Budget, seen: Seen, options: Options, record: dict) -> None:
    result = folder / RESULT
    result.mkdir()
    next(iter(model.towers.values())).config.save_pretrained(result)
    budget.tokenizer.save_pretrained(result)
    save_file({name: value.contiguous() for name, value in model.state_dict().items()}, result / WEIGHTS)
    text = {
        "model": seen.model,
        "corpus": seen.corpus,
        "encoder": record["encoder"]["name"],
        "ids_in_text": seen.ids_in_text,
        "history_length": seen.history_length,
        "max_length": budget.max_length,
        "truncation": budget.truncation,
        "text_version": VERSION,
        "hidden_size": options.hidden_size,
        "num_shots": options.num_shots,
        "training_samples": record["training_samples"],
    }
    (result / MARK).write_text(json.dumps(text, indent=2) + "\n", encoding="utf-8")
    write_records(folder, RESULT, options, READS, record)
