"""What the card of a traditional CTR model says beside what every card says: the architecture, what it sees, and the paper's row."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rella_hub.metrics import metrics
from rella_hub.systems.ctr import paper
from rella_hub.systems.ctr.architecture import read_architecture
from rella_hub.systems.vocabulary import Values

if TYPE_CHECKING:
    from rella_hub.cards.card import Card

TEMPLATE = "ctr_model.md.jinja"


def words(sees: dict, values: Values, searched: str | None, card: Card) -> dict:
    """sees: what the model sees (features.json); searched: the view that it retrieves by, None where it needs none."""
    data, main = card.run.data, card.main
    architecture = read_architecture(sees["model"])
    printed = main and paper.paper_row(architecture.name, data.corpus.id, card.run.recipe["num_shots"], main)
    status = data.made_from["raw_status"]
    return {
        "latest": "most recent" if data.corpus.words.in_time_order else "last (in random order)",
        "sees": sees,
        "searched": searched,
        "architecture": architecture,
        "fields": {field: values.field_sizes[field] - 1 for field in data.corpus.features},
        "ratings": values.rating_values - 1,
        "metrics": {metric.name: metric.title for metric in metrics() if not metric.by_user},
        "printed": printed,
        "differences": paper.differences(data.corpus, status, main, data.encoder) if printed else [],
    }
