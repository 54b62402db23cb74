"""Train a CTR model on the tables of a data set and leave a run folder that says all of it."""

from __future__ import annotations

import inspect
import json
from pathlib import Path

import torch

from rella_hub.cli import refuse_without
from rella_hub.cli.options import pinning
from rella_hub.files import ownership, places
from rella_hub.files.writer import sole_writer
from rella_hub.hub import resolve as hub
from rella_hub.networks.ctr import load_model_class
from rella_hub.systems import checkpoint
from rella_hub.systems.ctr.inputs.batches import Samples
from rella_hub.systems.ctr.inputs.columns import load_columns
from rella_hub.systems.ctr.inputs.retrieval import SEARCHES, open_search, searched_tables
from rella_hub.systems.ctr.loop import fit
from rella_hub.systems.ctr.options import READS, RESULT, RUN, Options
from rella_hub.systems.epochs import CHECKPOINT, check_options, is_finished, json_options, outcome, write_records
from rella_hub.systems.vocabulary import Values
from rella_hub.tables import records, store
from rella_hub.tables.shots import sample_ids

TABLES = ["users", "items", "interactions", "samples"]
FEATURES = "features.json"
METRICS = ("auc", "log_loss")


def train(options: Options) -> None:
    """Leave the run of `options` in its folder, unless it is there already."""
    _check(options)
    output = Path(options.output_dir)
    places.check_replaced_folder(output, "--output_dir", reads=[options.dataset])
    model_class = load_model_class(options.model)
    if not model_class.RETRIEVES:
        refuse_without("a model that retrieves, such as sim", options, ("search", "retrieved"))
    search = options.search if model_class.RETRIEVES else None
    views = searched_tables(search, options.retrieved)
    folder = hub.resolve(options.dataset, [*TABLES, *views], options.dataset_revision)
    for view in views:
        records.require_current(folder, view)
    record = {
        "corpus": store.made_from(folder, "samples")["corpus"],
        "inputs": records.input_fingerprints(folder, [*TABLES, *views]),
        "recipe": pinning(options),
    }
    if is_finished(output, RUN, record, options):
        return
    with sole_writer(output, beside=True):
        _train(options, model_class, folder, output, record)


def _train(options: Options, model_class: type, folder: Path, output: Path, record: dict) -> None:
    search = options.search if model_class.RETRIEVES else None
    ids = sample_ids(folder, "train", options.num_shots)
    columns = load_columns(folder, train=ids)
    torch.manual_seed(options.seed)
    model = build_model(model_class, columns.values, options)
    parts = {
        split: Samples(columns, found, options.history_length, open_search(search, folder, split, options.retrieved))
        for split, found in (("train", ids), ("validation", sample_ids(folder, "validation")))
    }
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    weights = sum(p.numel() for p in model.parameters())
    print(
        f"{options.model}: {weights:,} weights, {len(parts['train']):,} training and {len(parts['validation']):,} validation samples.",
        flush=True,
    )
    ownership.open_folder(output, RUN)
    best, progress = fit(
        *(model.to(device), parts["train"], parts["validation"], options, device),
        checkpoint.Kept(output / CHECKPOINT, record),
    )
    model.load_state_dict(best)
    record |= {
        "weights": weights,
        "training_samples": len(ids),
        **outcome(progress),
    }
    with ownership.writing_folder(output, RUN) as temporary:
        _save(temporary, model.cpu(), columns.values, options, record)
    checkpoint.remove(output / CHECKPOINT)
    print(f"{output}: epoch {progress.best_epoch} of {progress.epoch} kept, {record['seconds']:.0f} s.", flush=True)


def build_model(model_class: type, values: Values, options: Options) -> torch.nn.Module:
    """ValueError naming the options that the architecture does not have."""
    given = json_options(options.model_options)
    known = set(inspect.signature(model_class.__init__).parameters) - {"self", "field_sizes", "rating_values"}
    if not isinstance(given, dict) or not set(given) <= known:
        raise ValueError(f"--model_options is {given!r}; {model_class.__name__} takes {', '.join(sorted(known))}.")
    sizes = {"history_length": options.history_length} if "history_length" in known else {}
    return model_class(field_sizes=values.field_sizes, rating_values=values.rating_values, **sizes, **given)


def _check(options: Options) -> None:
    at_least_one = ("history_length", "retrieved", "batch_size", "num_train_epochs", "early_stopping_patience")
    check_options(options, at_least_one, ("learning_rate",), METRICS)
    if options.search not in SEARCHES:
        raise ValueError(f"There is no search {options.search!r}. Expected one of {', '.join(SEARCHES)}.")


def _save(folder: Path, model: torch.nn.Module, values: Values, options: Options, record: dict) -> None:
    model.save_pretrained(folder / RESULT)
    (folder / RESULT / "README.md").unlink(missing_ok=True)  # the mixin's card says nothing
    values.save(folder / RESULT)
    features = {
        "model": options.model,
        "corpus": record["corpus"],
        "history_length": options.history_length,
        "search": options.search if model.RETRIEVES else None,
        "retrieved": options.retrieved,
        "num_shots": options.num_shots,
    }
    (folder / RESULT / FEATURES).write_text(json.dumps(features, indent=2) + "\n", encoding="utf-8")
    write_records(folder, RESULT, options, READS, record)
