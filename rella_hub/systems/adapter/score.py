"""A language model as a system that is scored: a base with one adapter or none, loaded when the first chunk of prompts is read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import torch

from rella_hub.language_models.item_prompts import ItemPrompts
from rella_hub.language_models.load import (
    adapter_folder,
    adapter_identity,
    base_doubt,
    base_identity,
    load_adapter,
    load_base,
    load_tokenizer,
    number_format,
    training_notes,
    training_samples,
)
from rella_hub.language_models.p_yes import RULES, SOFTMAX, Budget, p_yes_of_systems
from rella_hub.language_models.room import Room, room_of
from rella_hub.language_models.same_base import read_base_record
from rella_hub.language_models.token_rows import TokenRows
from rella_hub.language_models.tokens import Answers
from rella_hub.prompts import load_style, style_of
from rella_hub.systems import REFERENCE
from rella_hub.systems.adapter.options import RESULT, ScoreOptions
from rella_hub.systems.adapter.prompts import PromptReader, require_same_reading
from rella_hub.systems.answering import COLUMNS, answered, choose, say_ceiling
from rella_hub.tables.candidates import parse_config

LIBRARIES = ("torch", "transformers", "peft", "tokenizers")
PINNED = ("max_length", "dtype", "quantization", "chat_template_kwargs")


class LanguageModel:
    """See `rella_hub.systems`. `scores` also takes, for each chunk, which of several systems on one base are wanted."""

    family, columns, choice_columns = "adapter", ("prompt",), COLUMNS
    tables: tuple[str, ...] = ()

    def __init__(self, options: ScoreOptions):
        check(options)
        self.options, self._base = options, str(options.base)
        self.base = base_identity(self._base, options.base_revision)
        self.identity, self.noted = identity_of(options, self.base)
        self.name = answered(system_name(options.adapter), options.answer)
        self.training_samples = training_samples(options.adapter, options.adapter_revision) if options.adapter else None
        self.tokens = 0  # that were read so far
        self.progress: Callable[[int, int], None] | None = None
        self._budget = Budget(options.tokens_per_batch)
        self._answers: tuple[str, str]  # of label 0 and of label 1, by the style of the prompts: `prepare` learns it
        self._reader: PromptReader | None = None
        self._titles: ItemPrompts | None = None  # which reads next-item questions
        self._room: Room  # of the base, before an adapter wraps it
        self.model: Any = None  # loaded with the first chunk

    @property
    def adapters(self) -> list[tuple[str, str | None]]:
        return [(self.options.adapter, self.options.adapter_revision)] if self.options.adapter else []

    def prepare(self, folder: Path, config_name: str, split: str) -> None:
        self._answers = load_style(style_of(config_name)).ANSWERS
        if parse_config(config_name) is not None:
            say_ceiling(folder, config_name, split, self.options.answer)

    def scores(self, rows: pa.Table) -> np.ndarray:
        """(n,) P(Yes) of the prompts of a chunk, all of which are checked before the first is scored."""
        return self.scores_of(rows, [0])[0]

    def scores_of(self, rows: pa.Table, wanted: list[int]) -> np.ndarray:
        """(len(wanted), n) P(Yes) by the systems with these numbers."""
        prompts, answers = self.read(rows)
        if self.model is None:
            options = self.options
            model = load_base(self._base, options.base_revision, options.dtype, options.quantization)
            self._room = self.room(model)
            self._room.require(self._base, prompts, (answers.no, answers.yes))
            self.model = self.attach(model, min(prompts, key=len).tolist())
        self._room.require(self._base, prompts, (answers.no, answers.yes))
        switches = self.switches(wanted)
        scores = p_yes_of_systems(
            *(self.model, switches, prompts, answers, self._budget, self.progress),
            see=self.seeing(rows),
            rule=self.options.score_rule,
        )
        self.tokens += len(prompts.ids)
        return scores

    def choices(self, rows: pa.Table) -> dict[str, np.ndarray | list]:
        """Columns of a table of choices for rows of a config of next-item prompts."""
        options = self.options
        if self._titles is None:
            tokenizer = load_tokenizer(self._base, options.base_revision)
            require_same_reading(options, self.adapters, tokenizer)
            model = load_base(self._base, options.base_revision, options.dtype, options.quantization)
            given = options.max_length, options.chat_template_kwargs
            self._titles = ItemPrompts.of(tokenizer, self._base, room_of(model), *given)
            self.model = self.attach(model, [0])

        def read(answers: list[list[str]]) -> tuple[list, list]:
            ids, said = self._titles.encode(rows["prompt"].to_pylist(), None, answers)
            self.tokens += sum(map(len, ids))
            return ids, said

        return choose(self.model, self._titles.tokenizer, read, rows, options.answer, self._budget, self.progress)

    def read(self, rows: pa.Table) -> tuple[TokenRows, Answers]:
        """The prompts of a chunk and the answers to them as tokens."""
        if self._reader is None:
            self._reader = PromptReader(self.options, self.adapters, self._answers)
        return self._reader.read(rows["prompt"].to_pylist())

    def room(self, model: torch.nn.Module) -> Room:
        """What the base has places for."""
        return room_of(model)

    def seeing(self, rows: pa.Table) -> Callable[[np.ndarray], None] | None:
        """What is told the numbers of the prompts of each batch of a chunk before the model reads it; None where nobody asks."""
        return None

    def attach(self, model: torch.nn.Module, probe: list[int]) -> torch.nn.Module:
        for adapter, revision in self.adapters:
            model = load_adapter(model, self.base, adapter, revision, any_base=self.options.any_base)
        return model

    def switches(self, wanted: list[int]) -> list[Callable[[], None]]:
        """What makes the model each of the systems that are wanted."""
        return [_as_it_is for _ in wanted]


def _as_it_is() -> None:
    """One system alone is active all the time."""


def load(name: str | None, revision: str | None, options: ScoreOptions) -> LanguageModel:
    """name: the run folder or the adapter of one, or its Hub id; without it `options` say base and adapter."""
    if name is None:
        return LanguageModel(options)
    if options.adapter is not None:
        raise ValueError(
            f"--model {name} is an adapter already, and so is --adapter {options.adapter}. Give one of them."
        )
    adapter = str(Path(name) / RESULT) if (Path(name) / RESULT).is_dir() else name
    base, base_revision = options.base, options.base_revision
    if base is None:
        base, named_revision = named_base(adapter, revision)
        base_revision = base_revision or named_revision
    return LanguageModel(
        replace(options, base=base, base_revision=base_revision, adapter=adapter, adapter_revision=revision)
    )


def check(options: ScoreOptions) -> None:
    for name in ("max_length", "tokens_per_batch"):
        if getattr(options, name) < 1:
            raise ValueError(f"--{name} is {getattr(options, name)}; at least 1 is needed.")
    if options.score_rule not in RULES:
        raise ValueError(f"--score_rule is {options.score_rule!r}; expected one of {', '.join(RULES)}.")


def identity_of(options: ScoreOptions, base: dict) -> tuple[dict, dict]:
    """Everything of a language model that pins its scores, and what else its record says."""
    adapter, revision = options.adapter, options.adapter_revision
    libraries = (*LIBRARIES, "bitsandbytes") if options.quantization in ("8bit", "4bit") else LIBRARIES
    identity = {
        **{key: asdict(options)[key] for key in ("adapter", "base_revision", "adapter_revision", *PINNED)},
        **({"answer": options.answer} if options.answer != ScoreOptions.answer else {}),
        "base": base["name"],
        "base_identity": base,
        "adapter_identity": adapter_identity(adapter, revision) if adapter else None,
        "computed_in": str(number_format(options.dtype)).removeprefix("torch."),
        "libraries": {name: version(name) for name in libraries},
        **({} if options.score_rule == SOFTMAX else {"score_rule": options.score_rule}),  # as older records are
    }
    doubt = base_doubt(base, adapter, revision, options.any_base) if adapter else None
    if doubt:
        print(f"note: {doubt}", flush=True)
    # Whether the base is proved, and not the sentence, which names folders of this machine.
    return identity, {"base_proved": doubt is None if adapter else None, **training_notes(adapter, revision)}


def system_name(adapter: str | None) -> str:
    """`runs/ml1m/rella/adapter` → rella; `rella/ml1m-rella-vicuna` → ml1m-rella-vicuna; no adapter → zero_shot."""
    if adapter is None:
        return REFERENCE
    path = Path(adapter)
    return path.parent.name if path.name == RESULT else path.name


def named_base(adapter: str, revision: str | None) -> tuple[str, str | None]:
    """The base that an adapter says it was trained on, which is then held against its hashes."""
    record = read_base_record(adapter_folder(adapter, revision))
    if record is None:
        raise ValueError(f"The adapter {adapter!r} has no base_model.json that says its base. Give it with --base.")
    pinned = record["revision"] if not record["revision"].startswith("sha256:") else None
    return record["name"], pinned
