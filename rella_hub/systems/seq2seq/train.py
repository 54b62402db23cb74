"""Train P5 on the tables of a data set and leave a run folder that says all of it."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import torch

from rella_hub.cli.options import pinning
from rella_hub.files import ownership, places
from rella_hub.files.writer import sole_writer
from rella_hub.hub import resolve as hub
from rella_hub.language_models.load import base_identity, number_format
from rella_hub.systems import checkpoint
from rella_hub.systems.checkpoint import Kept, Progress, Running
from rella_hub.systems.epochs import CHECKPOINT, is_finished, outcome, peak_memory, run_epochs, write_records
from rella_hub.systems.seq2seq.inputs import TABLES, Rows, Samples, Seen, number_ids, read_samples
from rella_hub.systems.seq2seq.language import Language, load_t5, pretrained_on
from rella_hub.systems.seq2seq.loop import Computing, adamw, learn_epoch, validate
from rella_hub.systems.seq2seq.network import P5
from rella_hub.systems.seq2seq.options import MARK, READS, RESULT, RUN, Options
from rella_hub.systems.seq2seq.text import VERSION
from rella_hub.systems.vocabulary import Values
from rella_hub.tables import records, store
from rella_hub.tables.runs import public_name
from rella_hub.tables.shots import sample_ids, seeded_ids


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
    if is_finished(output, RUN, record, options):
        return
    with sole_writer(output, beside=True):
        _train(options, folder, output, record)


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
        "peak_memory_bytes": peak_memory(),
        **outcome(progress),
    }
    with ownership.writing_folder(output, RUN) as temporary:
        _save(temporary, model.cpu(), language, values, seen, options, record)
    checkpoint.remove(output / CHECKPOINT)
    print(f"{output}: epoch {progress.best_epoch} of {progress.epoch} kept, {record['seconds']:.0f} s.", flush=True)


def _read(options: Options, folder: Path, rows: Rows) -> dict[str, Samples]:
    """The samples of train and validation. ValueError when one of their texts is over the budget and may not be cut."""
    train = sample_ids(folder, "train", options.num_shots)
    validation = seeded_ids(folder, "validation", options.num_validation, options.seed)
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
    write_records(folder, RESULT, options, READS, record)
