"""Histories → rationales: a teacher is asked about each user, chunk by chunk, and what it writes is read strictly.

What a teacher has written is kept as soon as its chunk is done: a run that broke off never pays for it again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

import polars as pl
import pyarrow as pa

from rella_hub.corpora import Corpus, load_corpus
from rella_hub.prompts import rationale
from rella_hub.prompts.rationale import steps
from rella_hub.stages.arguments import FolderArguments
from rella_hub.stages.chunks.parts import Parts
from rella_hub.stages.chunks.processes import processes
from rella_hub.stages.chunks.run import Advance, Work, run
from rella_hub.stages.rationales.arguments import RationaleArguments, TeacherArguments
from rella_hub.stages.rationales.questions import Asked, asked
from rella_hub.stages.teachers import Question, Teacher, Written, load_teacher
from rella_hub.tables import rationales, records, store

USERS_PER_CHUNK = 32
INPUTS = ["items", "interactions", "samples"]


def rationalize(where: FolderArguments, options: RationaleArguments, of_teacher: TeacherArguments) -> None:
    """Write the table, and say what share of it is unusable, why, and what it cost."""
    if of_teacher.form not in (None, *rationale.FORMS):
        raise ValueError(f"--form is {of_teacher.form!r}; expected one of {', '.join(rationale.FORMS)}.")
    if of_teacher.max_new_tokens < 1:
        raise ValueError(f"--max_new_tokens is {of_teacher.max_new_tokens}; at least 1 is needed.")
    name, corpus = rationales.table_of(options.rationales), load_corpus(where.corpus)
    about = asked(where.folder, corpus, options)
    teacher = load_teacher(of_teacher, corpus)
    made_from = {
        "corpus": corpus.id,
        "inputs": records.input_fingerprints(where.folder, INPUTS),
        "teacher": teacher.identity,
        "form": teacher.form,
        "rationale_version": rationale.VERSION,
        "shown": options.shown,
        "written_at": options.written_at,
        "users": options.users,
        "seed": options.seed,
    }
    output, group = where.folder / name, processes()
    parts = Parts(output, made_from, len(about), USERS_PER_CHUNK)
    if records.stands(where.folder, name, made_from, where.overwrite):
        if group.is_first:
            parts.remove()
        return
    if group.is_first:
        parts.open(where.overwrite)
    group.wait()
    try:
        run(_Job(parts, about, corpus, teacher), [parts], range(parts.chunks), group, "rationale")
    finally:
        if group.is_first:
            parts.remove_if_empty()
    if group.is_first:
        _join(where, name, parts, made_from, of_teacher)


@dataclass(frozen=True)
class _Job:
    parts: Parts
    about: Asked
    corpus: Corpus
    teacher: Teacher

    def __call__(self) -> Work:
        return partial(self._chunk)

    def _chunk(self, chunk: int, advance: Advance) -> None:
        begin, end = self.parts.bounds(chunk)
        questions = self.about.questions(self.corpus, self.teacher.form, begin, end)
        written = self.teacher.written(questions)
        tokens = sum(one.prompt_tokens + one.completion_tokens for one in written)
        self.parts.write(chunk, _table(self.about, begin, end, questions, written), tokens)
        advance(end - begin, tokens)


def _table(about: Asked, begin: int, end: int, questions: list[Question], written: list[Written]) -> pa.Table:
    assert len(written) == len(questions) == end - begin, "a teacher answers every question once"
    found = [steps.read(one.text, one.whole) for one in written]
    read = [one if isinstance(one, steps.Rationale) else steps.Rationale("", "", "") for one in found]
    return pa.table(
        {
            "sample_id": about.sample_id[begin:end],
            "user_id": about.user_id[begin:end],
            "position": about.position[begin:end],
            "history_item_ids": [about.item_id[rows] for rows in about.rows[begin:end]],
            **{step: [getattr(one, step) for one in read] for step in rationales.STEPS},
            "text": [one.text for one in written],
            "problem": [one if isinstance(one, str) else "" for one in found],
            "prompt_tokens": [one.prompt_tokens for one in written],
            "completion_tokens": [one.completion_tokens for one in written],
        }
    ).cast(rationales.FEATURES.arrow_schema)


def _join(where: FolderArguments, name: str, parts: Parts, made_from: Mapping, of_teacher: TeacherArguments) -> None:
    found = pl.DataFrame(pa.concat_tables([table for table, _ in parts.read(range(parts.chunks))]))
    good = found["problem"] == ""
    noted = cost_of(found, of_teacher) | {"problems": dict(Counter(found["problem"].filter(~good)).most_common())}
    if not good.any():
        problem, count = next(iter(noted["problems"].items()))
        raise ValueError(
            f"Not one of {len(found):,} rationales can be used ({count:,}: {problem}; the first begins {found['text'][0][:80]!r}). "
            f"They are kept in {parts.folder}. Take another teacher; --overwrite true removes them."
        )
    splits = {store.SINGLE_SPLIT: found.filter(good), rationales.UNUSABLE: found.filter(~good)}
    tables = {split: rows.to_arrow() for split, rows in splits.items()}
    store.write(where.folder, name, rationales.FEATURES, tables, made_from, noted)
    parts.remove()
    why = "".join(f"; {count:,}: {problem}" for problem, count in noted["problems"].items())
    print(
        f"{where.folder / name}: {good.sum():,} rationales, {(~good).sum():,} unusable{why}. {in_words(noted)}",
        flush=True,
    )


def cost_of(found: pl.DataFrame, of_teacher: TeacherArguments) -> dict:
    """Tokens that were read and written and, where their prices are known, what they cost."""
    read, written = (int(found[name].sum()) for name in ("prompt_tokens", "completion_tokens"))
    of_read, of_written = of_teacher.prompt_price, of_teacher.completion_price
    known = of_read is not None and of_written is not None
    cost = round((read * of_read + written * of_written) / 1e6, 6) if known else None
    return {"prompt_tokens": read, "completion_tokens": written, "cost": cost}


def in_words(noted: Mapping) -> str:
    cost = "" if noted["cost"] is None else f", {noted['cost']:,.4f} in the currency of the prices"
    return f"Read: {noted['prompt_tokens']:,} tokens, written: {noted['completion_tokens']:,}{cost}."
