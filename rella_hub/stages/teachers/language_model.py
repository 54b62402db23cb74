"""A causal language model of this machine as a teacher, or, with the adapter of a student, as the student."""

from __future__ import annotations

from collections.abc import Sequence

from rella_hub.cli import refuse_without
from rella_hub.corpora import Corpus
from rella_hub.language_models.chat_template import template_arguments
from rella_hub.language_models.load import adapter_identity, base_identity, load_adapter, load_base, load_tokenizer
from rella_hub.language_models.p_yes import Budget
from rella_hub.language_models.passages import passages
from rella_hub.language_models.room import room_of
from rella_hub.language_models.tokens import encode_prompts
from rella_hub.prompts.rationale import STUDENT, TEACHER
from rella_hub.stages.rationales.arguments import ENDPOINT, TeacherArguments
from rella_hub.stages.teachers import Question, Written
from rella_hub.tables.runs import public_name

PINNED = ("max_new_tokens", "dtype", "quantization", "chat_template_kwargs")


def teacher(options: TeacherArguments, corpus: Corpus) -> LanguageModel:
    refuse_without("--teacher endpoint", options, ENDPOINT)
    if options.base is None:
        raise ValueError("--teacher language_model needs --base, a Hub id or a folder.")
    return LanguageModel(options)


class LanguageModel:
    """Its identity is known before weights are loaded; they are loaded with the first question."""

    def __init__(self, options: TeacherArguments):
        self._options, self._arguments = options, template_arguments(options.chat_template_kwargs)
        self._name = str(options.base)
        self._base = base_identity(self._name, options.base_revision)
        self.form = options.form or (STUDENT if options.adapter else TEACHER)
        self.identity = {
            "kind": "language_model",
            "name": public_name(self._name),
            "base": {key: value for key, value in self._base.items() if key != "name"},
            **{name: getattr(options, name) for name in PINNED},
        }
        if options.adapter:
            adapter = adapter_identity(options.adapter, options.adapter_revision)
            self.identity["adapter"] = {**adapter, "name": public_name(options.adapter)}
        self._tokenizer = load_tokenizer(self._name, options.base_revision)
        self._model = None

    def written(self, questions: Sequence[Question]) -> list[Written]:
        options, longest = self._options, self._options.max_new_tokens
        ids = encode_prompts(self._tokenizer, [question.prompt for question in questions], None, self._arguments)
        if self._model is None:
            self._model = self._load()
        self._room.require(self._name, [[*row, *row[-1:] * longest] for row in ids], ())
        found = passages(self._model, self._tokenizer, ids, longest, Budget(options.tokens_per_batch))
        return [Written(one.text, one.whole, len(row), one.tokens) for one, row in zip(found, ids, strict=True)]

    def _load(self):
        options = self._options
        model = load_base(self._name, options.base_revision, options.dtype, options.quantization)
        self._room = room_of(model)
        return load_adapter(model, self._base, options.adapter, options.adapter_revision) if options.adapter else model
