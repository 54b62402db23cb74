"""What the card of a P5 says beside what every card says: its text, its T5, and the paper's row with both N."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from rella_hub.cards.results import Comparison
from rella_hub.corpora import Corpus
from rella_hub.metrics import metrics
from rella_hub.paper.tables import read_table
from rella_hub.systems.seq2seq.text import Texts
from rella_hub.systems.vocabulary import Values

if TYPE_CHECKING:
    from rella_hub.cards.card import Card

TEMPLATE = "seq2seq.md.jinja"
SYSTEM, SETTING = "P5", "full-shot"


def words(mark: dict, values: Values, card: Card) -> dict:
    """mark: what the model says of its texts (p5.json); values: its vocabulary."""
    corpus, training = card.run.data.corpus, card.run.training
    printed = paper_row(corpus.id, card.main)
    released = card.main is not None and card.main.own["record"]["model_identity"]["whole_words_in_scoring"] is False
    return {
        "mark": mark,
        "users": values.field_sizes["user_id"] - 1,
        "items": values.field_sizes["item_id"] - 1,
        "example": example(corpus, bool(mark["history_length"])),
        "released": released,
        "cut": training["texts"]["train"]["cut"],
        "metrics": {metric.name: metric.title for metric in metrics() if not metric.by_user},
        "printed": printed,
        "differences": differences(mark, training, corpus, card.run.data.made_from["raw_status"]) if printed else [],
    }


def example(corpus: Corpus, history: bool) -> str:
    """A text with invented numbers, in the words of the corpus."""
    low, high = corpus.rating_range
    ratings = np.array([low, high])
    texts = Texts(corpus.words, 9, 99, ratings)
    shown = np.array([[history, history]])
    return texts.texts(*texts.codes(np.array([7]), np.array([12]), np.array([[9, 3]]), ratings[None], shown))[0]


def paper_row(corpus: str, main: Comparison | None) -> dict | None:
    """The paper's row with its `source`, where ours is of the same corpus and of its test split."""
    if main is None or (main.corpus, main.split) != (corpus, "test"):
        return None
    table = read_table("overall")
    rows = table.where({"system": SYSTEM, "setting": SETTING, "corpus": corpus})
    return {**rows[0], "source": table.source} if rows else None


def differences(mark: dict, training: dict, corpus: Corpus, raw_status: str) -> list[str]:
    """Why our row must not be read as a measurement of the same thing as the paper's."""
    found = []
    if mark["num_shots"] is not None:
        found.append(
            f"Ours has seen N = {training['training_samples']:,} training samples, the paper's all of them: it is full-shot, ours is not."
        )
    if raw_status != "official":
        found.append(
            f"The data are not known to be the official {corpus.name} ({raw_status}), so the split may be another."
        )
    found.append(
        f"The paper does not print the size of its T5; ours starts from {training['t5']['name']}. It prints neither its prompt nor whether "
        "the history is in it."
    )
    found.append("The paper prints no intervals, and its code keeps the epoch that is best on the test split.")
    return found
