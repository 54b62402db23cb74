"""From score files to the rows of a report: which systems may be compared, and every metric with its interval.

Systems are compared when corpus, config and split are the same. They must then have scored the same samples: a group with
differing samples is an error, because a difference between systems would partly be one between samples.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rella_hub.metrics.accuracy import accuracy
from rella_hub.metrics.auc import auc
from rella_hub.metrics.log_loss import log_loss
from rella_hub.metrics.uncertainty.bootstrap import Interval, Resampled, interval, resample
from rella_hub.systems import REFERENCE, model_free
from rella_hub.systems.model_free import MODEL_FREE
from rella_hub.tables.constant import is_constant
from rella_hub.tables.scores import Scores


@dataclass(frozen=True)
class Row:
    """One system on the samples of its group."""

    name: str  # unique in its group
    scores: Scores
    auc: Interval
    log_loss: Interval
    accuracy: Interval
    reference: str | None  # name of the row that AUC is compared with; its own name for that row itself
    auc_difference: Interval | None  # to the reference, paired; None for the reference and where there is none


@dataclass(frozen=True)
class Group:
    """The systems that scored the same samples of one corpus, config and split."""

    corpus: str
    config_name: str
    split: str
    rows: list[Row]
    notes: list[str]  # what the reader must know about this group

    @property
    def label(self) -> np.ndarray:
        """(n,) labels, the same for every row."""
        return self.rows[0].scores.label


def compare(files: list[Scores], resamples: int, seed: int) -> list[Group]:
    """Groups of score files in order of corpus, split and config; rows in the order given, those without a model last."""
    _refuse_repeated(files)
    groups: dict[tuple, list[Scores]] = {}
    for scores in files:
        groups.setdefault(_group_of(scores), []).append(scores)
    return [_compare_group(groups[key], resamples, seed) for key in sorted(groups, key=_natural_order)]


def _group_of(scores: Scores) -> tuple[str, str, str]:
    return tuple(scores.record[key] for key in ("corpus", "split", "config_name"))


def _natural_order(key: tuple[str, str, str]) -> list:
    return [natural_order(name) for name in key]


def natural_order(name: str) -> list[str | int]:
    """subr_k5 before subr_k10."""
    return [int(part) if i % 2 else part for i, part in enumerate(re.split(r"(\d+)", name))]


def _refuse_repeated(files: list[Scores]) -> None:
    paths = [scores.path.resolve() for scores in files]
    for path in paths:
        if paths.count(path) > 1:
            raise ValueError(f"{path} is given {paths.count(path)} times. Give each score file once.")


def _compare_group(files: list[Scores], resamples: int, seed: int) -> Group:
    _check_same_samples(files)
    _check_same_prompts(files)
    corpus, split, config_name = _group_of(files[0])
    label = files[0].label
    if label.min() == label.max():
        raise ValueError(
            f"{files[0].path}: all {len(label)} labels are {label[0]}, and AUC compares samples of label 1 with samples of "
            "label 0. Score more samples (a larger --limit, or none)."
        )
    without_model, notes = _without_model(files)
    systems = [*files, *without_model]
    drawn = resample(label, np.stack([scores.score for scores in systems]), resamples, seed)
    if drawn.one_class:
        notes.append(
            f"{drawn.one_class} of {resamples} resamples hold one label only; they count for LogLoss and ACC, not for AUC."
        )
    notes += [_constant(scores) for scores in files if is_constant(scores.score)]
    rows = _rows(systems, [_reference(scores, files) for scores in systems], drawn)
    lacking = [row.name for row in rows if row.reference is None]
    if lacking:
        notes.append(f"no AUC difference for {', '.join(lacking)}: {_why_no_reference(files)}.")
    return Group(corpus, config_name, split, rows, notes)


def _check_same_prompts(files: list[Scores]) -> None:
    """Systems that read different prompts under one name cannot be compared, nor can `history_mean` stand for both.

    A traditional CTR model reads none, so it may stand beside any of them.
    """
    reading = [scores for scores in files if "model_identity" not in scores.record]
    for scores in reading[1:]:
        if scores.record.get("prompts_fingerprint") != reading[0].record.get("prompts_fingerprint"):
            raise ValueError(
                f"{scores.path} and {reading[0].path} scored different prompts, both named {scores.record['config_name']}: the data set "
                "was rebuilt in between. Score again what is older."
            )


def _rows(systems: list[Scores], references: list[int | None], drawn: Resampled) -> list[Row]:
    names = _names(systems)
    aucs = [auc(scores.score, scores.label) for scores in systems]
    rows = []
    for s, (scores, reference) in enumerate(zip(systems, references, strict=True)):
        difference = None
        if reference not in (None, s):
            difference = interval(aucs[s] - aucs[reference], drawn.auc[s] - drawn.auc[reference])
        rows.append(
            Row(
                name=names[s],
                scores=scores,
                auc=interval(aucs[s], drawn.auc[s]),
                log_loss=interval(log_loss(scores.score, scores.label), drawn.log_loss[s]),
                accuracy=interval(accuracy(scores.score, scores.label), drawn.accuracy[s]),
                reference=None if reference is None else names[reference],
                auc_difference=difference,
            )
        )
    return rows


def _check_same_samples(files: list[Scores]) -> None:
    first = files[0]
    where = " ".join(_group_of(first))
    for other in files[1:]:
        if not np.array_equal(first.sample_id, other.sample_id):
            shared = len(np.intersect1d(first.sample_id, other.sample_id))
            raise ValueError(
                f"{first.path} and {other.path} score different samples of {where}: {len(first.sample_id)} and "
                f"{len(other.sample_id)}, of which {shared} are the same. Score both with the same --limit, or make two reports."
            )
        if not np.array_equal(first.label, other.label):
            raise ValueError(
                f"{first.path} and {other.path} score the same samples of {where} with different labels, so the data set "
                "was built anew in between. Score both again."
            )


def _without_model(files: list[Scores]) -> tuple[list[Scores], list[str]]:
    """The scores of the systems that need no model, or why there are none."""
    first = files[0]
    folders = [Path(f.record["dataset_folder"]) for f in files if f.record["dataset_folder"]]
    folder = next((folder for folder in folders if folder.is_dir()), None)
    without = f"no rows for {' and '.join(MODEL_FREE)}"
    if folder is None:
        return [], [f"{without}: the data set {first.record['dataset']} is not in a folder here."]
    corpus, split, config_name = _group_of(first)
    missing = model_free.missing_table(folder, config_name)
    if missing is not None:
        return [], [f"{without}: {folder} lacks the table {missing}."]
    found = []
    for system, scorer in MODEL_FREE.items():
        label, score = scorer(folder, config_name, split, first.sample_id)
        if not np.array_equal(label, first.label):
            raise ValueError(
                f"{first.path} has other labels than {folder / 'samples'}, so that table was built anew after the scores. "
                "Score again."
            )
        record = {"system": system, "base": None, "corpus": corpus, "split": split, "config_name": config_name}
        found.append(Scores(None, first.sample_id, label, score, record))
    return found, []


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
