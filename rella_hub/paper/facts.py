"""What the record of a score file says that decides which row of a paper's table it belongs in.

corpus, base, view, history_length   of the prompts, or of what a model without prompts reads
model        the architecture of a trained model that is no language model: din
search       how a model that retrieves does so; subr for the others, and where a record does not say
tuned        false for a base model alone
shots        <1% or <10% of the training samples, or all where no number was asked for; null for others and where it is not known
num_shots    their number; null where that is not known, and for a model of all of them
trained_on   the view of the prompts that an adapter was trained on
similarity, dimension   of the vectors that the view retrieves by
style        of the prompts, or the mode of a ReLLaX system (lora_r); a row that does not ask for one is of the usual style
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from rella_hub.paper.tables import PaperTable
from rella_hub.prompts import style_of
from rella_hub.tables import store
from rella_hub.tables.scores import Scores
from rella_hub.views import POINTWISE, TABLE, parse_config, table_name, vectors_table, view_of

SUBR = "subr"
SHARES = {"<1%": 0.01, "<10%": 0.1}  # below which share of the training split
# What the paper calls so, as its authors say in the issues of the released code, whatever share it is: 8,192 is 1.06 % of 776,007.
CALLED = {"bookcrossing": {256: "<1%", 1024: "<10%"}, "ml1m": {8192: "<1%", 65536: "<10%"}}


@dataclass(frozen=True)
class Measured:
    """One measurement of ours: what it is of, and its numbers."""

    what: str  # the file or folder, for messages
    facts: dict
    values: Mapping[str, float]
    names: dict[str, str]  # `system` and `setting` of a row of its own, where no row of the paper is its
    made_with: dict | None = None  # of seeds of one another all the same; None where there are none
    weights: str | None = None  # SHA-256
    intervals: dict[str, tuple[float, float]] = field(default_factory=dict)  # of 95 %, of those values that have one


def belongs(facts: dict, row: dict, table: PaperTable) -> bool:
    """Whether a measurement with these facts is one of what the row of the paper is."""
    styled = facts.get("style") or POINTWISE
    if styled != POINTWISE and not any(
        "style" in (asked or {}) for ours in table.ours.values() for asked in ours.values()
    ):
        return False
    for key in table.keys:
        wanted = row[key]
        if wanted is None:
            continue
        asked = table.ours[key].get(wanted) if key in table.ours else {key: wanted}
        if asked is None or not all(_is(fact, facts.get(fact), value) for fact, value in asked.items()):
            return False
    return True


def _is(fact: str, found: object, wanted: object) -> bool:
    if fact == "base":  # vicuna-13b-v1.5 is Vicuna-13B
        return found is not None and str(wanted).lower() in str(found).lower()
    return found == wanted


def facts_of(scores: Scores) -> dict:
    record = scores.record
    model = record.get("model_identity") or {}
    view, history_length = view_of(record["config_name"])
    if "history_length" in model:
        view, history_length = None, model["history_length"]
    trained_on = record.get("training_config")
    return {
        "corpus": record["corpus"],
        "base": record["base"] and Path(record["base"]).name,
        "model": model.get("model"),
        "search": model.get("search") or SUBR,
        "tuned": bool(model or record["adapter"]),
        "shots": _shots(record, model),
        "num_shots": model.get("num_shots") if model else record.get("training_samples"),
        "trained_on": trained_on and view_of(trained_on)[0],
        "view": view,
        "history_length": history_length,
        "style": None if model else _style(record),
        **_retrieval(record, view),
    }


def names_of(scores: Scores, table: PaperTable) -> dict[str, str]:
    """`system` and `setting` where no row of the paper is its, so that it is not mistaken for one of the paper's."""
    record, model = scores.record, scores.record.get("model_identity")
    if table.over is not None:
        return _names_of_a_curve(scores, table)
    if model and "history_length" not in model:
        return {"system": record["system"], "setting": f"no model, {record['config_name']}"}
    if model:
        printed = [
            name for name, asked in table.ours.get("system", {}).items() if asked.get("model") == model.get("model")
        ]
        shots = model.get("num_shots")
        setting = "full-shot" if shots is None else f"{shots:,} shots"
        setting += "" if model.get("search") in (None, SUBR) else f", by {model['search']}"
        return {"system": (printed or [record["system"]])[0], "setting": setting}
    base = f" ({Path(record['base']).name})" if record["base"] else ""
    shots = record.get("training_samples")
    tuned = "tuned" if shots is None else f"{shots:,} shots"
    setting = f"{tuned if record['adapter'] else 'zero-shot'}, {record['config_name']}"
    return {"system": f"{record['system']}{base}", "setting": setting}


def _names_of_a_curve(scores: Scores, table: PaperTable) -> dict[str, str]:
    """What a measurement is called wherever on the curve it stands: without the number that the curve goes over."""
    record, model = scores.record, scores.record.get("model_identity")
    shots = (model or record).get("num_shots" if model else "training_samples")
    tuned = "zero-shot" if not (model or record["adapter"]) else "tuned" if shots is None else f"{shots:,} shots"
    config = parse_config(record["config_name"])
    read = (
        config.table.removeprefix(TABLE).removesuffix(f"_k{config.history_length}") if config else record["config_name"]
    )
    if model and "history_length" in model:
        name, tuned, read = record["system"], "full-shot" if shots is None else tuned, ""
    elif model:
        name, tuned = record["system"], "no model"
    else:
        name = record["system"] + (f" ({Path(record['base']).name})" if "base" not in table.shown else "")
    parts = [read] if "history_length" in table.shown else [record["config_name"] if read else ""]
    said = [*([name] if "system" not in table.shown else []), *([tuned] if table.over != "num_shots" else []), *parts]
    names = {"system": ", ".join(filter(None, [name, *parts])), "setting": ", ".join(filter(None, said))}
    return names if not model else {"base": "no base", **names}


def _style(record: dict) -> str:
    """A ReLLaX system is told more than its prompts, so it is in no row that does not ask for it."""
    return (record.get("adapter_identity") or {}).get("mode") or style_of(record["config_name"])


def _shots(record: dict, model: dict) -> str | None:
    shots = model.get("num_shots") if model else record.get("training_samples")
    if shots is None:
        return "all" if model else None
    folder = Path(record["dataset_folder"] or "")
    called = CALLED.get(record["corpus"], {}).get(shots)
    if called or not folder.is_dir():
        return called
    rows = store.count_rows(folder, "samples", "train")
    return next((name for name, below in SHARES.items() if shots / rows < below), None)


def _retrieval(record: dict, view: str | None) -> dict:
    folder = Path(record["dataset_folder"] or "")
    if view in (None, "recency") or not folder.is_dir():
        return {}
    made_from = store.provenance(folder, table_name(record["config_name"])) or {}
    config = parse_config(record["config_name"])
    vectors = store.provenance(folder, config.vectors_table if config else vectors_table(None)) or {}
    return {
        "similarity": made_from.get("similarity"),
        "dimension": made_from.get("dimension", vectors.get("dimension")),
    }
