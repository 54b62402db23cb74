"""The rows of a report's results.json that belong to one model, beside what they must be compared with, and what follows from them.

An adapter or CTR model is known by the SHA-256 of its weights, so a folder that was renamed, copied or pulled from the Hub is still
found. What is said about better and worse is read off the 95 % interval of the AUC difference, paired within each resample: it must
leave 0 out. DeLong's test of the same difference stands beside it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from rella_hub.metrics import metrics
from rella_hub.tables.checked import COUNT, LINE, NAME, NUMBER, RECORD, optional, read_json, require
from rella_hub.tables.scores import RECORD_KINDS
from rella_hub.texts.shown import plain
from rella_hub.views import parse_config

ROW_KINDS = {
    **dict.fromkeys(("name", "system"), LINE),
    **dict.fromkeys(("corpus", "split", "config_name"), NAME),
    **dict.fromkeys(("base", "reference", "score_file"), optional(LINE)),
    **{"n": COUNT, "record": RECORD, "against": RECORD, "auc": RECORD},
    **dict.fromkeys(("auc_difference", "delong"), optional(RECORD)),
}
BETTER, WORSE, UNDECIDED = "better than", "worse than", "not told apart from"
ROW_KEYS = ("name", "system", "base", "corpus", "split", "config_name", "n", "auc", "record", "against")


@dataclass(frozen=True)
class Results:
    resamples: int  # of the bootstrap behind every interval
    comparisons: list[Comparison]  # in the order of the report, at least one


@dataclass(frozen=True)
class Verdict:
    outcome: str  # BETTER, WORSE or UNDECIDED
    against: dict  # the other row
    difference: dict  # of AUC, paired
    p: float | None  # of DeLong's test; None where there is none


@dataclass(frozen=True)
class Comparison:
    """The systems that scored the same samples as the model whose card it is."""

    corpus: str
    split: str
    config_name: str
    own: dict  # the row of the adapter or CTR model
    zero_shot: dict | None  # the row that the report compares it with: of an adapter, its base model alone
    model_free: list[dict]
    others: list[dict]  # whatever else was scored
    notes: list[str]  # the report's

    @property
    def of_adapter(self) -> bool:
        """Whether the card is an adapter's, which has a base model; a CTR model has none."""
        return self.own["base"] is not None

    @property
    def rows(self) -> list[dict]:
        return [self.own, *([self.zero_shot] if self.zero_shot else []), *self.model_free, *self.others]

    def what_is(self, row: dict) -> str:
        """A row of this comparison in words."""
        if row is self.own:
            return "this adapter" if self.of_adapter else "this model"
        if row is self.zero_shot:
            return "its base model alone" if self.of_adapter else "a language model alone"
        if row in self.model_free:
            return "no model"
        if row["record"].get("model_identity"):
            return "a traditional CTR model" if self.of_adapter else "another CTR model"
        if row["record"].get("adapter"):
            return "another adapter" if self.of_adapter else "an adapter"
        if row["base"]:
            return "another base model alone" if self.of_adapter else "a language model alone"
        return "another system"

    @property
    def verdicts(self) -> list[Verdict]:
        """Against zero-shot, then against the rows without a model."""
        found = []
        for row in [*([self.zero_shot] if self.zero_shot else []), *self.model_free]:
            paired = self.own["against"][row["name"]]
            difference, test = paired["auc_difference"], paired["delong"]
            outcome = _outcome(difference["low"] > 0, difference["high"] < 0)
            found.append(Verdict(outcome, row, difference, test and test["p"]))
        return found

    @property
    def beats_all(self) -> bool:
        """Better than zero-shot and than every row without a model, all of which are there; a CTR model needs no zero-shot."""
        there = self.model_free and (self.zero_shot or not self.of_adapter)
        return bool(there) and all(v.outcome == BETTER for v in self.verdicts)


def read_results(path: Path, sha256: str, kind: str, where: Path) -> Results:
    """One comparison for each corpus, split and config on which the model was scored; ValueError when there is none.

    kind: "adapter" or "model", the option of evaluation/score.py that takes it; where: its folder.
    """
    results = read_report(path)
    groups: dict[tuple, list[dict]] = {}
    for row in results["rows"]:
        groups.setdefault((row["corpus"], row["split"], row["config_name"]), []).append(row)
    found = [_comparison(rows, sha256, results["notes"]) for rows in groups.values()]
    found = [comparison for comparison in found if comparison]
    for comparison in found:
        _require_verdicts(comparison, path)
    if not found:
        scored = sorted({row["name"] for row in results["rows"]})
        raise ValueError(
            f"{path} has no row of the {kind} {where} (SHA-256 of its weights {sha256[:16]}...). It has: "
            f"{', '.join(scored) or 'nothing'}. Score the {kind} with python evaluation/score.py --{kind}, and make the report again."
        )
    return Results(results["resamples"], found)


def _require_verdicts(comparison: Comparison, path: Path) -> None:
    """ValueError where the report does not compare the model with a row that its card must compare it with."""
    for row in [*([comparison.zero_shot] if comparison.zero_shot else []), *comparison.model_free]:
        if row["name"] not in comparison.own["against"]:
            raise ValueError(
                f"{path} does not compare {plain(comparison.own['name'])} with {plain(row['name'])}. Make the report again."
            )


def main_comparison(comparisons: list[Comparison], corpus: str, config_name: str) -> Comparison:
    """The one that a model was trained for: same corpus, the test split, and its own view (the last of those that it mixes)."""
    config = parse_config(config_name)
    meant = config.tested_as.name if config else config_name
    return min(
        comparisons, key=lambda c: (c.corpus != corpus, c.split != "test", c.config_name not in (meant, config_name))
    )


def _comparison(rows: list[dict], sha256: str, notes: list[dict]) -> Comparison | None:
    own = next((row for row in rows if sha256_of(row["record"]) == sha256), None)
    if own is None:
        return None
    zero_shot = next((row for row in rows if row is not own and row["name"] == own["reference"]), None)
    model_free = [row for row in rows if row["base"] is None and row["score_file"] is None]
    told = [row["name"] for row in [own, *([zero_shot] if zero_shot else []), *model_free]]
    where = {key: own[key] for key in ("corpus", "split", "config_name")}
    return Comparison(
        **where,
        own=own,
        zero_shot=zero_shot,
        model_free=model_free,
        others=[row for row in rows if row["name"] not in told],
        notes=[note["note"] for note in notes if all(note[key] == value for key, value in where.items())],
    )


def sha256_of(record: dict) -> str | None:
    """Of the weights that a record of scores is about; None for a base model alone, and where there is no model."""
    return (record.get("adapter_identity") or record.get("model_identity") or {}).get("sha256")


def _outcome(better: bool, worse: bool) -> str:
    return BETTER if better else WORSE if worse else UNDECIDED


def _are_mappings(values: object) -> bool:
    return isinstance(values, list) and all(isinstance(value, dict) for value in values)


def _is_whole(results: dict) -> bool:
    return {"resamples", "seed"} <= results.keys() and all(_are_mappings(results.get(p)) for p in ("rows", "notes"))


def read_report(path: Path) -> dict:
    """A report's results.json, checked. ValueError where it is missing, of an earlier version, or holds anything else."""
    if not path.is_file():
        raise ValueError(f"There are no results {path}. They are written by python evaluation/report.py.")
    results = read_json(path)
    if not isinstance(results, dict) or not _is_whole(results):
        missing = ["rows, notes, resamples or seed"]
    else:
        keys = (*ROW_KEYS, "reference", "auc_difference", "score_file")
        missing = [key for row in results["rows"] for key in keys if key not in row]
    if missing or not isinstance(results, dict):
        raise ValueError(
            f"{path} lacks {missing[0]}: python evaluation/report.py did not write it, or one of version 0.2. Make the report again."
        )
    require(results, {"resamples": COUNT, "seed": COUNT}, str(path))
    for row in results["rows"]:
        _require_row(row, str(path))
    for note in results["notes"]:
        require(note, {"note": LINE} | dict.fromkeys(("corpus", "split", "config_name"), NAME), str(path))
    return results


def _require_row(row: dict, where: str) -> None:
    require(row, ROW_KINDS, where)
    record = require(row["record"], RECORD_KINDS, where)
    for key in ("base_identity", "adapter_identity", "model_identity"):
        require(record.get(key) or {}, {"name": LINE, "sha256": NAME, "revision": LINE}, f"{where}, {key}")
    for metric in metrics():
        _require_interval(row.get(metric.name), f"{where}, {metric.name}")
    _require_interval(row["auc_difference"], f"{where}, auc_difference")
    for paired in row["against"].values():
        kinds = {"auc_difference": RECORD, "delong": optional(RECORD)}
        paired = require(paired, kinds, f"{where}, against")
        _require_interval(paired["auc_difference"], f"{where}, auc_difference")
        if paired["delong"] is not None:
            require(paired["delong"], {"p": NUMBER}, f"{where}, delong")["p"]  # which it must have


def _require_interval(interval: object, where: str) -> None:
    if interval is not None:
        found = require(interval, dict.fromkeys(("value", "low", "high"), NUMBER), where)
        for key in ("value", "low", "high"):
            found[key]  # which it must have
