"""The metrics: each file here is one `evaluate.Metric` for predicted probabilities, and adding a file is registering it.

They hold what click-through papers print. Every file says the range, whether more or less is better, and one example worked by
hand, and raises rather than give a number that means nothing. Reports, cards, figures and Spaces show whatever is here. Two
ways in:

    from rella_hub.metrics.auc import AUC, auc          # in this project: the class, or the function it wraps
    evaluate.load("rella_hub/metrics/auc.py")           # alone and from anywhere, without the network

The second way copies that one file, which is why each file repeats its few lines of checks instead of importing them. A file
`<name>.py` has the function `<name>(predictions, references)`, its class, and these constants, each a plain value:

    VERSION           rises whenever the metric would give another number for the same input
    TITLE, PLACE      as papers print it, and which column of a table it has
    HUB_ID            as the Hub calls it in the results of a card
    HIGHER_IS_BETTER, BOUNDS, EXAMPLE
    BY_USER           optional, True: the function takes `users` (n,) too

and may have two functions more: `repeated(predictions, references)`, which gives the metric as a function of how many times each
sample occurs, without doing everything again (the bootstrap is slow without it); and `remark(references)`, a sentence that readers
of a report must know, or None.
"""

from __future__ import annotations

import ast
import importlib
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rella_hub.metrics import choices
from rella_hub.open_folder import find, members

Value = Callable[[np.ndarray], float]  # how many times each sample occurs (n,) → the metric


@dataclass(frozen=True)
class Metric:
    """What the file of a metric says, and its functions, which are imported when they are first called: that imports torch."""

    name: str  # the stem of its file, and its key in results
    version: int
    title: str
    place: int
    hub_id: str
    higher_is_better: bool
    bounds: tuple[float, float]
    example: dict[str, list]  # arguments of `compute`
    by_user: bool
    package: str = __name__

    def of(
        self, predictions: np.ndarray | list, references: np.ndarray | list, users: np.ndarray | None = None
    ) -> float:
        """ValueError where the metric is not defined, as it is without users where it goes by user."""
        return getattr(self._module, self.name)(predictions, references, *self._users(users))

    def repeated(self, predictions: np.ndarray, references: np.ndarray, users: np.ndarray | None = None) -> Value:
        """The metric as a function of how many times each sample occurs; NaN where it is not defined then."""
        columns = (predictions, references, *self._users(users))
        if hasattr(self._module, "repeated"):
            return self._module.repeated(*columns)

        def value(times: np.ndarray) -> float:
            try:
                return getattr(self._module, self.name)(*(np.repeat(column, times) for column in columns))
            except ValueError:
                return float("nan")

        return value

    def remark(self, references: np.ndarray, users: np.ndarray | None = None) -> str | None:
        """What the reader of a report must know about this metric of these samples."""
        return self._module.remark(references, *self._users(users)) if hasattr(self._module, "remark") else None

    @property
    def _module(self):
        return importlib.import_module(f"{self.package}.{self.name}")

    def _users(self, users: np.ndarray | None) -> tuple:
        if not self.by_user:
            return ()
        if users is None:
            raise ValueError(
                f"{self.title} needs the user of each sample. Score again: score files of 0.2 do not hold it."
            )
        return (users,)


def metrics() -> list[Metric]:
    """All of them, in the order of their columns."""
    found = [_read(name) for name in members(sys.modules[__name__])]
    return sorted(found, key=lambda metric: (metric.place, metric.name))


def choice_metrics() -> list[Metric]:
    """Those of questions with candidates (rella_hub/metrics/choices/), which take other columns, in their order."""
    found = [_read(name, choices.__name__) for name in members(choices)]
    return sorted(found, key=lambda metric: (metric.place, metric.name))


def file_of(name: str) -> Path:
    """The file of a metric; ValueError that lists the others when there is none of that name."""
    package = choices if name in members(choices) else sys.modules[__name__]
    return find(package, "metric", name)


def measure(labels: np.ndarray, scores: np.ndarray) -> dict[str, float]:
    """Every metric, by name, of P(Yes) `scores` (n,) for 0/1 `labels` (n,), as far as it needs no more than these."""
    return {metric.name: metric.of(scores, labels) for metric in metrics() if not metric.by_user}


def _read(name: str, package: str = __name__) -> Metric:
    """Read off the source: importing the file would import `evaluate` and with it torch, which no card waits for."""
    path = file_of(name)
    constants = {}
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id.isupper():
            constants[node.targets[0].id.lower()] = node.value
    declared = ("version", "title", "place", "hub_id", "higher_is_better", "bounds", "example")
    missing = [constant.upper() for constant in declared if constant not in constants]
    if missing:
        raise ValueError(
            f"{path} does not say its {', '.join(missing)}. rella_hub/metrics/__init__.py says what a metric says."
        )
    by_user = "by_user" in constants and ast.literal_eval(constants["by_user"])
    return Metric(
        name=name,
        by_user=by_user,
        package=package,
        **{constant: ast.literal_eval(constants[constant]) for constant in declared},
    )
