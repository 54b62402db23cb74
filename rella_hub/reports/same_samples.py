"""Which score files may be compared, and whose the samples are that they share.

Systems are compared when corpus, config and split are the same. They must then have scored the same samples: a group with
differing samples is an error, because a difference between systems would partly be one between samples.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from rella_hub.tables import store
from rella_hub.tables.scores import Scores, users_of


def grouped(files: list[Scores]) -> list[list[Scores]]:
    """The score files of each corpus, split and config, in natural order; ValueError where those of one do not belong together."""
    _refuse_repeated(files)
    groups: dict[tuple, list[Scores]] = {}
    for scores in files:
        groups.setdefault(group_of(scores), []).append(scores)
    for together in groups.values():
        _check_same_samples(together)
        _check_same_prompts(together)
    return [groups[key] for key in sorted(groups, key=lambda key: [natural_order(name) for name in key])]


def group_of(scores: Scores) -> tuple[str, str, str]:
    return tuple(scores.record[key] for key in ("corpus", "split", "config_name"))


def natural_order(name: str) -> list[str | int]:
    """subr_k5 before subr_k10."""
    return [int(part) if i % 2 else part for i, part in enumerate(re.split(r"(\d+)", name))]


def folder_of(files: list[Scores]) -> Path | None:
    """The folder of the data set that the files are on, where it is here."""
    folders = [Path(scores.record["dataset_folder"]) for scores in files if scores.record["dataset_folder"]]
    return next((folder for folder in folders if folder.is_dir()), None)


def users_of_group(files: list[Scores]) -> np.ndarray | None:
    """(n,) the user of each sample of score files on the same samples; None where neither they nor a data set here tell."""
    known = [(scores.path, scores.user_id) for scores in files if scores.user_id is not None]
    for path, users in known[1:]:
        if not np.array_equal(users, known[0][1]):
            raise ValueError(
                f"{known[0][0]} and {path} score the same samples of different users, so the data set was rebuilt in "
                "between. Score both again."
            )
    if known:
        return known[0][1]
    folder = folder_of(files)
    if folder is None or not store.table_splits(folder, "samples"):
        return None
    return users_of(folder, files[0].record["split"], files[0].sample_id)


def _refuse_repeated(files: list[Scores]) -> None:
    paths = [scores.path.resolve() for scores in files if scores.path]
    for path in paths:
        if paths.count(path) > 1:
            raise ValueError(f"{path} is given {paths.count(path)} times. Give each score file once.")


def _check_same_samples(files: list[Scores]) -> None:
    first = files[0]
    where = " ".join(group_of(first))
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
                "was rebuilt in between. Score both again."
            )
    if first.label.min() == first.label.max():
        raise ValueError(
            f"{first.path}: all {len(first.label)} labels are {first.label[0]}, and AUC compares samples of label 1 with samples of "
            "label 0. Score more samples (a larger --limit, or none)."
        )


def _check_same_prompts(files: list[Scores]) -> None:
    """Systems that read different prompts under one name cannot be compared, nor can `history_mean` stand for both.

    A system that reads no prompts may stand beside any of them.
    """
    reading = [scores for scores in files if scores.record.get("prompts_fingerprint") is not None]
    for scores in reading[1:]:
        if scores.record["prompts_fingerprint"] != reading[0].record["prompts_fingerprint"]:
            raise ValueError(
                f"{scores.path} and {reading[0].path} scored different prompts, both named {scores.record['config_name']}: the data set "
                "was rebuilt in between. Score the older one again."
            )
