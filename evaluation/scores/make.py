"""From a system and a split to a score file: resolve, tokenize, load, score, write."""

from __future__ import annotations

import time
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path

from dataset_builders.prompts import pointwise
from dataset_builders.stages.view import table_name
from dataset_builders.tables import hub, provenance, shots, store
from dataset_builders.text.tokens import answer_tokens, encode_prompts
from evaluation.scorers.yes_no import p_yes
from evaluation.scores.table import read_scores, write_scores
from training.language_models.load import adapter_identity, base_identity, load_adapter, load_base, load_tokenizer

LIBRARIES = ("torch", "transformers", "peft", "tokenizers")
NOT_OF_THE_SCORES = ("output", "overwrite", "tokens_per_batch", "system")


def make_scores(options) -> None:
    """Write the score file of `options` (see evaluation/score.py), unless it stands there from the very same inputs."""
    if options.split not in store.SPLITS:
        raise ValueError(f"--split is {options.split!r}; expected one of {', '.join(store.SPLITS)}.")
    tables = [options.config_name, table_name(options.config_name), "samples", "interactions"]
    folder = hub.resolve(options.dataset, tables, options.dataset_revision)
    provenance.require_current(folder, options.config_name)
    base = base_identity(options.base, options.base_revision)
    adapter = adapter_identity(options.adapter, options.adapter_revision) if options.adapter else None
    record = _record(options, folder, base, adapter)
    output = Path(options.output) if options.output else _default_output(record)
    if output.exists() and not options.overwrite:
        existing = read_scores(output).record
        if all(existing[key] == record[key] for key in ("fingerprint", "system")):
            print(f"{output}: unchanged inputs, kept.", flush=True)
            return
        raise ValueError(
            f"{output} holds scores made from something else ({provenance.difference(existing, record)}). "
            "Pass --overwrite true, or another --output."
        )
    rows = shots.seeded_rows(folder, options.config_name, options.split, options.limit, options.seed)
    tokenizer = load_tokenizer(options.base, options.base_revision)
    prompts = encode_prompts(tokenizer, rows["prompt"].to_pylist(), options.max_length)
    answers = answer_tokens(tokenizer, rows["prompt"][0].as_py(), pointwise.ANSWERS)
    model = load_base(options.base, options.base_revision, options.dtype, options.quantization)
    if options.adapter:
        model = load_adapter(model, base, options.adapter, options.adapter_revision)
    begin = time.perf_counter()
    scores = p_yes(model, prompts, answers, options.tokens_per_batch, progress=True)
    seconds = time.perf_counter() - begin
    record |= {"seconds": round(seconds, 2), "tokens": sum(map(len, prompts))}
    write_scores(output, rows["sample_id"].to_numpy(), rows["label"].to_numpy(), scores, record)
    print(f"{output}: {len(rows):,} scores, {len(rows) / seconds:,.1f} prompts/s.", flush=True)


def _record(options, folder: Path, base: dict, adapter: dict | None) -> dict:
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
    return {
        **pinned,
        "system": options.system or _system_name(options.adapter),
        "dataset_folder": str(folder),
        "fingerprint": store.fingerprint(pinned),
    }


def _default_output(record: dict) -> Path:
    name = f"{record['system']}_{record['config_name']}_{record['split']}.parquet"
    return Path("runs") / record["corpus"] / "scores" / name


def _system_name(adapter: str | None) -> str:
    """`runs/ml1m/rella/adapter` → rella; `rella/ml1m-rella-vicuna` → ml1m-rella-vicuna; no adapter → zero_shot."""
    if adapter is None:
        return "zero_shot"
    path = Path(adapter)
    return path.parent.name if path.name == "adapter" else path.name
