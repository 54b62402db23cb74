"""From files of choices to the rows of a report: exact intervals, and McNemar's test between systems on the same questions.

    HitRatio@1 = right answers / questions          an answer that is no candidate is a wrong one
    McNemar:  p of a fair coin for b against c      the questions that one of two systems answers right, and the other wrong

Intervals are Clopper and Pearson's; a next-item task asks each user once, so questions are independent.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.stats import binomtest

from rella_hub.metrics import choice_metrics
from rella_hub.systems.model_free_choices import MODEL_FREE_CHOICES, answered
from rella_hub.tables.choices import NONE, Choices

OF_SCORES = ("ndcg",)  # metrics that need a score of each candidate


@dataclass(frozen=True)
class Share:
    """So many of all questions, with the exact 95 % interval."""

    count: int
    of: int

    @property
    def value(self) -> float:
        return self.count / self.of

    @property
    def interval(self) -> tuple[float, float]:
        found = binomtest(self.count, self.of).proportion_ci(method="exact")
        return float(found.low), float(found.high)


@dataclass(frozen=True)
class Test:
    """Of a row against the first one: questions that it alone answers right, that the first alone does, and McNemar's exact p."""

    ours: int
    theirs: int

    @property
    def p(self) -> float:
        return float(binomtest(self.ours, self.ours + self.theirs).pvalue) if self.ours + self.theirs else 1.0


@dataclass(frozen=True)
class Row:
    name: str
    choices: Choices
    right: Share
    valid: Share
    metrics: dict[str, float]  # every metric of choices that is defined
    test: Test | None  # None for the first row


@dataclass(frozen=True)
class Group:
    """The systems that answered the same questions."""

    corpus: str
    split: str
    draw: int
    rows: list[Row]


def compare(files: list[Choices]) -> list[Group]:
    """Groups in order of corpus, split and draw; rows in the order given, those without a model last.

    ValueError where two files of a group have other questions.
    """
    if not files:
        raise ValueError("there is nothing to report on. Give files of choices with --choices.")
    groups: dict[tuple, list[Choices]] = {}
    for one in files:
        groups.setdefault(group_of(one), []).append(one)
    return [_group(*key, groups[key]) for key in sorted(groups)]


def group_of(one: Choices) -> tuple[str, str, int]:
    return one.record["corpus"], one.record["split"], one.record["draw"]


def require_same_questions(files: list[Choices]) -> None:
    """ValueError unless all have the same samples and the same candidates."""
    first = files[0]
    for other in files[1:]:
        if not np.array_equal(first.sample_id, other.sample_id):
            shared = len(np.intersect1d(first.sample_id, other.sample_id))
            raise ValueError(
                f"{first.path} and {other.path} answer different questions: {len(first.sample_id)} and {len(other.sample_id)}, of which "
                f"{shared} are the same. Choose again with the same --limit, or make two reports."
            )
        if first.item_ids.shape != other.item_ids.shape or (first.item_ids != other.item_ids).any():
            raise ValueError(
                f"{first.path} and {other.path} were given other candidates, so the data set was built again in between. Choose again."
            )


def model_free(files: list[Choices]) -> list[Choices]:
    """The systems without a model on the same questions; none where the data set is not here."""
    folder = next((Path(f) for one in files if (f := one.record.get("dataset_folder")) and Path(f).is_dir()), None)
    return [] if folder is None else [answered(name, folder, files[0]) for name in MODEL_FREE_CHOICES]


def _group(corpus: str, split: str, draw: int, files: list[Choices]) -> Group:
    require_same_questions(files)
    rows = []
    for one in [*files, *model_free(files)]:
        rows.append(row_of(one, rows[0].choices if rows else None))
    return Group(corpus, split, draw, rows)


def row_of(one: Choices, first: Choices | None) -> Row:
    """One system, tested against the first one."""
    n, right = len(one.sample_id), one.is_right
    names = [metric for metric in choice_metrics() if one.scores is not None or metric.name not in OF_SCORES]
    measured = {metric.name: metric.of(one.predictions, one.references) for metric in names}
    measured["hit_ratio"] = float(right.mean())  # of the answer given: of equal scores the first listed
    test = None
    if first is not None:
        test = Test(int((right & ~first.is_right).sum()), int((~right & first.is_right).sum()))
    valid = Share(int((one.chosen != NONE).sum()), n)
    return Row(one.record["system"], one, Share(int(right.sum()), n), valid, measured, test)
