"""Whom rationales are asked about, and what of whom is shown: the behaviors before one training sample of the user, never its target."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from rella_hub.corpora import Corpus
from rella_hub.prompts.choosing.next_item import titles
from rella_hub.prompts.rationale import prompt
from rella_hub.stages.candidates import require_next_item
from rella_hub.stages.rationales.arguments import RationaleArguments
from rella_hub.stages.teachers import Question
from rella_hub.tables import store
from rella_hub.tables.keys import codes_of


@dataclass(frozen=True)
class Asked:
    """The users who are asked about, in the order of their ids, and what is shown of each."""

    sample_id: np.ndarray  # (U,) the training sample of each that a rationale is written before
    user_id: np.ndarray  # (U,)
    position: np.ndarray  # (U,) behaviors before it
    rows: tuple[np.ndarray, ...]  # U arrays: the interactions that are shown, the oldest first
    item_id: np.ndarray  # (N,) of each interaction
    titles: np.ndarray  # (N,) of each interaction

    def __len__(self) -> int:
        return len(self.sample_id)

    def questions(self, corpus: Corpus, form: str, begin: int, end: int) -> list[Question]:
        shown = [tuple(self.titles[rows]) for rows in self.rows[begin:end]]
        return [Question(told, prompt(form, corpus.words, told)) for told in shown]


def asked(folder: Path, corpus: Corpus, options: RationaleArguments) -> Asked:
    """ValueError where the data set asks for no next item, or has fewer users than are wanted."""
    require_next_item(folder)
    if options.shown < 1:
        raise ValueError(f"--shown is {options.shown}; a writer must see at least 1 behavior.")
    if not 0 <= options.written_at <= 1:
        raise ValueError(f"--written_at is {options.written_at:g}; expected a part from 0 to 1.")
    samples = pl.DataFrame(store.read(folder, "samples", "train", ["sample_id", "user_id", "position"]))
    at = ((pl.len() - 1) * options.written_at).floor().cast(pl.Int64)
    before = samples.sort("user_id", "position").group_by("user_id", maintain_order=True).agg(pl.all().get(at))
    if options.users is not None:
        if not 1 <= options.users <= len(before):
            raise ValueError(
                f"--users is {options.users:,}; {folder} has {len(before):,} users with a training sample."
            )
        chosen = np.random.default_rng(options.seed).choice(len(before), options.users, replace=False)
        before = before[np.sort(chosen)]
    item_id = store.read(folder, "interactions", columns=["item_id"])["item_id"].to_numpy()
    items = store.frame(folder, "items")
    code = codes_of(item_id, items["item_id"].to_numpy(), "items have interactions but no row in items")
    sample_id, user_id, position = (before[name].to_numpy() for name in ("sample_id", "user_id", "position"))
    first = sample_id - np.minimum(position, options.shown)
    rows = tuple(
        np.arange(begin, end) for begin, end in zip(first, sample_id, strict=True)
    )  # the target is the row `sample_id`
    return Asked(sample_id, user_id, position, rows, item_id, titles(corpus.words, items).to_numpy()[code])
