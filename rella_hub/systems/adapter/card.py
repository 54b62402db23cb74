"""What the card of an adapter says beside what every card says: its view, the code that scores a prompt, and the paper's rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rella_hub.cards.facts import TrainingData
from rella_hub.cards.results import Comparison
from rella_hub.corpora import load_corpus
from rella_hub.language_models import chat_template
from rella_hub.prompts import load_style, style_of
from rella_hub.systems.adapter import paper
from rella_hub.tables import store
from rella_hub.views import compares_vectors, load_view, shown_in_words, view_of

if TYPE_CHECKING:
    from rella_hub.cards.card import Card

TEMPLATE = "adapter.md.jinja"


def words(card: Card) -> dict:
    run, main = card.run, card.main
    assert run.base is not None, "an adapter has a base model"
    record = card.record or _untested(run.recipe, run.base)
    config_name = run.recipe["config_name"]
    view, history_length = view_of(config_name)
    assert view is not None, f"{config_name} holds no prompts"
    return {
        "latest": "latest" if run.data.corpus.words.in_time_order else "last (in random order)",
        "record": record,
        "shown": shown_in_words(config_name, run.data.corpus.words),
        "history_length": history_length,
        "by_meaning": compares_vectors(view),
        "prompts": store.provenance(run.data.folder, config_name),
        "split": main.split if main else "test",
        "num_shots": run.training["training_rows"] // load_view(view).rows_per_sample,
        "papers": _papers([main, *card.comparisons], run.data, card.names.base or run.base["name"]) if main else [],
        "paper_weights": paper.paper_weights(),
        "answers": load_style(style_of(config_name)).ANSWERS,
        "chat": _template(record.get("chat_template_kwargs") or {}),
    }


def _untested(recipe: dict, base: dict) -> dict:
    """What the record of scores would say of an adapter that has none, as far as its run knows."""
    return {
        "dataset_revision": recipe["dataset_revision"],
        "dtype": recipe.get("dtype", "auto"),
        "quantization": recipe["quantization"],
        "chat_template_kwargs": base.get("chat_template_kwargs"),
    }


def _template(arguments: dict) -> dict:
    """The arguments of the chat template as Python code takes them: those that a template reads, its own text and its date apart."""
    others = {key: value for key, value in arguments.items() if key != chat_template.TEMPLATE}
    read = {key: value for key, value in others.items() if key != chat_template.CLOCK}
    call = "".join(f", {key}={value!r}" for key, value in read.items())
    return {
        "call": call,
        "text": arguments.get(chat_template.TEMPLATE),
        "day": arguments.get(chat_template.CLOCK),
        "arguments": others,
    }


def _papers(comparisons: list[Comparison], data: TrainingData, base: str) -> list[dict]:
    """For each corpus of the paper among `comparisons`: its name, the paper's rows, and why they are not comparable with the first."""
    first: dict[str, Comparison] = {}
    for comparison in comparisons:
        first.setdefault(comparison.corpus, comparison)
    found = []
    for corpus, comparison in ((load_corpus(name), comparison) for name, comparison in first.items()):
        rows = paper.paper_rows(corpus.id, base)
        if rows:
            trained_on = corpus.id == data.corpus.id
            status = data.made_from["raw_status"] if trained_on else "status unknown"
            encoder = data.encoder if trained_on else None
            why = paper.differences(comparison.own, base, corpus, status, encoder)
            found.append({"corpus": corpus.name, "rows": rows, "differences": why})
    return found
