"""The options of training a recommender that reads texts, and what its run folders are known by."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from rella_hub.cli.options import option
from rella_hub.systems.sequential import options as sequential
from rella_hub.tables import runs

RESULT, RUN, MARK = "model", "slim run", "slim.json"
READS = sequential.READS
ID, PLUS, FUSION, AGNOSTIC = VARIANTS = ("id", "plus", "fusion", "agnostic")
READ_ITEM_TEXTS = (PLUS, FUSION, AGNOSTIC)
READ_RATIONALES = (FUSION, AGNOSTIC)


def holds(folder: Path) -> bool:
    return runs.is_of(folder, RUN, RESULT, MARK)


@dataclass(frozen=True)
class ScoreOptions:
    """A recommender chooses in one way."""


@dataclass(frozen=True)
class Options(sequential.Options):
    tied: bool = option(
        "Score an item by the vector that it has in histories: SLIM compares one vector of an item with the user's.",
        True,
    )
    history_length: int = option("K, the most recent behaviors that the model sees (SLIM does not say; ours).", 10)
    metric_for_best_model: str = option(
        "Validation metric over all items that chooses the epoch: ndcg_at_20 or hit_at_20. Never on test.", "ndcg_at_20"
    )
    variant: str = option(
        "id: item ids alone; plus: item texts beside the ids; fusion: and a rationale of the user beside the history (SLIM, ID-based); "
        "agnostic: item texts and rationales alone (SLIM, ID-agnostic; --model has no effect).",
        FUSION,
    )
    rationales: str | None = option(
        "fusion, agnostic: whose user texts are read, as embed_texts.py calls them: teacher (SLIM⁻), student (SLIM), student_step1, or "
        "titles, the control without a rationale.",
        None,
    )
    shuffled: bool = option(
        "The control in which users get each other's rationales: what a rationale says of its own user is lost.", False
    )
    activity_group: int | None = option(
        "Train and validate on one fifth of the users alone, from 1, the least active, to 5 (SLIM's sparsity groups).",
        None,
    )
