"""The rule-based teacher of the demo corpus: it reads the themes out of the titles' words, as whoever knows English does, and nothing else.

It knows neither ratings nor what other users do, so its rationales are worth what the titles shown are worth.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from rella_hub.cli import refuse_without
from rella_hub.corpora import Corpus, demo
from rella_hub.prompts.rationale import MANY, TEACHER
from rella_hub.prompts.rationale.steps import Rationale
from rella_hub.stages.rationales.arguments import ENDPOINT, LANGUAGE_MODEL, TeacherArguments
from rella_hub.stages.teachers import Question, Written

NAMED = 3  # themes of a rationale: half of those that there are, as a user of the demo likes half of them
VERSION = 1


def teacher(options: TeacherArguments, corpus: Corpus) -> Themes:
    if corpus.id != demo.CORPUS.id:
        raise ValueError(f"--teacher themes knows the corpus demo alone, not {corpus.id}. Take another --teacher.")
    refuse_without("--teacher endpoint", options, ENDPOINT)
    refuse_without("--teacher language_model", options, (*LANGUAGE_MODEL, "form"))
    return Themes()


class Themes:
    def __init__(self):
        self.form = TEACHER
        self.identity = {"kind": "themes", "name": "the rule-based teacher of the demo corpus", "version": VERSION}
        self._titles = {
            theme: [f"{first} {second}" for first in firsts.split() for second in seconds.split()]
            for theme, (_, firsts, seconds) in demo.THEMES.items()
        }
        self._theme_of = {title: theme for theme, titles in self._titles.items() for title in titles}

    def written(self, questions: Sequence[Question]) -> list[Written]:
        return [self._write(question) for question in questions]

    def _write(self, question: Question) -> Written:
        counted = Counter(theme for title in question.titles if (theme := self._theme_of.get(title)))
        genres = {theme: demo.THEMES[theme][0] for theme, _ in counted.most_common(NAMED)}
        text = Rationale(
            step_1=f"The user prefers movies about {_enumerated(list(genres))}.",
            step_2="\n".join(f"{number}. {genre}" for number, genre in enumerate(genres.values(), 1)),
            step_3="\n".join(f"{genre}: {', '.join(self._others(theme, question))}" for theme, genre in genres.items()),
        ).text
        return Written(text, True, len(question.prompt.split()), len(text.split()))

    def _others(self, theme: str, question: Question) -> list[str]:
        """Movies of the theme that were not shown, of different first words."""
        left = [title for title in self._titles[theme] if title not in question.titles]
        return left[:: max(len(left) // MANY, 1)][:MANY]


def _enumerated(names: list[str]) -> str:
    return (
        " and ".join([", ".join(names[:-1]), names[-1]])
        if len(names) > 1
        else "".join(names) or "nothing that the titles tell of"
    )
