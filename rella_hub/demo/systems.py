"""The systems of a demo: loaded once, asked one case at a time, by the code that scores a split."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from rella_hub.demo.case import Case
from rella_hub.demo.catalogue import Catalogue
from rella_hub.demo.one_sample import SPLIT, data_set, row
from rella_hub.demo.shown import Prompt
from rella_hub.language_models.attention import answering, shares, tokens_of
from rella_hub.language_models.load import load_tokenizer
from rella_hub.language_models.tokens import answer_tokens
from rella_hub.prompts import load_style
from rella_hub.systems import model_free
from rella_hub.views import Config


@dataclass(frozen=True)
class Score:
    system: str
    kind: str  # what it is, in words
    p_yes: float | None
    why: str = ""  # there is none


class Systems:
    """`on_base`: the base alone and its adapters (adapter/several.py), None without a base; `trained`: systems of any other family."""

    def __init__(self, catalogue: Catalogue, on_base, trained: list):
        self.catalogue, self.on_base, self.trained = catalogue, on_base, trained
        self._busy = threading.Lock()  # a model is switched to an adapter and back, so it answers one person at a time
        self._fitted: dict[str, object] = {}

    def scores(self, case: Case, config: Config, shown: np.ndarray, prompt: Prompt) -> list[Score]:
        """P(Yes) of every system; a system that cannot answer says why."""
        with self._busy:
            return [
                *self._of_base(config, case, prompt),
                *self._of_trained(case, config, prompt),
                *self._without_model(case, config, shown),
            ]

    def attention(self, config: Config, prompt: Prompt) -> tuple[str, np.ndarray] | None:
        """The system that is looked into, the last of those on the base, and the share of its attention that each behavior gets.

        None without a base. ValueError where the model does not tell.
        """
        if self.on_base is None:
            return None
        with self._busy:
            one, options = self.on_base, self.on_base.options
            ids, parts = tokens_of(
                self._tokenizer, prompt.text, prompt.places, options.max_length, options.chat_template_kwargs
            )
            answers = answer_tokens(
                self._tokenizer, prompt.text, load_style(config.style).ANSWERS, options.chat_template_kwargs
            )
            number = len(one.members) - 1
            (become,) = one.switches([number])
            become()
            return one.members[number].name, shares(answering(one.model, ids, answers).attention, parts)

    @cached_property
    def _tokenizer(self):
        return load_tokenizer(self.on_base.options.base, self.on_base.options.base_revision)

    def _of_base(self, config: Config, case: Case, prompt: Prompt) -> Iterator[Score]:
        if self.on_base is None:
            return
        self.on_base.prepare(self.catalogue.folder, config.name, SPLIT)
        members = self.on_base.members
        found = self.on_base.scores_of(row(case, prompt.text), list(range(len(members))))
        for member, p_yes in zip(members, found, strict=True):
            kind = "language model, not tuned" if member.adapter is None else "language model, tuned"
            yield Score(member.name, kind, float(p_yes[0]))

    def _of_trained(self, case: Case, config: Config, prompt: Prompt) -> Iterator[Score]:
        for system in self.trained:
            kind = (system.identity.get("model_identity") or {}).get("model") or system.family
            try:
                with data_set(self.catalogue, case, (*system.tables, "users", "items")) as folder:
                    system.prepare(folder, config.name, SPLIT)
                    yield Score(system.name, f"trained model ({kind})", float(system.scores(row(case, prompt.text))[0]))
            except ValueError as error:
                yield Score(system.name, f"trained model ({kind})", None, str(error))

    def _without_model(self, case: Case, config: Config, shown: np.ndarray) -> Iterator[Score]:
        corpus, ids = self.catalogue.corpus, self.catalogue.items["item_id"]
        assert corpus.rating_range is not None, "a catalogue is of a corpus with ratings"
        rating = np.array([case.ratings[place] for place in shown])
        count = np.array([len(shown)])
        (history,) = model_free.mean_ratings(np.array([rating.sum()]), count, corpus.rating_range)
        yield Score("history_mean", "no model: mean rating shown", float(history))
        (item,) = model_free.mean_labels(self.catalogue.folder, np.array([ids[case.target]]))
        yield Score("item_mean", f"no model: share that liked this {corpus.words.item}", float(item))
        try:
            fitted = self._regression(config)
        except ValueError as error:
            yield Score("both_means", "no model: both weighed", None, str(error))
        else:
            p_yes = fitted.predict_proba(np.array([[history, item]]))[0, 1]
            yield Score("both_means", "no model: both weighed", float(p_yes))

    def _regression(self, config: Config):
        """That of a config whose view the data set has."""
        if config.table not in self._fitted:
            missing = model_free.missing_table(self.catalogue.folder, config.name)
            if missing:
                raise ValueError(f"the data set has no {missing} to fit it on")
            self._fitted[config.table] = model_free.fit_both_means(self.catalogue.folder, config.name)
        return self._fitted[config.table]
