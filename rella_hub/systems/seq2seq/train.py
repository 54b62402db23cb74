"""Train P5 on the tables of a data set and leave a run folder that says all of it."""

from __future__ import annotations

import copy
import json
import resource
from pathlib import Path

import numpy as np
import torch
import yaml

from rella_hub.cli.options import pinning, pinning_defaults, recipe, without_places
from rella_hub.figures import draw_curve
from rella_hub.files import ownership, places
from rella_hub.files.hashes import hash_file
from rella_hub.files.writer import sole_writer
from rella_hub.hub import resolve as hub
from rella_hub.language_models.load import base_identity, number_format
from rella_hub.systems import checkpoint
from rella_hub.systems.checkpoint import Kept, Progress, Running
from rella_hub.systems.epochs import run_epochs
from rella_hub.systems.seq2seq.inputs import TABLES, Rows, Samples, Seen, number_ids, read_samples
from rella_hub.systems.seq2seq.language import Language, load_t5, pretrained_on
from rella_hub.systems.seq2seq.loop import Computing, adamw, learn_epoch, validate
from rella_hub.systems.seq2seq.network import P5
from rella_hub.systems.seq2seq.options import MARK, READS, RESULT, RUN, Options
from rella_hub.systems.seq2seq.text import VERSION
from rella_hub.systems.vocabulary import Values
from rella_hub.tables import records, store
from rella_hub.tables.runs import CURVE, RECIPE, RECORD, public_name
from rella_hub.tables.shots import sample_ids

CHECKPOINT = "checkpoint"


def train(options: Options) -> None:
    """Leave the run of `options` in its folder, unless it is there already."""
    output = Path(options.output_dir)
    places.check_replaced_folder(output, "--output_dir", reads=[options.dataset, options.t5])
    folder = hub.resolve(options.dataset, list(TABLES), options.dataset_revision)
    record = {
        "corpus": store.made_from(folder, "samples")["corpus"],
        "inputs": records.input_fingerprints(folder, list(TABLES)),
        "t5": base_identity(options.t5, options.t5_revision) | {"name": public_name(options.t5)},
        "text_version": VERSION,
        "recipe": pinning(options),
    }
    if _is_finished(output, record, options.overwrite):
        return
    with sole_writer(output, beside=True):
        _train(options, folder, output, record)


def _is_finished(output: Path, record: dict, overwrite: bool) -> bool:
    """ValueError when the folder holds another run, or the beginning of one, or something else than a run."""
    ownership.require_own_folder(output, RUN)
    finished = records.read_record(output / RECORD)
    existing = finished or checkpoint.read_made_from(output / CHECKPOINT)
    if existing is not None:
        existing = existing | {"recipe": without_places(existing.get("recipe", {}), Options)}
    whole, defaults = finished is not None, {"recipe": pinning_defaults(Options)}
    return records.is_current(output, existing, record, overwrite, "--output_dir", whole, defaults)


def _train(options: Options, folder: Path, output: Path, record: dict) -> None:
    how = Computing(torch.device("cuda" if torch.cuda.is_available() else "cpu"), number_format(options.dtype))
    torch.manual_seed(options.seed)
    model, language = load_t5(options.t5, options.t5_revision)
    seen = Seen(record["corpus"], options.shown, options.max_length, options.truncation)
    values = number_ids(folder)
    read = _read(options, folder, Rows(folder, seen, values, language))
    model.to(how.device)
    weights = sum(parameter.numel() for parameter in model.parameters())
    print(
        f"p5: {weights:,} weights, {len(read['train']):,} training and {len(read['validation']):,} validation samples; "
        f"{_in_words(read['train'])}.",
        flush=True,
    )
    ownership.open_folder(output, RUN)
    order = torch.Generator().manual_seed(options.seed)
    running = Running(model, adamw(model, options), order, copy.deepcopy(model.state_dict()), Progress())
    run_epochs(
        *(running, options, Kept(output / CHECKPOINT, record)),
        learn=lambda epoch: learn_epoch(
            *(model, read["train"], running.optimizer, order, epoch, options, language, how)
        ),
        validate=lambda: validate(model, read["validation"], language, how),
    )
    model.load_state_dict(running.best)
    progress = running.progress
    record |= {
        "weights": weights,
        "training_samples": len(read["train"]),
        "validation_samples": len(read["validation"]),
        "texts": {split: _counted(samples) for split, samples in read.items()},
        "seconds": round(progress.seconds, 1),
        "peak_memory_bytes": _peak_memory(),
        "best_epoch": progress.best_epoch,
        "best_validation": progress.log[progress.best_epoch - 1],
        "log": progress.log,
    }
    with ownership.writing_folder(output, RUN) as temporary:
        _save(temporary, model.cpu(), language, values, seen, options, record)
    checkpoint.remove(output / CHECKPOINT)
    print(f"{output}: epoch {progress.best_epoch} of {progress.epoch} kept, {record['seconds']:.0f} s.", flush=True)


def _read(options: Options, folder: Path, rows: Rows) -> dict[str, Samples]:
    """The samples of train and validation. ValueError when one of their texts is over the budget and may not be cut."""
    train, validation = sample_ids(folder, "train", options.num_shots), sample_ids(folder, "validation")
    if options.num_validation is not None and options.num_validation < len(validation):
        chosen = np.random.default_rng(options.seed).choice(len(validation), options.num_validation, replace=False)
        validation = validation[np.sort(chosen)]
    rows.check(train)
    return {
        "train": read_samples(rows, train, "training"),
        "validation": read_samples(rows, validation, "validation"),
    }


def _counted(samples: Samples) -> dict[str, int]:
    """How many tokens the texts have before a cut, the longest, and how many are cut."""
    return {"tokens": int(samples.lengths.sum()), "longest": int(samples.lengths.max()), "cut": samples.cut}


def _in_words(samples: Samples) -> str:
    counted = _counted(samples)
    cut = f", {counted['cut']:,} of them cut" if counted["cut"] else ""
    return f"texts of {counted['tokens'] / len(samples):.0f} tokens in the mean, {counted['longest']} at most{cut}"


def _peak_memory() -> int:
    """Bytes: of the GPU where there is one, else of this process."""
    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _save(
    folder: Path, model: P5, language: Language, values: Values, seen: Seen, options: Options, record: dict
) -> None:
    result = folder / RESULT
    model.save_pretrained(result)
    language.tokenizer.save_pretrained(result)
    values.save(result)
    mark = {
        "t5": record["t5"]["name"],
        "pretrained_on": pretrained_on(options.t5, options.t5_revision),
        "corpus": seen.corpus,
        "history_length": seen.history_length,
        "max_length": seen.max_length,
        "truncation": seen.truncation,
        "text_version": VERSION,
        "num_shots": options.num_shots,
        "training_samples": record["training_samples"],
    }
    (result / MARK).write_text(json.dumps(mark, indent=2) + "\n", encoding="utf-8")
    (folder / RECIPE).write_text(yaml.safe_dump(recipe(options, READS), sort_keys=False), encoding="utf-8")
    epochs = {key: [(e["epoch"], e[key]) for e in record["log"]] for key in ("loss", "log_loss", "auc")}
    losses = {"training": epochs["loss"], "validation": epochs["log_loss"]}
    draw_curve(folder / CURVE, "epoch", "LogLoss", losses, epochs["auc"], kept=record["best_epoch"])
    record |= {"sha256": {path.name: hash_file(path) for path in sorted(result.iterdir())}}
    (folder / RECORD).write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
