"""Who writes rationales: each file here is one kind of teacher, and adding a file is registering it.

A teacher file defines ``teacher(options, corpus)``, which gives a `Teacher`; `options` are `TeacherArguments`, of which it refuses those
that it does not read.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from rella_hub.corpora import Corpus
from rella_hub.open_folder import load_member, members
from rella_hub.stages.rationales.arguments import TeacherArguments


@dataclass(frozen=True)
class Question:
    """What a teacher is told of a user: the titles shown, the oldest first, and the prompt that they are in."""

    titles: tuple[str, ...]
    prompt: str


@dataclass(frozen=True)
class Written:
    text: str
    whole: bool  # False where it ended for want of room
    prompt_tokens: int
    completion_tokens: int


class Teacher(Protocol):
    """`form`: which prompt of rella_hub/prompts/rationale it is asked by; `identity`: all that pins what it writes, no place or key."""

    form: str
    identity: dict

    def written(self, questions: Sequence[Question]) -> list[Written]: ...


def teacher_kinds() -> list[str]:
    return members(sys.modules[__name__])


def load_teacher(options: TeacherArguments, corpus: Corpus) -> Teacher:
    return load_member(sys.modules[__name__], "teacher", options.teacher).teacher(options, corpus)
