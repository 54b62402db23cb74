"""The copies of a run's records that are published: what was a folder of this machine has its Hub id, and nothing else changes.

Reading a published recipe, result or score file, anybody gets to the same base, data set and model by name.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import yaml

from rella_hub.cards.names import HUB_ID, dataset_on_hub, is_in_folder
from rella_hub.cards.publishing.identity import Identity, weights_of
from rella_hub.cards.results import sha256_of
from rella_hub.tables import store
from rella_hub.tables.checked import read_json
from rella_hub.tables.scores import read_scores, write_scores

SCORES = "scores"
OF_THE_FILE = (
    *("system", "dataset_folder", "training_samples", "training_config", "trainable_weights", "base_proved"),
    *("fingerprint", "seconds", "tokens"),
)  # not in the fingerprint of a record
IN_A_RUN = ("adapter", "model")  # the folders of a run that hold what was trained


class PublishedRun(Protocol):
    """What a run of either kind is known by."""

    folder: Path
    recipe: dict
    recipe_text: str
    sha256: str


@dataclass(frozen=True)
class Copies:
    """The copies of `run`, under the names of `identity`. base: of an adapter, the record of the base it was trained on."""

    run: PublishedRun
    identity: Identity
    base: dict | None = None

    def recipe(self) -> str:
        recipe = public_recipe(self.run.recipe, self.identity)
        return self.run.recipe_text if recipe == self.run.recipe else yaml.safe_dump(recipe, sort_keys=False)

    def results(self, path: Path, score_files: list[str]) -> str:
        """The groups of a results.json in which the model has a row. score_files: the names of those that are published too."""
        results = read_json(path)
        groups = {_group(row): row["record"] for row in results["rows"] if self._is_own(row["record"])}
        rows = [self._row(row, score_files) for row in results["rows"] if _group(row) in groups]
        notes = []
        for note in results["notes"]:
            if _group(note) in groups:
                record = groups[_group(note)]
                dataset = self._dataset(record)
                folders = {f for f in (record["dataset_folder"], record["dataset"]) if f and f != dataset}
                notes.append(note | {"note": _renamed(note["note"], folders, dataset)})
        return json.dumps(results | {"rows": rows, "notes": notes}, indent=2, allow_nan=False) + "\n"

    def write_scores(self, source: Path, target: Path) -> None:
        scores = read_scores(source)
        record = scores.record
        if not self._is_own(record) and (record["adapter"] or not self._is_of_base(record)):
            one = "neither the adapter of {} nor its base model alone" if self.base else "not the model of {}"
            raise ValueError(
                f"{source} has the scores of {record['system']!r}, which is {one.format(self.run.folder)}. Give no other score files; "
                "other models have repositories of their own."
            )
        write_scores(target, scores.sample_id, scores.user_id, scores.label, scores.score, self._record(record))

    def _row(self, row: dict, score_files: list[str]) -> dict:
        record = self._record(row["record"]) if row["score_file"] else row["record"]  # those without a model
        file = row["score_file"] and Path(row["score_file"]).name
        return row | {
            "base": record["base"],
            "score_file": f"{SCORES}/{file}" if file in score_files else file,
            "record": record,
        }

    def _record(self, record: dict) -> dict:
        """The record of scores in public names, its fingerprint that of what it says now."""
        from_folder = self._is_of_base(record) and is_in_folder(record["base_identity"])
        base = self.identity.base if from_folder else _last_name(record["base"])
        changed = {"base": base, "dataset": self._dataset(record), "dataset_folder": None}
        changed |= {key: self._name(record, key) for key in IN_A_RUN if key in record}
        for key in ("base", *IN_A_RUN):
            if record.get(f"{key}_identity"):
                changed[f"{key}_identity"] = record[f"{key}_identity"] | {"name": changed[key]}
        made = record | changed
        pinned = {key: value for key, value in made.items() if key not in OF_THE_FILE}
        return made | {"fingerprint": store.fingerprint(pinned)}

    def _name(self, record: dict, key: str) -> str | None:
        own = record[key] is not None and self._is_own(record)
        return self.identity.model if own else _last_name(record[key])

    def _is_own(self, record: dict) -> bool:
        return sha256_of(record) == self.run.sha256

    def _is_of_base(self, record: dict) -> bool:
        identity = record.get("base_identity")
        return bool(identity and self.base) and weights_of(identity) == weights_of(self.base)

    def _dataset(self, record: dict) -> str:
        trained_on, scored_on = self.run.recipe["dataset"], record["dataset"]
        if Path(scored_on).is_dir() and Path(scored_on).resolve() == Path(trained_on).resolve():
            return self.identity.dataset
        found = dataset_on_hub(scored_on, record["corpus"], self.identity.dataset, trained_on)
        if found is None:
            raise ValueError(
                f"{record['system']!r} was scored on the data set {scored_on}, a folder of this machine that is not the one that was "
                f"trained on ({trained_on}). Push it with python dataset_builders/push.py, and score with --dataset and its Hub id."
            )
        return found


def public_recipe(recipe: dict, identity: Identity) -> dict:
    """A recipe that names the base, where it has one, and the data set by their Hub ids."""
    return recipe | {"dataset": identity.dataset} | ({"base": identity.base} if identity.base else {})


def _group(row: dict) -> tuple[str, str, str]:
    return row["corpus"], row["split"], row["config_name"]


def _last_name(name: str | None) -> str | None:
    """A Hub id as it is; of a folder its own name, of one in a run that of the run."""
    if name is None or (HUB_ID.fullmatch(name) and not Path(name).is_dir()):
        return name
    path = Path(name)
    return path.parent.name if path.name in IN_A_RUN else path.name


def _renamed(text: str, folders: set[str], name: str) -> str:
    for folder in sorted(folders, key=len, reverse=True):
        text = re.sub(rf"(?<![\w./-]){re.escape(folder)}(?![\w-])", name, text)
    return text
