"""Train a recommender that reads texts: the training of a sequential recommender, with the texts beside its histories."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from rella_hub.cli import refuse_without
from rella_hub.cli.options import pinning
from rella_hub.files import ownership, places
from rella_hub.files.writer import sole_writer
from rella_hub.hub import resolve as hub
from rella_hub.stages.candidates import require_next_item
from rella_hub.systems import checkpoint
from rella_hub.systems.epochs import CHECKPOINT, Curve, is_finished, outcome, write_records
from rella_hub.systems.sequential.inputs import load_behaviors
from rella_hub.systems.sequential.items import Items
from rella_hub.systems.sequential.loop import fit
from rella_hub.systems.sequential.train import check as check_recommender
from rella_hub.systems.sequential.train import encoder_options
from rella_hub.systems.slim import inputs
from rella_hub.systems.slim.network import Slim
from rella_hub.systems.slim.options import (
    AGNOSTIC,
    MARK,
    READ_ITEM_TEXTS,
    READ_RATIONALES,
    READS,
    RESULT,
    RUN,
    VARIANTS,
    Options,
)
from rella_hub.tables import records, store, text_vectors
from rella_hub.tables.activity import GROUPS, activity_groups
from rella_hub.tables.text_vectors import TextVectors

TABLES = ("items", "interactions", "samples")
MARKED = ("model", "variant", "rationales", "shuffled", "seed", "history_length", "num_shots", "activity_group")


def train(options: Options) -> None:
    """Leave the run of `options` in its folder, unless it is there already."""
    check(options)
    output = Path(options.output_dir)
    places.check_replaced_folder(output, "--output_dir", reads=[options.dataset])
    tables = [*TABLES, *map(text_vectors.table_of, texts_of(options))]
    folder = hub.resolve(options.dataset, tables, options.dataset_revision)
    require_next_item(folder)
    record = {
        "corpus": store.made_from(folder, "samples")["corpus"],
        "inputs": records.input_fingerprints(folder, tables),
        "recipe": pinning(options),
    }
    if is_finished(output, RUN, record, options):
        return
    with sole_writer(output, beside=True):
        _train(options, folder, output, record)


def texts_of(options: Options) -> list[str]:
    """The texts that a variant reads."""
    items = [text_vectors.ITEMS] if options.variant in READ_ITEM_TEXTS else []
    return [*items, *([options.rationales] if options.rationales else [])]


@dataclass(frozen=True)
class Sources:
    """What training reads of a data set folder."""

    items: Items
    item_texts: TextVectors | None
    user_texts: TextVectors | None
    train: inputs.Told
    validation: inputs.Told


def read_sources(folder: Path, options: Options) -> Sources:
    items = Items.of(folder)
    behaviors = load_behaviors(folder, items)
    found = {name: text_vectors.read(folder, name) for name in texts_of(options)}
    user_texts = found.get(options.rationales) if options.rationales else None

    def samples(split: str) -> inputs.Told:
        table = store.read(folder, "samples", split, ["sample_id", "user_id", "position"])
        columns = [column.to_numpy() for column in table.columns]
        if split == "train" and options.num_shots is not None:
            if not 1 <= options.num_shots <= len(table):
                raise ValueError(f"--num_shots is {options.num_shots:,}; {folder} has {len(table):,} training samples.")
            columns = [column[: options.num_shots] for column in columns]
        asked = inputs.told(behaviors, *columns, options.history_length, user_texts)
        return asked.only(_wanted(folder, options, columns[1], asked))

    return Sources(items, found.get(text_vectors.ITEMS), user_texts, samples("train"), samples("validation"))


def _wanted(folder: Path, options: Options, user_id: np.ndarray, asked: inputs.Told) -> np.ndarray:
    """(S,) which samples a variant can be trained on: of one group of users, and, without ids, those with a rationale."""
    wanted = np.ones(len(user_id), dtype=bool)
    if options.activity_group is not None:
        users, groups = activity_groups(folder)
        wanted &= groups[np.searchsorted(users, user_id)] == options.activity_group
    return wanted & (asked.text.numpy() > 0) if options.variant == AGNOSTIC else wanted


def build(options: Options, sources: Sources, folder: Path) -> Slim:
    """The network with its texts; ValueError naming the options that the encoder does not have."""
    given = encoder_options(options)
    width = 1 if sources.item_texts is None else sources.item_texts.vectors.shape[1]
    try:
        model = Slim(
            model=options.model,
            items=len(sources.items.item_id),
            variant=options.variant,
            text_width=width,
            embedding_size=options.embedding_size,
            history_length=options.history_length,
            spread=options.spread,
            encoder_options=given,
        )
    except TypeError as error:
        raise ValueError(f"--model_options is {given!r}, which {options.model} does not take ({error}).") from error
    return with_texts(model, folder, sources.items, sources.item_texts, sources.user_texts, options)


def with_texts(model: Slim, folder: Path, items: Items, item_texts, user_texts, options) -> Slim:
    """options: what has `shuffled` and `seed`."""
    of_items = None if item_texts is None else inputs.item_table(folder, items, item_texts)
    seed = options.seed if options.shuffled else None
    return model.read(of_items, None if user_texts is None else inputs.user_table(user_texts, seed))


def _train(options: Options, folder: Path, output: Path, record: dict) -> None:
    sources = read_sources(folder, options)
    torch.manual_seed(options.seed)
    model = build(options, sources, folder)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    weights = sum(p.numel() for p in model.parameters())
    told = float((sources.train.text > 0).float().mean())
    print(
        f"{options.variant} {options.model}: {weights:,} weights, {len(sources.items.item_id):,} items, {len(sources.train):,} training "
        f"samples ({told:.0%} with a text of the user) and {len(sources.validation):,} of validation.",
        flush=True,
    )
    ownership.open_folder(output, RUN)
    kept = checkpoint.Kept(output / CHECKPOINT, record)
    best, progress = fit(model.to(device), sources.train, sources.validation, options, device, kept)
    model.load_state_dict(best)
    record |= {
        "weights": weights,
        "training_samples": len(sources.train),
        "share_with_user_text": round(told, 6),
        **outcome(progress),
    }
    with ownership.writing_folder(output, RUN) as temporary:
        save(temporary, model.cpu(), sources.items, options, record)
    checkpoint.remove(output / CHECKPOINT)
    print(f"{output}: epoch {progress.best_epoch} of {progress.epoch} kept, {record['seconds']:.0f} s.", flush=True)


def save(folder: Path, model: Slim, items: Items, options: Options, record: dict) -> None:
    """What was trained and the records of the run. The texts are the data set's and stay there; their fingerprints are kept."""
    model.save_pretrained(folder / RESULT)
    (folder / RESULT / "README.md").unlink(missing_ok=True)  # the mixin's card says nothing
    items.save(folder / RESULT)
    read = {name: record["inputs"][text_vectors.table_of(name)] for name in texts_of(options)}
    mark = {"corpus": record["corpus"], "texts": read} | {name: getattr(options, name) for name in MARKED}
    (folder / RESULT / MARK).write_text(json.dumps(mark, indent=2) + "\n", encoding="utf-8")
    metric = options.metric_for_best_model
    curve = Curve(loss="binary cross-entropy", metric=metric, titled=f"validation {metric}")
    write_records(folder, RESULT, options, READS, record, curve)


def check(options: Options) -> None:
    """ValueError for options that no training can have."""
    check_recommender(options)
    if options.variant not in VARIANTS:
        raise ValueError(f"--variant is {options.variant!r}; expected one of {', '.join(VARIANTS)}.")
    if not options.tied:
        raise ValueError("--tied false is not SLIM's: it compares one vector of an item with the user's. Leave it out.")
    if options.variant in READ_RATIONALES and options.rationales is None:
        raise ValueError(f"--variant {options.variant} needs --rationales, such as teacher, or titles for the control.")
    if options.variant not in READ_RATIONALES:
        refuse_without("--variant fusion or agnostic", options, ["rationales", "shuffled"])
    if options.activity_group is not None and not 1 <= options.activity_group <= GROUPS:
        raise ValueError(f"--activity_group is {options.activity_group}; expected 1 to {GROUPS}.")
