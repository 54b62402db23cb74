"""From a system and a split to a score file: resolve, tokenize, load, score, write."""

from __future__ import annotations

import json
import sys
import time
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch
from transformers import PreTrainedTokenizerBase

from rella_hub.cli import refuse_without
from rella_hub.files import places
from rella_hub.hub import resolve as hub
from rella_hub.language_models.load import (
    adapter_identity,
    base_doubt,
    base_identity,
    load_adapter,
    load_base,
    load_tokenizer,
    number_format,
    training_notes,
    training_samples,
)
from rella_hub.language_models.p_yes import p_yes
from rella_hub.language_models.reading import adapter_tokenizer, trained_template_arguments
from rella_hub.language_models.room import require_room
from rella_hub.language_models.tokens import Answers, answer_tokens, encode_prompts
from rella_hub.prompts import pointwise
from rella_hub.systems.score_options import ScoreArguments
from rella_hub.tables import records, shots, store
from rella_hub.tables.checked import NAME, shown
from rella_hub.tables.constant import is_constant
from rella_hub.tables.scores import read_scores, require_score_file, users_of, write_scores
from rella_hub.texts.shown import visible
from rella_hub.views import table_name

LIBRARIES = ("torch", "transformers", "peft", "tokenizers")
NOT_PINNED = (
    "dataset_folder",
    "training_samples",
    "training_config",
    "trainable_weights",
    "base_proved",
)  # in the record of a file, but not what it was made from
LONGEST_FILE_NAME = 200  # bytes; file systems take 255, some of which a temporary name needs
NOT_OF_THE_SCORES = ("output", "overwrite", "tokens_per_batch", "system", "model", "model_revision", "any_base")


@dataclass(frozen=True)
class Read:
    """The samples of a split and their prompts as the base model reads them."""

    sample_id: np.ndarray  # (n,)
    label: np.ndarray  # (n,)
    prompts: list[list[int]]  # (n,) token ids
    answers: Answers
    texts: list[str]  # (n,) the prompts as they are stored
    tokenizer: PreTrainedTokenizerBase


def make_scores(options: ScoreArguments) -> None:
    """Write the score file of `options`, unless it stands there from the very same inputs."""
    if options.base is None:
        raise ValueError("there is no system to score. Give a language model with --base, or a CTR model with --model.")
    refuse_without("--model", options, ["model_revision"])
    refuse_without("--adapter", options, [] if options.adapter else ["adapter_revision"])
    refuse_without("--limit", options, ["seed"] if options.limit is None else [])
    folder = dataset_folder(options)
    base = base_identity(options.base, options.base_revision)
    adapter = adapter_identity(options.adapter, options.adapter_revision) if options.adapter else None
    record = record_of(options, folder, base, adapter)
    output = Path(options.output) if options.output else default_output(record)
    places.check_file(output, reads=[options.dataset, options.base, options.adapter])
    if stands(output, record, options.overwrite):
        return
    read = read_prompts(options, folder)
    if options.adapter:
        require_same_reading(read, options, options.adapter, options.adapter_revision)
    model = load_base(options.base, options.base_revision, options.dtype, options.quantization)
    require_room_for(read, model, options.base)
    if options.adapter:
        model = load_adapter(model, base, options.adapter, options.adapter_revision, any_base=options.any_base)
    begin = time.perf_counter()
    scores = p_yes(model, read.prompts, read.answers, options.tokens_per_batch, progress=True)
    write(output, read, scores, record, time.perf_counter() - begin)


def dataset_folder(options) -> Path:
    """The data set of `options` as a folder, with the prompts, what the systems without a model need, and all of it current."""
    if options.split not in store.SPLITS:
        raise ValueError(f"--split is {options.split!r}; expected one of {', '.join(store.SPLITS)}.")
    _check_numbers(options)
    tables = [options.config_name, table_name(options.config_name), "samples", "interactions"]
    folder = hub.resolve(options.dataset, tables, options.dataset_revision)
    records.require_current(folder, options.config_name)
    return folder


def _check_numbers(options) -> None:
    for name, least in (("max_length", 1), ("tokens_per_batch", 1), ("seed", 0)):
        if getattr(options, name) < least:
            raise ValueError(f"--{name} is {getattr(options, name)}; at least {least} is needed.")


def stands(output: Path, record: dict, overwrite: bool) -> bool:
    """True when the score file is there, made from exactly this; ValueError when it is there from something else."""
    require_score_file(output)
    if overwrite or not output.exists():
        return False
    if output.is_dir():
        raise ValueError(f"--output {output} is a folder. Give the name of a score file.")
    existing = read_scores(output).record
    pinned = {key: value for key, value in record.items() if key not in NOT_PINNED}
    return records.is_current(output, existing, pinned, overwrite)


def read_prompts(options, folder: Path) -> Read:
    """The samples that `options` choose, each prompt tokenized once."""
    rows = shots.seeded_rows(folder, options.config_name, options.split, options.limit, options.seed)
    tokenizer, arguments = load_tokenizer(options.base, options.base_revision), options.chat_template_kwargs
    texts = rows["prompt"].to_pylist()
    return Read(
        sample_id=rows["sample_id"].to_numpy(),
        label=rows["label"].to_numpy(),
        prompts=encode_prompts(tokenizer, texts, options.max_length, arguments),
        answers=answer_tokens(tokenizer, texts[0], pointwise.ANSWERS, arguments),
        texts=texts,
        tokenizer=tokenizer,
    )


def require_room_for(read: Read, model: torch.nn.Module, base: str) -> None:
    """ValueError when the model of `base` cannot read a prompt, or cannot say an answer."""
    require_room(model, base, read.prompts, (read.answers.no, read.answers.yes))


def require_same_reading(read: Read, options, adapter: str, revision: str | None) -> None:
    """An adapter is scored on the tokens it was trained to read: those of its base, in its base's chat template.

    ValueError when its record tells of other arguments of the template, or when a tokenizer or template that lies beside it reads
    one of the prompts or answers otherwise.
    """
    told, arguments = trained_template_arguments(adapter, revision)
    if told and arguments != options.chat_template_kwargs:
        raise ValueError(
            f"The adapter {adapter!r} was trained with other arguments of the chat template ({json.dumps(arguments)}) than are asked for "
            f"({json.dumps(options.chat_template_kwargs)}). "
            + (f"Pass --chat_template_kwargs '{json.dumps(arguments)}'." if arguments else "Leave them out.")
        )
    own = adapter_tokenizer(adapter, read.tokenizer, revision)
    if own is None:
        return
    asked = options.chat_template_kwargs
    try:
        same = encode_prompts(own, read.texts, None, asked) == read.prompts and (
            answer_tokens(own, read.texts[0], pointwise.ANSWERS, asked) == read.answers
        )
    except ValueError:  # it cannot read them at all
        same = False
    if not same:
        raise ValueError(
            f"The adapter {adapter!r} brings a tokenizer of its own, which reads these prompts otherwise than that of the base: it was "
            "trained on other tokens, or in another chat template. Pass the base that it was trained on with --base, or leave it out."
        )


def write(output: Path, read: Read, scores: np.ndarray, record: dict, seconds: float) -> None:
    """The score file of one system, with how long it took."""
    record = record | {"seconds": round(seconds, 2), "tokens": sum(map(len, read.prompts))}
    users = users_of(Path(record["dataset_folder"]), record["split"], read.sample_id)
    write_scores(output, read.sample_id, users, read.label, scores, record)
    print(f"{output}: {len(scores):,} scores, {len(scores) / seconds:,.1f} prompts/s.", flush=True)
    if is_constant(scores) and len(set(read.texts)) > 1:
        print(
            f"WARNING: {record['system']} gives every prompt the same score ({scores[0]:.6f}), so it tells nothing: its weights or their "
            "number format (try --dtype float32) are at fault, or its prompts do not come through.",
            file=sys.stderr,
        )


def record_of(options: ScoreArguments, folder: Path, base: dict, adapter: dict | None) -> dict:
    """Everything that pins the scores, and a fingerprint of it."""
    prompts = store.provenance(folder, options.config_name)
    libraries = (*LIBRARIES, "bitsandbytes") if options.quantization in ("8bit", "4bit") else LIBRARIES
    pinned = {
        **{key: value for key, value in asdict(options).items() if key not in NOT_OF_THE_SCORES},
        "corpus": prompts["corpus"],
        "prompts_fingerprint": prompts["fingerprint"],
        "base": base["name"],
        "base_identity": base,
        "adapter_identity": adapter,
        "computed_in": str(number_format(options.dtype)).removeprefix("torch."),
        "libraries": {name: version(name) for name in libraries},
    }
    doubt = base_doubt(base, options.adapter, options.adapter_revision, options.any_base) if options.adapter else None
    if doubt:
        print(f"note: {doubt}", flush=True)
    return {
        **pinned,
        "system": options.system or system_name(options.adapter),
        "training_samples": training_samples(options.adapter, options.adapter_revision) if options.adapter else None,
        **training_notes(options.adapter, options.adapter_revision),
        "base_proved": doubt is None if options.adapter else None,  # the sentence names folders of this machine
        "dataset_folder": str(folder),
        "fingerprint": store.fingerprint(pinned),
    }


def default_output(record: dict) -> Path:
    """Where the scores go when nobody says; ValueError for a system whose name is none of a file."""
    if not NAME.holds(record["system"]):
        raise ValueError(
            f"The system is called {shown(record['system'])}, which cannot be the name of a file. Give --system with {NAME.words}, "
            "or --output."
        )
    name = f"{record['system']}_{record['config_name']}_{record['split']}.parquet"
    if name != Path(name).name or visible(name) != name or len(name.encode()) > LONGEST_FILE_NAME:
        raise ValueError(f"The system {record['system']!r} gives no usual name for a file. Give one with --output.")
    return Path("runs") / record["corpus"] / "scores" / name


def system_name(adapter: str | None) -> str:
    """`runs/ml1m/rella/adapter` → rella; `rella/ml1m-rella-vicuna` → ml1m-rella-vicuna; no adapter → zero_shot."""
    if adapter is None:
        return "zero_shot"
    path = Path(adapter)
    return path.parent.name if path.name == "adapter" else path.name
