"""What files of evaluation/cost.py measure, for a table of a paper: trained weights, and the time that a sample takes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from rella_hub.paper.facts import Measured, facts_of, names_of
from rella_hub.paper.tables import PaperTable
from rella_hub.systems.cost import read_cost
from rella_hub.tables.scores import Scores


def measured(table: PaperTable, paths: Sequence[str]) -> list[Measured]:
    """Two of each file: the time one sample at a time, which is what the paper's row is, and that of all at once, in a row of its own."""
    if not paths:
        raise ValueError(f"--table {table.name} needs --costs: files of evaluation/cost.py.")
    return [one for path in paths for one in _of_file(table, Path(path))]


def _of_file(table: PaperTable, path: Path) -> list[Measured]:
    cost = read_cost(path)
    nothing = np.empty(0)
    scores = Scores(path, nothing, nothing, nothing, nothing, cost["record"])
    names = names_of(scores, table)
    weights = {} if cost["trainable_weights"] is None else {"trainable_weights": cost["trainable_weights"]}
    found = []
    for how in ("one_at_a_time", "batched"):
        values = weights | {"milliseconds_per_sample": cost["milliseconds"][how]}
        own = {"system": f"{names['system']}, {how.replace('_', ' ')}", "base": cost["record"]["base"] or "no base"}
        facts = facts_of(scores) if how == "one_at_a_time" else {"corpus": cost["record"]["corpus"]}
        found.append(Measured(f"{path}, {how}", facts, {k: v for k, v in values.items() if k in table.values}, own))
    return found
