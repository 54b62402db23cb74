"""The copies of a run's records that are published: what was a folder of this machine has its Hub id, and nothing else changes.

Reading a published recipe, result or score file, anybody gets to the same base, data set and adapter by name.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path

import yaml

from dataset_builders.tables import store
from evaluation.scores.table import read_scores, write_scores
from model_cards.adapter.names import HUB_ID, dataset_on_hub, is_in_folder
from model_cards.adapter.run import BASE_RECORD, Run
from model_cards.publishing.identity import Identity, weights_of

ADAPTER_CONFIG, SCORES = "adapter_config.json", "scores"
OF_THE_FILE = ("system", "dataset_folder", "fingerprint", "seconds", "tokens")  # not in a record's fingerprint
OF_THIS_MACHINE = ("is_local", "local_files_only")  # how a tokenizer was loaded, which transformers saves with it


@dataclass(frozen=True)
class Copies:
    """The copies of `run`, under the names of `identity`."""

    run: Run
    identity: Identity

    def recipe(self) -> str:
        recipe = self.run.recipe | {"base": self.identity.base, "dataset": self.identity.dataset}
        return self.run.recipe_text if recipe == self.run.recipe else yaml.safe_dump(recipe, sort_keys=False)

    def adapter_config(self) -> str:
        config = _read(self.run.adapter / ADAPTER_CONFIG) | {"base_model_name_or_path": self.identity.base}
        return json.dumps(config, indent=2, sort_keys=True) + "\n"

    def base_record(self) -> str:
        return json.dumps(_read(self.run.adapter / BASE_RECORD) | {"name": self.identity.base}, indent=2) + "\n"

    def results(self, path: Path, score_files: list[str]) -> str:
        """The groups of a results.json in which the adapter has a row. score_files: the names of those that are published too."""
        results = json.loads(path.read_text(encoding="utf-8"))
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
            raise ValueError(
                f"{source} has the scores of {record['system']!r}, which is neither the adapter of {self.run.folder} nor its base model "
                "alone. Give their score files only; other adapters have repositories of their own."
            )
        write_scores(target, scores.sample_id, scores.label, scores.score, self._record(record))

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
        adapter = self.identity.adapter if self._is_own(record) else _last_name(record["adapter"])
        changed = {"base": base, "adapter": adapter, "dataset": self._dataset(record), "dataset_folder": None}
        for key, name in (("base_identity", base), ("adapter_identity", adapter)):
            if record.get(key):
                changed[key] = record[key] | {"name": name}
        made = record | changed
        pinned = {key: value for key, value in made.items() if key not in OF_THE_FILE}
        return made | {"fingerprint": store.fingerprint(pinned)}

    def _is_own(self, record: dict) -> bool:
        return (record.get("adapter_identity") or {}).get("sha256") == self.run.sha256

    def _is_of_base(self, record: dict) -> bool:
        identity = record.get("base_identity")
        return bool(identity) and weights_of(identity) == weights_of(self.run.base)

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


def tokenizer_file(path: Path) -> str:
    """A file of a tokenizer without how it was loaded."""
    text = path.read_text(encoding="utf-8")
    if path.name != "tokenizer_config.json":
        return text
    config = {key: value for key, value in json.loads(text).items() if key not in OF_THIS_MACHINE}
    return json.dumps(config, indent=2, ensure_ascii=False) + "\n"


def _group(row: dict) -> tuple[str, str, str]:
    return row["corpus"], row["split"], row["config_name"]


def _last_name(name: str | None) -> str | None:
    """A Hub id as it is; of a folder its own name, for an adapter that of its run."""
    if name is None or (HUB_ID.fullmatch(name) and not Path(name).is_dir()):
        return name
    path = Path(name)
    return path.parent.name if path.name == "adapter" else path.name


def _renamed(text: str, folders: set[str], name: str) -> str:
    for folder in sorted(folders, key=len, reverse=True):
        text = re.sub(rf"(?<![\w./-]){re.escape(folder)}(?![\w-])", name, text)
    return text


def _read(path: Path) -> dict:
    if not path.is_file():
        raise ValueError(f"There is no {path}. A finished run of python training/sft.py has it; run it again.")
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} cannot be read: {error}") from error
