"""One click: what a person typed → what is shown, what is asked, and what every system answers, as texts for a table."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from rella_hub.demo.case import Case, Example, as_text, examples, typed_case
from rella_hub.demo.catalogue import TABLES, Catalogue, open_catalogue
from rella_hub.demo.options import DemoOptions
from rella_hub.demo.shown import LONGEST, VIEWS, positions, prompt, similarities
from rella_hub.demo.systems import Systems
from rella_hub.hub import resolve as hub
from rella_hub.prompts.pointwise import in_stars
from rella_hub.systems import choice
from rella_hub.systems.score_options import SystemOptions
from rella_hub.texts.shown import plain
from rella_hub.views import POINTWISE, Config
from rella_hub.views import TABLE as OF_A_VIEW

DIGITS = 6  # of P(Yes)
SCORE_COLUMNS = ("system", "what it is", "P(Yes)")
VIEW_COLUMNS = ("behavior", "similarity", "attention")


@dataclass(frozen=True)
class Answer:
    views: dict[str, list[list[str]]]  # of each view, the behaviors that it shows: VIEW_COLUMNS
    prompt: str
    scores: list[list[str]]  # SCORE_COLUMNS
    said: str  # a sentence: what the columns are of, or what was wrong


class Demo:
    """A data set with systems, and samples to begin with."""

    def __init__(self, catalogue: Catalogue, systems: Systems, options: DemoOptions):
        self.catalogue, self.systems, self.history_length = catalogue, systems, options.history_length
        self.examples: list[Example] = examples(catalogue, options.examples)

    @property
    def notice(self) -> str:
        """What whoever opens the demo must know of its data."""
        corpus = self.catalogue.corpus
        if corpus.may_be_redistributed:
            return f"{corpus.name}: {corpus.terms}"
        return f"{corpus.name}: {corpus.terms} So this Space shall be private, and what it shows is for those who may see it."

    def person(self, user: int) -> str:
        """A profile as a prompt tells it."""
        corpus = self.catalogue.corpus
        told = corpus.words.profile(self.catalogue.users[[user]])[0]
        return f"user {self.catalogue.users['user_id'][user]}: {told or 'nothing is known'}"

    def answer(self, user: int, history: str, target: str, view: str, history_length: float) -> Answer:
        """Never an error: what is wrong is a sentence in `said`."""
        try:
            return self._answer(user, history, target, view, history_length)
        except ValueError as error:
            return Answer({name: [] for name in VIEWS}, "", [], plain(error, 2_000))

    def _answer(self, user: int, history: str, target: str, view: str, history_length: float) -> Answer:
        if view not in VIEWS:
            raise ValueError(f"There is no view {plain(view, 40)!r} here. Choose one of {', '.join(VIEWS)}.")
        if not 1 <= history_length <= LONGEST or history_length != int(history_length):
            raise ValueError(f"K is {history_length:g}; a whole number from 1 to {LONGEST} is needed.")
        case = self._case(user, history, target)
        configs = {name: Config(name, int(history_length), style=POINTWISE) for name in VIEWS}
        shown = {name: positions(self.catalogue, case, config) for name, config in configs.items()}
        told = prompt(self.catalogue, case, shown[view], POINTWISE)
        scores = self.systems.scores(case, configs[view], shown[view], told)
        attention, said = self._attention(configs[view], told)
        near = similarities(self.catalogue, case)
        views = {
            name: self._rows(case, places, near, attention if name == view else None) for name, places in shown.items()
        }
        table = [
            [one.system, one.kind, f"{one.p_yes:.{DIGITS}f}" if one.p_yes is not None else one.why] for one in scores
        ]
        title = self.catalogue.titles[case.target]
        sentence = f"P(Yes) that {self.catalogue.corpus.words.subject(self.catalogue.users[[case.user]])[0]} likes {title}, shown"
        sentence += f" {len(shown[view])} of {len(case)} behaviors by {view}. {said}"
        return Answer(views, told.text, table, sentence)

    def _case(self, user: int, history: str, target: str) -> Case:
        """The sample itself where nothing of an example was changed, whose times are known; else what was typed."""
        typed = typed_case(self.catalogue, user, history or "", target or "")
        for example in self.examples:
            one = example.case
            if (one.user, one.items, one.ratings, one.target) == (typed.user, typed.items, typed.ratings, typed.target):
                return one
        return typed

    def _attention(self, config: Config, told) -> tuple[np.ndarray | None, str]:
        """The shares of the behaviors, and a sentence on whose they are."""
        try:
            found = self.systems.attention(config, told)
        except ValueError as error:
            return None, f"No attention: {error}"
        if found is None:
            return None, "No language model is loaded, so there is no attention."
        name, shares = found
        rest = f"{1 - shares.sum():.1%}"
        return shares, f"Attention is that of {name}'s last layer from the answer; the rest of the prompt gets {rest}."

    def _rows(self, case: Case, places: np.ndarray, near: np.ndarray, attention: np.ndarray | None) -> list[list[str]]:
        told = [""] * len(places) if attention is None else [f"{share:.1%}" for share in attention]
        return [
            [f"{self.catalogue.titles[case.items[p]]} {in_stars(case.ratings[p])}", f"{near[p]:.3f}", share]
            for p, share in zip(places.tolist(), told, strict=True)
        ]

    def first(self) -> Answer:
        """The first example, which also loads the weights."""
        example = self.examples[0]
        history, target = as_text(self.catalogue, example.case), self.catalogue.titles[example.case.target]
        return self.answer(example.case.user, history, target, "subr", self.history_length)


def open_demo(options: DemoOptions, base_options) -> Demo:
    """base_options: of the base that the adapters are on (`systems.choice.base_options`). ValueError for what is missing."""
    of_families = [one() for one in choice.option_types()]
    trained = [choice.load_system(SystemOptions(model=name), of_families) for name in options.models]
    if base_options.base is None and options.adapters:
        raise ValueError("--adapters need their base model. Give it with --base.")
    on_base = choice.load_several(base_options, options.adapters, [], []) if base_options.base else None
    if on_base is None and not trained:
        raise ValueError("There is no system to ask. Give --base, with --adapters or without, or --models.")
    folder = hub.resolve(options.dataset, _tables(trained), options.dataset_revision)
    catalogue = open_catalogue(folder, options.dataset)
    demo = Demo(catalogue, Systems(catalogue, on_base, trained), options)
    if not demo.examples:
        raise ValueError(f"{options.dataset} has no sample whose history can be shown. Take another data set.")
    return demo


def _tables(trained: Iterable) -> list[str]:
    """What is read of the data set itself; the view of a case is made when it is asked."""
    return list(
        dict.fromkeys([*TABLES, *(name for one in trained for name in one.tables if not name.startswith(OF_A_VIEW))])
    )
