"""What is published of a run's records: they hold identities already; a name of this machine in them becomes a Hub id or a bare name."""

from __future__ import annotations

import json
from pathlib import Path

from rella_hub.cards.facts import Facts
from rella_hub.cards.names import dataset_on_hub
from rella_hub.cards.publishing.identity import Identity, weights_of
from rella_hub.cards.results import sha256_of
from rella_hub.tables.checked import read_object
from rella_hub.tables.runs import public_name
from rella_hub.tables.scores import read_scores, write_scores

SCORES = "scores"
NAMED = ("base", "adapter", "model")  # what a record of scores may name, beside the data set


def public_recipe(recipe: dict, identity: Identity) -> dict:
    """A recipe that names the base model, where it has one, and the data set by their Hub ids."""
    named = {"dataset": identity.dataset, "base": identity.base}
    return recipe | {key: name for key, name in named.items() if name and key in recipe}


def public_record(record: dict, facts: Facts, identity: Identity) -> dict:
    """The record of scores in public names, without the note of where its data set lies. Its fingerprint is of identities, and stays."""
    names: dict[str, str | None] = {key: public_name(record[key]) for key in NAMED if record.get(key)}
    if is_own(record, facts):
        names |= {key: identity.model for key in ("adapter", "model") if key in names}
    if is_of_base(record, facts):
        names["base"] = identity.base
    identities = {f"{key}_identity": name for key, name in names.items() if record.get(f"{key}_identity")}
    renamed = {key: record[key] | {"name": name} for key, name in identities.items()}
    return record | names | renamed | {"dataset": _dataset(record, facts, identity), "dataset_folder": None}


def is_own(record: dict, facts: Facts) -> bool:
    return sha256_of(record) == facts.sha256


def is_of_base(record: dict, facts: Facts) -> bool:
    """Whether scores are of the base model that was trained on top of, alone or with something else on it."""
    base = record.get("base_identity")
    return bool(base and facts.base) and weights_of(base) == weights_of(facts.base)


def public_results(path: Path, facts: Facts, identity: Identity, score_files: list[str]) -> str:
    """The groups of a results.json in which the model has a row. score_files: the names of those that are published too."""
    results = read_object(path)
    groups = {_group(row) for row in results["rows"] if is_own(row["record"], facts)}
    rows = [_row(row, facts, identity, score_files) for row in results["rows"] if _group(row) in groups]
    notes = [note for note in results["notes"] if _group(note) in groups]
    return json.dumps(results | {"rows": rows, "notes": notes}, indent=2, allow_nan=False) + "\n"


def write_public_scores(source: Path, target: Path, facts: Facts, identity: Identity) -> None:
    """ValueError for scores of anything but the model of `facts` and its base model alone."""
    scores = read_scores(source)
    record = scores.record
    if not is_own(record, facts) and (record["adapter"] or not is_of_base(record, facts)):
        wanted = f"neither the {facts.noun} of {facts.folder} nor its base model alone"
        raise ValueError(
            f"{source} has the scores of {record['system']!r}, which is "
            f"{wanted if facts.base else f'not the {facts.noun} of {facts.folder}'}. Give no other score files; other models have "
            "repositories of their own."
        )
    write_scores(
        target, scores.sample_id, scores.user_id, scores.label, scores.score, public_record(record, facts, identity)
    )


def _row(row: dict, facts: Facts, identity: Identity, score_files: list[str]) -> dict:
    if not row["score_file"]:  # those without a model
        return row
    record, file = public_record(row["record"], facts, identity), Path(row["score_file"]).name
    return row | {
        "base": record["base"],
        "score_file": f"{SCORES}/{file}" if file in score_files else file,
        "record": record,
    }


def _dataset(record: dict, facts: Facts, identity: Identity) -> str:
    """The Hub id of the data set that was scored. ValueError where it has none."""
    scored_on, trained_on = record["dataset"], facts.recipe["dataset"]
    place = Path(scored_on if Path(scored_on).is_dir() else record.get("dataset_folder") or scored_on)
    if place.is_dir() and place.resolve() == facts.data.folder.resolve():
        return identity.dataset
    found = dataset_on_hub(scored_on, record["corpus"], identity.dataset, trained_on)
    if found is None:
        raise ValueError(
            f"{record['system']!r} was scored on the data set {scored_on}, a folder of this machine that is not the one that was "
            f"trained on ({trained_on}). Push it with python dataset_builders/push.py, and score with --dataset and its Hub id."
        )
    return found


def _group(row: dict) -> tuple[str, str, str]:
    return row["corpus"], row["split"], row["config_name"]
