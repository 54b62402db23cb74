"""What the card of a CTR-BERT or PTab says beside what every card says: its texts, its encoder, and the paper's row with both N."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rella_hub.cards.results import Comparison
from rella_hub.corpora import Corpus
from rella_hub.metrics import metrics
from rella_hub.paper.tables import read_table
from rella_hub.systems.encoder.options import MODELS

if TYPE_CHECKING:
    from rella_hub.cards.card import Card

TEMPLATE = "encoder.md.jinja"
SETTING = "full-shot"


def words(text: dict, card: Card) -> dict:
    """text: what the model says of its texts (text.json)."""
    data, training = card.run.data, card.run.training
    printed = paper_row(text["model"], data.corpus.id, card.main)
    return {
        "text": text,
        "architecture": MODELS[text["model"]],
        "masking": training.get("masking"),
        "cut": sum(side["cut"] for side in training["texts"]["train"].values()),
        "metrics": {metric.name: metric.title for metric in metrics() if not metric.by_user},
        "printed": printed,
        "differences": differences(text, training, data.corpus, data.made_from["raw_status"]) if printed else [],
    }


def paper_row(model: str, corpus: str, main: Comparison | None) -> dict | None:
    """The paper's row with its `source`, where ours is of the same corpus and of the whole test split."""
    if main is None or (main.corpus, main.split) != (corpus, "test") or main.own["record"]["limit"] is not None:
        return None
    table = read_table("overall")
    rows = table.where({"system": MODELS[model], "setting": SETTING, "corpus": corpus})
    return {**rows[0], "source": table.source} if rows else None


def differences(text: dict, training: dict, corpus: Corpus, raw_status: str) -> list[str]:
    """Why our row must not be read as a measurement of the same thing as the paper's."""
    found = []
    if text["num_shots"] is not None:
        found.append(
            f"Ours has seen N = {training['training_samples']:,} training samples, the paper's all of them: it is full-shot, ours is not."
        )
    if raw_status != "official":
        found.append(
            f"The data are not known to be the official {corpus.name} ({raw_status}), so the split may be another."
        )
    found.append(
        f"The paper names a BERT and not its size; ours starts from {training['encoder']['name']}. It prints neither the fields, nor the "
        "length of a text, nor whether the history is in it."
    )
    found.append("The paper prints no intervals, and its code keeps the epoch that is best on the test split.")
    return found
