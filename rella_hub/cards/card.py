"""The card of a trained system of any family, from what the family says of it, a report's results and the data set."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from huggingface_hub import ModelCardData

from rella_hub.cards.arguments import CardArguments
from rella_hub.cards.facts import Facts
from rella_hub.cards.model_index import TAGS, corpus_terms, eval_results, hub_metrics
from rella_hub.cards.names import Names, dataset_on_hub, names_of, require_hub_id
from rella_hub.cards.results import Comparison, main_comparison, read_results
from rella_hub.cards.templates import fill
from rella_hub.cards.write import write
from rella_hub.files import places
from rella_hub.texts.shown import plain

PAPER = "arxiv:2308.11131"


@dataclass(frozen=True)
class Card:
    """All that a template says."""

    title: str
    run: Facts
    names: Names
    comparisons: list[Comparison]  # none where it is not scored yet
    main: Comparison | None  # the one that it was made for
    resamples: int | None  # behind the intervals of the results
    licence: dict[str, Any]  # the keys of the YAML that say it; none where the corpus's terms hold
    figure: str | None = None  # a picture of the results beside the card
    permission: str | None = None  # that of the corpus's publisher to pass its data on, in the user's words

    @property
    def record(self) -> dict | None:
        """Of the scores that the card is about."""
        return self.main.own["record"] if self.main else None

    @property
    def config_name(self) -> str:
        return self.main.config_name if self.main else self.run.config_name


def write_card(options: CardArguments, facts: Facts) -> None:
    """Write the card of `options`, and the training curve beside it."""
    check_names(options, facts)
    output = Path(options.output) if options.output else facts.result / "README.md"
    places.check_file(output, reads=[options.results])
    card = card_of(options, facts)
    write(render(card, options), output, facts.curve, card.names.local, facts.result, options.overwrite)


def check_names(options, facts: Facts) -> None:
    """ValueError for a name that is no Hub id, or of a base model where there is none. options: of a card or a push."""
    if facts.base is None and getattr(options, "base_model_id", None) is not None:
        raise ValueError(f"{facts.folder} holds a {facts.noun} that has no base model. Leave out --base_model_id.")
    for option in ("hub_model_id", "base_model_id", "dataset_id"):
        require_hub_id(option, getattr(options, option, None))


def card_of(
    options: CardArguments,
    facts: Facts,
    licence: dict[str, Any] | None = None,
    figure: str | None = None,
    permission: str | None = None,
) -> Card:
    """licence: the keys of the YAML that say it, where --license alone does not."""
    found = read_results(Path(options.results), facts.sha256, facts.noun, facts.result) if options.results else None
    comparisons = found.comparisons if found else []
    main = main_comparison(comparisons, facts.data.corpus.id, facts.config_name) if comparisons else None
    return Card(
        title=options.hub_model_id or f"{facts.data.corpus.id}-{facts.folder.resolve().name}",
        run=facts,
        names=names_of(options, facts, main.own["record"] if main else None),
        comparisons=comparisons,
        main=main,
        resamples=found.resamples if found else None,
        licence=licence or ({"license": options.license} if options.license else {}),
        figure=figure,
        permission=permission,
    )


def render(card: Card, options: CardArguments) -> str:
    """The text of a card, the same for the same inputs."""
    facts, licence = card.run, card.licence
    trained_on = facts.recipe["dataset"]
    scored = [
        (c, dataset_on_hub(c.own["record"]["dataset"], c.corpus, options.dataset_id, trained_on))
        for c in card.comparisons
    ]
    values = {one.name: getattr(card, one.name) for one in fields(card)} | {
        "metadata": _metadata(card, scored),
        "data": facts.data,
        "corpus": facts.data.corpus,
        "item": facts.data.corpus.words.item,
        "official": facts.data.made_from["raw_status"] == "official",
        "record": card.record,
        "config_name": card.config_name,
        "licence": licence.get("license_name") or licence.get("license"),
    }
    return fill(facts.template, **(values | facts.words(card)))


def _metadata(card: Card, scored: list[tuple[Comparison, str | None]]) -> str:
    """The YAML between the two `---`. scored: each comparison with the Hub id of its data set."""
    hub, names = card.run.on_hub, card.names
    base = {"base_model": plain(names.base_on_hub), "base_model_relation": hub.relation} if names.base_on_hub else {}
    return ModelCardData(
        model_name=plain(card.title.rsplit("/", 1)[-1]) if scored else None,  # of its `model-index`
        language=["en"],
        **(card.licence or corpus_terms(card.run.data.corpus, names.dataset_on_hub)),
        library_name=hub.library,
        pipeline_tag=hub.pipeline,
        **base,
        datasets=[names.dataset_on_hub] if names.dataset_on_hub else None,
        metrics=hub_metrics() if scored else None,
        tags=[*TAGS, *hub.tags, PAPER],
        eval_results=[one for comparison, on in scored for one in eval_results(comparison, on, hub.task)] or None,
    ).to_yaml()
