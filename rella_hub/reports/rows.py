"""From score files to the rows of a report: every metric with its interval, and every AUC beside those it must be compared with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from rella_hub.metrics import Metric, metrics
from rella_hub.metrics.uncertainty.bootstrap import FEWEST_USERS, Interval, interval, resample
from rella_hub.metrics.uncertainty.delong import Difference, compare_aucs
from rella_hub.reports.same_samples import folder_of, group_of, grouped, users_of_group
from rella_hub.systems import REFERENCE, model_free
from rella_hub.systems.model_free import MODEL_FREE
from rella_hub.tables.constant import is_constant
from rella_hub.tables.scores import Scores

COMPARED_BY = "auc"


@dataclass(frozen=True)
class Paired:
    """The AUC of a row minus that of another on the same samples."""

    difference: Interval  # taken within each resample
    test: Difference | None  # DeLong's; None where too few users have one of the labels


@dataclass(frozen=True)
class Row:
    """One system on the samples of its group."""

    name: str  # unique in its group
    scores: Scores
    values: dict[str, Interval | None]  # by the name of the metric; None where it is not defined on these samples
    reference: str | None  # name of the row that AUC is compared with; its own name for that row itself
    against: dict[str, Paired]  # the reference and, for a row with a model, each row without one, by name

    @property
    def paired(self) -> Paired | None:
        """Against the reference; None for the reference itself and where there is none."""
        return self.against.get(self.reference)


@dataclass(frozen=True)
class Group:
    """The systems that scored the same samples of one corpus, config and split."""

    corpus: str
    config_name: str
    split: str
    users: int | None  # whose samples these are; None where that is not known
    rows: list[Row]
    notes: list[str]  # what the reader must know about this group

    @property
    def label(self) -> np.ndarray:
        """(n,) labels, the same for every row."""
        return self.rows[0].scores.label


def compare(files: list[Scores], resamples: int, seed: int) -> list[Group]:
    """Groups of score files in order of corpus, split and config; rows in the order given, those without a model last."""
    return [_compare_group(together, resamples, seed) for together in grouped(files)]


def _compare_group(files: list[Scores], resamples: int, seed: int) -> Group:
    corpus, split, config_name = group_of(files[0])
    users = users_of_group(files)
    without_model, notes = _without_model(files)
    count = None if users is None else len(np.unique(users))
    if users is not None and count is not None and count >= FEWEST_USERS:
        drawn = users
    else:
        why = (
            f"{files[0].path} is of version 0.2, which kept no users, and the data set is not in a folder here"
            if count is None
            else f"resamples of users need {FEWEST_USERS} users or more, here the number of users is {count}"
        )
        notes.append(f"intervals and tests take each sample for a user of its own, so they are too narrow: {why}.")
        drawn = np.arange(len(files[0].label))
    systems = [*files, *without_model]
    values, more = _measure(systems, users, drawn, resamples, seed)
    notes += more
    notes += [_constant(scores) for scores in files if is_constant(scores.score)]
    references = [_reference(scores, files) for scores in systems]
    rows, more = _rows(systems, values, references, drawn)
    notes += more
    lacking = [row.name for row in rows if row.reference is None]
    if lacking:
        notes.append(f"no AUC difference for {', '.join(lacking)}: {_why_no_reference(files)}.")
    return Group(corpus, config_name, split, count, rows, notes)


@dataclass(frozen=True)
class _Measured:
    value: float
    resampled: np.ndarray  # (R,)


def _measure(
    systems: list[Scores], users: np.ndarray | None, drawn: np.ndarray, resamples: int, seed: int
) -> tuple[list[dict[str, _Measured]], list[str]]:
    """For each system its metrics, as far as they are defined, and what must be said of them. drawn: (n,) what resamples draw."""
    label, notes = systems[0].label, []
    found: dict[tuple[int, str], float] = {}
    functions: dict[tuple[int, str], Callable] = {}
    for metric in metrics():
        if metric.by_user and users is not None and drawn is not users:
            notes.append(f"no {metric.title}: its interval needs resamples of users.")
            continue
        try:
            remark = metric.remark(label, users)
            notes += [f"{remark}."] if remark else []
            for s, scores in enumerate(systems):
                found[s, metric.name] = metric.of(scores.score, label, users)
                functions[s, metric.name] = metric.repeated(scores.score, label, users)
        except ValueError as error:
            notes.append(f"no {metric.title}: {error}")
            for s in range(len(systems)):
                found.pop((s, metric.name), None)
                functions.pop((s, metric.name), None)
    resampled = resample(functions, drawn, resamples, seed)
    notes += [note for metric in metrics() if (note := _undefined(metric, resampled.get((0, metric.name))))]
    values = [
        {name: _Measured(found[s, name], resampled[s, name]) for s, name in found if s == t}
        for t in range(len(systems))
    ]
    return values, notes


def _undefined(metric: Metric, resampled: np.ndarray | None) -> str | None:
    if resampled is None:
        return None
    lost = int(np.isnan(resampled).sum())
    return (
        f"{lost} of {len(resampled)} resamples have no {metric.title}, as where all labels are the same; its intervals leave them out."
        if lost
        else None
    )


def _rows(
    systems: list[Scores], values: list[dict[str, _Measured]], references: list[int | None], users: np.ndarray
) -> tuple[list[Row], list[str]]:
    names, notes, rows = _names(systems), [], []
    floor = [s for s, scores in enumerate(systems) if scores.path is None]
    for s, (scores, reference) in enumerate(zip(systems, references, strict=True)):
        against = {} if reference in (None, s) else {reference: None}
        against |= dict.fromkeys(floor if s not in floor else ())
        pairs = {}
        for other in against:
            mine, theirs = values[s][COMPARED_BY], values[other][COMPARED_BY]
            difference = interval(mine.value - theirs.value, mine.resampled - theirs.resampled)
            test, note = _test(scores, systems[other], users)
            notes += [note] if note else []
            pairs[names[other]] = Paired(difference, test)
        rows.append(
            Row(
                name=names[s],
                scores=scores,
                values={metric.name: _interval(values[s].get(metric.name), metric) for metric in metrics()},
                reference=None if reference is None else names[reference],
                against=pairs,
            )
        )
    return rows, list(dict.fromkeys(notes))


def _interval(measured: _Measured | None, metric: Metric) -> Interval | None:
    if measured is None or (metric.name != COMPARED_BY and np.isnan(measured.resampled).all()):
        return None
    return interval(measured.value, measured.resampled)


def _test(scores: Scores, other: Scores, users: np.ndarray) -> tuple[Difference | None, str | None]:
    try:
        return compare_aucs(scores.label, scores.score, other.score, users), None
    except ValueError as error:
        return None, f"no test of the AUC differences: {error}"


def _without_model(files: list[Scores]) -> tuple[list[Scores], list[str]]:
    """The scores of the systems that need no model, and why there are none of some."""
    first = files[0]
    folder = folder_of(files)
    *most, last = MODEL_FREE
    without = f"no rows for {', '.join(most)} and {last}"
    if folder is None:
        return [], [f"{without}: the data set {first.record['dataset']} is not in a folder here."]
    corpus, split, config_name = group_of(first)
    missing = model_free.missing_table(folder, config_name)
    if missing is not None:
        return [], [f"{without}: {folder} lacks the table {missing}."]
    found, notes = [], []
    for system, scorer in MODEL_FREE.items():
        try:
            label, score = scorer(folder, config_name, split, first.sample_id)
        except model_free.NotFitted as error:
            notes.append(f"no row for {system}: {error}.")
            continue
        if not np.array_equal(label, first.label):
            raise ValueError(
                f"{first.path} has other labels than {folder / 'samples'}, so that table was rebuilt after the scores. Score again."
            )
        record = {"system": system, "base": None, "corpus": corpus, "split": split, "config_name": config_name}
        found.append(Scores(None, first.sample_id, None, label, score, record))
    return found, notes


def _reference(scores: Scores, files: list[Scores]) -> int | None:
    """The row `scores` is compared with: zero-shot on the same base, which read the prompts alike; or, for a system without a base,
    the only one."""
    zero_shot = [i for i, other in enumerate(files) if other.record["system"] == REFERENCE]
    if scores.record["base"] is not None:
        zero_shot = [i for i in zero_shot if _reads_as(files[i].record) == _reads_as(scores.record)]
    return zero_shot[0] if len(zero_shot) == 1 else None


def _reads_as(record: dict) -> tuple:
    """The base model of a record as it is called, and what decides how it reads and answers beside its name."""
    identity = record.get("base_identity") or {}
    return (
        record["base"],
        *(identity.get(key) for key in ("weights", "config", "tokenizer")),
        record.get("chat_template_kwargs"),
    )


def _constant(scores: Scores) -> str:
    return (
        f"WARNING: {scores.record['system']} has the same score ({scores.score[0]:.6f}) for all {len(scores.score):,} samples, so its row "
        "tells nothing"
    )


def _why_no_reference(files: list[Scores]) -> str:
    count = sum(scores.record["system"] == REFERENCE for scores in files)
    return (
        f"no {REFERENCE} scores were given"
        if not count
        else f"not exactly one {REFERENCE} of the same base model, read in the same way, was given"
    )


def _names(systems: list[Scores]) -> list[str]:
    """The system's name, with the folder of the scores, or else their whole path, where several rows have the same."""
    names = [scores.record["system"] for scores in systems]
    for place in (lambda path: path.parent.name, str):
        names = [
            f"{scores.record['system']} ({place(scores.path)})" if scores.path and names.count(name) > 1 else name
            for name, scores in zip(names, systems, strict=True)
        ]
    return names
