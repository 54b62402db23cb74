"""What the intervals say, in a sentence: as ready to say that a model is worse as that it is better."""

from __future__ import annotations

from rella_hub.cards.model_index import DIGITS
from rella_hub.cards.results import BETTER, UNDECIDED, WORSE, Comparison, Verdict
from rella_hub.metrics.uncertainty.p_value import p_text
from rella_hub.texts.shown import as_code


def sentence(comparison: Comparison) -> str:
    """Better than, not told apart from, worse than: every row the model must be compared with, with the numbers that say so."""
    verdicts = comparison.verdicts
    parts = []
    for outcome in (BETTER, UNDECIDED, WORSE):
        against = [_evidence(v) for v in verdicts if v.outcome == outcome]
        if against:
            parts.append(f"**{outcome}** {_listed(against)}")
    this = "this adapter" if comparison.of_adapter else "this model"
    said = [f"By AUC, {number(comparison.own['auc'])}, {this} is {_listed(parts)}."] if parts else []
    if not comparison.zero_shot and comparison.of_adapter:
        said.append(
            "There are no zero-shot scores of its base model to compare with, so it is not known whether tuning helped."
        )
    if not comparison.model_free:
        said.append("There are no rows without a model to compare with.")
    return " ".join(said)


def number(interval: dict | None, sign: str = "") -> str:
    """0.7012 [0.6911, 0.7103]; a dash where there is none."""
    if interval is None:
        return "–"
    value, low, high = (f"{interval[key]:{sign}.{DIGITS}f}" for key in ("value", "low", "high"))
    return f"{value} [{low}, {high}]"


def _evidence(verdict: Verdict) -> str:
    printed = None if verdict.p is None else p_text(verdict.p)
    p = "" if printed is None else f", p {printed}" if printed.startswith("<") else f", p = {printed}"
    return f"{as_code(verdict.against['name'])} (difference {number(verdict.difference, '+')}{p})"


def _listed(parts: list[str]) -> str:
    *most, last = parts
    return f"{', '.join(most)} and {last}" if most else last
