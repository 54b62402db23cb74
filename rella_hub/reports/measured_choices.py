"""What files of choices measure, for a table of a paper on next items: each of the whole test split."""

from __future__ import annotations

from rella_hub.paper.facts import Measured
from rella_hub.paper.tables import PaperTable
from rella_hub.reports.choices import group_of, model_free, require_same_questions, row_of
from rella_hub.tables.choices import Choices

NOT_OF_A_SETTING = ("name", "sha256", "items_sha256")


def measured(table: PaperTable, files: list[Choices]) -> list[Measured]:
    """ValueError for choices that are not of the whole test split."""
    if not files:
        raise ValueError(
            f"--table {table.name} needs --choices: files of evaluation/choose.py on the whole test split."
        )
    return [_measure(table, one) for one in files]


def without_model(table: PaperTable, files: list[Choices]) -> list[Measured]:
    """The systems without a model on the questions of one corpus."""
    together = [one for one in files if group_of(one) == group_of(files[0])]
    require_same_questions(together)
    return [
        Measured(one.record["system"], {}, _values(table, one), {"system": one.record["system"]})
        for one in model_free(together)
    ]


def _measure(table: PaperTable, one: Choices) -> Measured:
    record = one.record
    if record["split"] != "test" or record["limit"] is not None:
        raise ValueError(f"{one.path} is not of the whole test split. Choose with --split test and without --limit.")
    model = record.get("model_identity") or {}
    settings = {key: value for key, value in model.items() if key not in NOT_OF_A_SETTING}
    facts = {
        "corpus": record["corpus"],
        "base": record.get("base"),
        **{name: model.get(name) for name in ("model", "family", "curriculum", "recommender")},
        "tuned": bool(model or record.get("adapter")),
        "shots": "all" if model and model.get("num_shots") is None else None,
    }
    return Measured(
        what=str(one.path),
        facts=facts,
        values=_values(table, one),
        names={"system": record["system"]},
        made_with=settings | {"candidates": record.get("candidates_fingerprint")} if model else None,
        weights=model.get("sha256"),
    )


def _values(table: PaperTable, one: Choices) -> dict[str, float]:
    row = row_of(one, None)
    return {name: value for name, value in row.metrics.items() if name in table.values}
