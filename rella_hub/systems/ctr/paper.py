"""The paper's row of an architecture on a corpus, and everything that makes it another measurement than ours."""

from __future__ import annotations

from rella_hub.cards.results import Comparison
from rella_hub.corpora import Corpus
from rella_hub.paper.tables import read_table
from rella_hub.systems.adapter.paper import BASE
from rella_hub.texts.shown import in_markdown

SETTING = "full-shot"


def paper_row(architecture: str, corpus: str, num_shots: int | None, main: Comparison) -> dict | None:
    """The row with its `source`, where it is of the same setting: trained on everything, scored on the whole test split."""
    same = num_shots is None and (main.corpus, main.split) == (corpus, "test") and main.own["record"]["limit"] is None
    table = read_table("overall")
    rows = table.where({"system": architecture, "setting": SETTING, "corpus": corpus}) if same else []
    return {**rows[0], "source": table.source} if rows else None


def differences(corpus: Corpus, raw_status: str, main: Comparison, searched_by: str | None) -> list[str]:
    """Why our row must not be read as a measurement of the same thing as the paper's. searched_by: the encoder of SIM's search."""
    found = []
    if raw_status != "official":
        found.append(
            f"The data are not known to be the official {corpus.name} ({raw_status}): where timestamps differ, so do the split and the "
            "histories."
        )
    if main.own["n"] == corpus.published_rows.get(main.split):
        found.append(f"{main.own['n']:,} samples of the test split were scored, a seeded choice of ours.")
    if searched_by and BASE.lower() not in searched_by.lower():
        found.append(
            f"Behaviors are retrieved by vectors of {in_markdown(searched_by)}, the paper's by those of {BASE}."
        )
    found.append("The paper's table does not print how many behaviors the model sees, nor which settings were chosen.")
    found.append("The paper prints no intervals, and its code keeps the epoch that is best on the test split.")
    return found
