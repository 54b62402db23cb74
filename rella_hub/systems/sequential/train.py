"""Train a sequential recommender on the tables of a next-item data set and leave a run folder that says all of it."""

from __future__ import annotations

import json
from pathlib import Path

import torch

from rella_hub.cli.options import pinning
from rella_hub.files import ownership, places
from rella_hub.files.writer import sole_writer
from rella_hub.hub import resolve as hub
from rella_hub.networks.sequence import load_encoder_class
from rella_hub.stages.candidates import require_next_item
from rella_hub.systems import checkpoint
from rella_hub.systems.epochs import CHECKPOINT, Curve, check_options, is_finished, json_options, outcome, write_records
from rella_hub.systems.sequential.inputs import Histories, load_behaviors
from rella_hub.systems.sequential.items import Items
from rella_hub.systems.sequential.loop import fit
from rella_hub.systems.sequential.network import Recommender
from rella_hub.systems.sequential.options import MARK, METRICS, READS, RESULT, RUN, Options
from rella_hub.tables import records, store

TABLES = ("items", "interactions", "samples")
CURVE = Curve(loss="binary cross-entropy", metric="hit_at_20", titled="validation Hit@20")
AT_LEAST_ONE = ("embedding_size", "history_length", "batch_size", "num_train_epochs", "early_stopping_patience")


def train(options: Options) -> None:
    """Leave the run of `options` in its folder, unless it is there already."""
    check(options)
    output = Path(options.output_dir)
    places.check_replaced_folder(output, "--output_dir", reads=[options.dataset])
    folder = hub.resolve(options.dataset, list(TABLES), options.dataset_revision)
    require_next_item(folder)
    record = {
        "corpus": store.made_from(folder, "samples")["corpus"],
        "inputs": records.input_fingerprints(folder, list(TABLES)),
        "recipe": pinning(options),
    }
    if is_finished(output, RUN, record, options):
        return
    with sole_writer(output, beside=True):
        _train(options, folder, output, record)


def encoder_options(options: Options) -> dict:
    given = json_options(options.model_options)
    if not isinstance(given, dict):
        raise ValueError(f"--model_options is {options.model_options!r}, expected a mapping.")
    return given


def build(options: Options, items: Items) -> Recommender:
    """ValueError naming the options that the encoder does not have."""
    given = encoder_options(options)
    try:
        return Recommender(
            model=options.model,
            items=len(items.item_id),
            embedding_size=options.embedding_size,
            history_length=options.history_length,
            tied=options.tied,
            spread=options.spread,
            encoder_options=given,
        )
    except TypeError as error:
        raise ValueError(f"--model_options is {given!r}, which {options.model} does not take ({error}).") from error


def _train(options: Options, folder: Path, output: Path, record: dict) -> None:
    items = Items.of(folder)
    behaviors = load_behaviors(folder, items)
    train = Histories.read(folder, behaviors, "train", options.history_length, options.num_shots)
    validation = Histories.read(folder, behaviors, "validation", options.history_length)
    torch.manual_seed(options.seed)
    model = build(options, items)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    weights = sum(p.numel() for p in model.parameters())
    print(
        f"{options.model}: {weights:,} weights, {len(items.item_id):,} items, {len(train):,} training and {len(validation):,} validation "
        "samples.",
        flush=True,
    )
    ownership.open_folder(output, RUN)
    kept = checkpoint.Kept(output / CHECKPOINT, record)
    best, progress = fit(model.to(device), train, validation, options, device, kept)
    model.load_state_dict(best)
    record |= {
        "weights": weights,
        "training_samples": len(train),
        **outcome(progress),
    }
    with ownership.writing_folder(output, RUN) as temporary:
        save(temporary, model.cpu(), items, options, record)
    checkpoint.remove(output / CHECKPOINT)
    print(f"{output}: epoch {progress.best_epoch} of {progress.epoch} kept, {record['seconds']:.0f} s.", flush=True)


def save(folder: Path, model: Recommender, items: Items, options: Options, record: dict) -> None:
    """What was trained and the records of the run."""
    model.save_pretrained(folder / RESULT)
    (folder / RESULT / "README.md").unlink(missing_ok=True)  # the mixin's card says nothing
    items.save(folder / RESULT)
    mark = {
        "model": options.model,
        "corpus": record["corpus"],
        "history_length": options.history_length,
        "num_shots": options.num_shots,
    }
    (folder / RESULT / MARK).write_text(json.dumps(mark, indent=2) + "\n", encoding="utf-8")
    write_records(folder, RESULT, options, READS, record, CURVE)


def check(options: Options) -> None:
    """ValueError for options that no training can have."""
    load_encoder_class(options.model)
    check_options(options, AT_LEAST_ONE, ("learning_rate", "spread"), METRICS)
