"""From a system and a split to a score file: resolve, tokenize, load, score, write."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np
from transformers import PreTrainedTokenizerBase

from dataset_builders.prompts import pointwise
from dataset_builders.stages.view import table_name
from dataset_builders.tables import hub, provenance, shots, store
from dataset_builders.text.tokens import Answers, answer_tokens, encode_prompts
from evaluation.scorers.yes_no import p_yes
from evaluation.scores.arguments import ScoreArguments
from evaluation.scores.table import read_scores, write_scores
from training.language_models.load import (
    adapter_identity,
    base_doubt,
    base_identity,
    load_adapter,
    load_base,
    load_tokenizer,
    training_samples,
)
from training.language_models.plain_base import require_readable

LIBRARIES = ("torch", "transformers", "peft", "tokenizers")
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
    folder = dataset_folder(options)
    base = base_identity(options.base, options.base_revision)
    adapter = adapter_identity(options.adapter, options.adapter_revision) if options.adapter else None
    record = record_of(options, folder, base, adapter)
    output = Path(options.output) if options.output else default_output(record)
    if stands(output, record, options.overwrite):
        return
    read = read_prompts(options, folder)
    model = load_base(options.base, options.base_revision, options.dtype, options.quantization)
    require_readable(model, read.prompts)
    if options.adapter:
        model = load_adapter(model, base, options.adapter, options.adapter_revision, any_base=options.any_base)
    begin = time.perf_counter()
    scores = p_yes(model, read.prompts, read.answers, options.tokens_per_batch, progress=True)
    write(output, read, scores, record, time.perf_counter() - begin)


def dataset_folder(options) -> Path:
    """The data set of `options` as a folder, with the prompts, what the systems without a model need, and all of it current."""
    if options.split not in store.SPLITS:
        raise ValueError(f"--split is {options.split!r}; expected one of {', '.join(store.SPLITS)}.")
    tables = [options.config_name, table_name(options.config_name), "samples", "interactions"]
    folder = hub.resolve(options.dataset, tables, options.dataset_revision)
    provenance.require_current(folder, options.config_name)
    return folder


def stands(output: Path, record: dict, overwrite: bool) -> bool:
    """True when the score file is there, made from exactly this; ValueError when it is there from something else."""
    if not output.exists() or overwrite:
        return False
    existing = read_scores(output).record
    if all(existing[key] == record[key] for key in ("fingerprint", "system")):
        print(f"{output}: unchanged inputs, kept.", flush=True)
        return True
    raise ValueError(
        f"{output} holds scores made from something else ({provenance.difference(existing, record)}). "
        "Pass --overwrite true, or another --output."
    )


def read_prompts(options, folder: Path) -> Read:
    """The samples that `options` choose, each prompt tokenized once."""
    rows = shots.seeded_rows(folder, options.config_name, options.split, options.limit, options.seed)
    tokenizer = load_tokenizer(options.base, options.base_revision)
    texts = rows["prompt"].to_pylist()
    return Read(
        sample_id=rows["sample_id"].to_numpy(),
        label=rows["label"].to_numpy(),
        prompts=encode_prompts(tokenizer, texts, options.max_length),
        answers=answer_tokens(tokenizer, texts[0], pointwise.ANSWERS),
        texts=texts,
        tokenizer=tokenizer,
    )


def write(output: Path, read: Read, scores: np.ndarray, record: dict, seconds: float) -> None:
    """The score file of one system, with how long it took."""
    record = record | {"seconds": round(seconds, 2), "tokens": sum(map(len, read.prompts))}
    write_scores(output, read.sample_id, read.label, scores, record)
    print(f"{output}: {len(scores):,} scores, {len(scores) / seconds:,.1f} prompts/s.", flush=True)


def record_of(options: ScoreArguments, folder: Path, base: dict, adapter: dict | None) -> dict:
    """Everything that pins the scores, and a fingerprint of it."""
    prompts = store.provenance(folder, options.config_name)
    pinned = {
        **{key: value for key, value in asdict(options).items() if key not in NOT_OF_THE_SCORES},
        "corpus": prompts["corpus"],
        "prompts_fingerprint": prompts["fingerprint"],
        "base": base["name"],
        "base_identity": base,
        "adapter_identity": adapter,
        "libraries": {name: version(name) for name in LIBRARIES},
    }
    doubt = base_doubt(base, options.adapter, options.adapter_revision, options.any_base) if options.adapter else None
    if doubt:
        print(f"note: {doubt}", flush=True)
    return {
        **pinned,
        "system": options.system or system_name(options.adapter),
        "training_samples": training_samples(options.adapter, options.adapter_revision) if options.adapter else None,
        "base_doubt": doubt,
        "dataset_folder": str(folder),
        "fingerprint": store.fingerprint(pinned),
    }


def default_output(record: dict) -> Path:
    name = f"{record['system']}_{record['config_name']}_{record['split']}.parquet"
    return Path("runs") / record["corpus"] / "scores" / name


def system_name(adapter: str | None) -> str:
    """`runs/ml1m/rella/adapter` → rella; `rella/ml1m-rella-vicuna` → ml1m-rella-vicuna; no adapter → zero_shot."""
    if adapter is None:
        return "zero_shot"
    path = Path(adapter)
    return path.parent.name if path.name == "adapter" else path.name
