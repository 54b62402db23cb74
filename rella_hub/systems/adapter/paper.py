"""The paper's rows for a corpus, and everything that makes them other measurements than ours."""

from __future__ import annotations

from rella_hub.corpora import Corpus
from rella_hub.paper.tables import PaperTable, read_table
from rella_hub.texts.shown import in_markdown
from rella_hub.views import view_of

BASE = "Vicuna-13B"


def paper_rows(corpus: str, base: str) -> list[dict]:
    """The paper's language models on a corpus, its ablations, and the best system it trained on everything; each with its `source`.

    Where the paper has tuned our base model too, those rows are there as well. Empty for a corpus that the paper does not have.
    """
    overall, ablation, compatibility = (read_table(name) for name in ("overall", "ablation", "compatibility"))
    rows = _from(overall, corpus)
    tuned = [row for row in rows if row["base"]]
    full_shot = sorted((row for row in rows if not row["base"]), key=lambda row: -row["auc"])[:1]
    parts = [row for row in _from(ablation, corpus) if row["setting"] != "zero-shot" and row["system"] != "ReLLa"]
    same_base = [
        row
        for row in _from(compatibility, corpus)
        if row["base"] and row["base"] != BASE and row["base"].lower() in base.lower()
    ]
    return [*tuned, *parts, *same_base, *full_shot]


def paper_weights() -> int:
    """The number of trainable weights that the paper prints."""
    (row,) = read_table("efficiency").where({"system": "ReLLa"})
    return row["trainable_weights"]


def differences(own: dict, base: str, corpus: Corpus, raw_status: str, encoder: str | None) -> list[str]:
    """Why the adapter's row must not be read as a measurement of the same thing as the paper's."""
    found = []
    if BASE.lower() not in base.lower():
        found.append(f"The base model is {in_markdown(base)}, the paper's is {BASE}.")
    if raw_status != "official":
        found.append(
            f"The data are not known to be the official {corpus.name} ({raw_status}): where timestamps differ, so do the split, the "
            "histories and the answers."
        )
    if own["record"]["limit"] is not None:
        found.append(f"{own['n']:,} samples were scored, a seeded choice; the paper scores its whole test split.")
    view, history_length = view_of(own["config_name"])
    shown = {row["history_length"] for row in _from(read_table("overall"), corpus.id)} - {None}
    if history_length not in shown:
        found.append(
            f"The prompts show {history_length} behaviors, those of the paper's few-shot rows {_either(shown)}."
        )
    if view != "recency" and encoder and BASE.lower() not in encoder.lower():
        found.append(f"Behaviors are retrieved by vectors of {in_markdown(encoder)}, the paper's by those of {BASE}.")
    found.append("The sentences of the prompts are ours.")
    found.append("The paper's zero-shot rows of a base model are of the best K, not of one K.")
    found.append("The paper prints no intervals, and its code keeps the epoch that is best on the test split.")
    return found


def _from(table: PaperTable, corpus: str) -> list[dict]:
    return [{"history_length": None, **row, "source": table.source} for row in table.where({"corpus": corpus})]


def _either(values: set[int]) -> str:
    return " or ".join(map(str, sorted(values)))
