"""What the card of a ReLLaX system says beside what every card says: what was added to LoRA, and the CTR model in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rella_hub.prompts import load_style, style_of
from rella_hub.systems.ctr.architecture import read_architecture
from rella_hub.systems.rellax.options import GATED, MODES, PROMPTED
from rella_hub.tables import store
from rella_hub.views import compares_vectors, shown_in_words, view_of

if TYPE_CHECKING:
    from rella_hub.cards.card import Card

TEMPLATE = "rellax.md.jinja"


def words(mark: dict, card: Card) -> dict:
    """mark: what the system says of itself (rellax.json)."""
    run = card.run
    config_name = run.recipe["config_name"]
    view, history_length = view_of(config_name)
    return {
        "mark": mark,
        "adds": MODES[mark["mode"]],
        "gated": mark["mode"] in GATED,
        "prompted": mark["mode"] in PROMPTED,
        "architecture": read_architecture(mark["ctr"]["model"]),
        "latest": "latest" if run.data.corpus.words.in_time_order else "last (in random order)",
        "shown": shown_in_words(config_name, run.data.corpus.words),
        "history_length": history_length,
        "by_meaning": compares_vectors(view) if view else False,
        "prompts": store.provenance(run.data.folder, config_name),
        "answers": load_style(style_of(config_name)).ANSWERS,
    }
