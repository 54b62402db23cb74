"""From a traditional CTR model and a split to a score file, on the very samples that the language models are scored on."""

from __future__ import annotations

import time
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path

from rella_hub.cli import refuse_without
from rella_hub.files import places
from rella_hub.hub import resolve as hub
from rella_hub.systems.adapter.score import default_output, stands
from rella_hub.systems.ctr.inputs.retrieval import searched_tables
from rella_hub.systems.ctr.load import p_click, read_trained
from rella_hub.systems.ctr.train import TABLES
from rella_hub.systems.score_options import ScoreArguments
from rella_hub.tables import shots, store
from rella_hub.tables.scores import users_of, write_scores
from rella_hub.views import table_name

OF_LANGUAGE_MODELS = (
    *("base", "base_revision", "adapter", "adapter_revision", "dtype", "quantization", "max_length"),
    "chat_template_kwargs",
)
NOT_OF_THE_SCORES = ("output", "overwrite", "tokens_per_batch", "system", *OF_LANGUAGE_MODELS)


def make_click_scores(options: ScoreArguments) -> None:
    """Write the score file of `options.model`; `options.config_name` says which samples are scored."""
    for name in ("base", "adapter"):
        if getattr(options, name) is not None:
            raise ValueError(f"--model scores a traditional CTR model, --{name} a language model. Give one of them.")
    refuse_without("a language model (--base)", options, [*OF_LANGUAGE_MODELS, "tokens_per_batch"])
    refuse_without("--limit", options, ["seed"] if options.limit is None else [])
    trained = read_trained(options.model, options.model_revision)
    searched = searched_tables(trained.features["search"], trained.features["retrieved"])
    tables = [options.config_name, table_name(options.config_name), *TABLES, *searched]
    folder = hub.resolve(options.dataset, tables, options.dataset_revision)
    record = _record(options, folder, trained)
    output = Path(options.output) if options.output else default_output(record)
    places.check_file(output, reads=[options.dataset, options.model])
    if stands(output, record, options.overwrite):
        return
    rows = shots.seeded_rows(folder, options.config_name, options.split, options.limit, options.seed)
    begin = time.perf_counter()
    scores = p_click(trained, folder, options.split, rows["sample_id"].to_numpy())
    seconds = time.perf_counter() - begin
    ids, label = rows["sample_id"].to_numpy(), rows["label"].to_numpy()
    record = record | {"seconds": round(seconds, 2)}
    write_scores(output, ids, users_of(folder, options.split, ids), label, scores, record)
    print(f"{output}: {len(scores):,} scores, {len(scores) / seconds:,.0f} samples/s.", flush=True)


def _record(options: ScoreArguments, folder: Path, trained) -> dict:
    samples = store.provenance(folder, "samples")
    if trained.features["corpus"] != samples["corpus"]:
        raise ValueError(
            f"The model {options.model!r} was trained on {trained.features['corpus']}, the data set is {samples['corpus']}."
        )
    pinned = {
        **{key: value for key, value in asdict(options).items() if key not in NOT_OF_THE_SCORES},
        "corpus": samples["corpus"],
        "samples_fingerprint": samples["fingerprint"],
        "base": None,
        "adapter": None,
        "model_identity": trained.identity,
        "libraries": {name: version(name) for name in ("torch",)},
    }
    name = Path(options.model)
    return {
        **pinned,
        "system": options.system or (name.parent.name if name.name == "model" else name.name),
        "dataset_folder": str(folder),
        "fingerprint": store.fingerprint(pinned),
    }
