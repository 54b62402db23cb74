"""A corpus's own text, to pretrain a small base model on: never a word about a validation or test label.

Three kinds of documents, all from the tables of a data set folder:

* item descriptions;
* questions on item facts ("is the genre of this movie Comedy?"), which teach the words Yes and No;
* rating diaries: the profile, the behaviors a *training* sample shows and, as one more line, its target with the user's
  rating. Every rating in them is a training label or older than one.

The question that the prompts ask, will the user like it?, is in none of them, so that zero-shot stays zero-shot.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from rella_hub.corpora import UNKNOWN, load_corpus
from rella_hub.prompts import pointwise
from rella_hub.stages.prompt import load_sources, shown_positions
from rella_hub.tables import store
from rella_hub.texts.compose import concatenate
from rella_hub.views import config_name, table_name


def item_documents(folder: Path, rng: np.random.Generator, answers: tuple[str, str] = pointwise.ANSWERS) -> list[str]:
    """One description of each item and, where its group is known, two fact questions: one to be answered Yes and one No.

    answers: how these are written, No first.
    """
    corpus = load_corpus(store.made_from(folder, "items")["corpus"])
    items = store.frame(folder, "items")
    titles = corpus.words.title(items).to_list()
    groups = items[corpus.group_field].to_list()
    known = sorted(set(groups) - {UNKNOWN})
    documents = corpus.words.description(items).to_list()
    no, yes = (answer.removesuffix(".") for answer in answers)
    for title, group in zip(titles, groups, strict=True):
        if group == UNKNOWN:
            continue
        others = [other for other in known if other != group] or [group]
        for asked in (group, others[rng.integers(len(others))]):
            answer = answers[asked == group]
            documents.append(
                f'Is the {corpus.group_field} of the {corpus.words.item} "{title}" {asked}?\n'
                f"Answer with {yes} or {no} and nothing else.\n{answer}"
            )
    return documents


def diaries(folder: Path, view: str, history_length: int, count: int, rng: np.random.Generator) -> list[str]:
    """The profile, what `view` shows of `count` random training samples, and each sample's target with its rating."""
    corpus = load_corpus(store.made_from(folder, "samples")["corpus"])
    source = load_sources(folder)
    fragments = pointwise.fragments(corpus.words, source.users, source.items, source.ratings, history_length + 1)
    table = store.read(folder, table_name(config_name(view, history_length)), "train")
    chosen = np.sort(rng.choice(len(table), min(count, len(table)), replace=False))
    batch = table.take(chosen).combine_chunks()
    sample_id = batch["sample_id"].to_numpy()
    positions, shown = shown_positions(batch["positions"].combine_chunks())
    rows = (sample_id - source.position[sample_id])[:, None] + positions
    rows, shown = _with_target(rows, shown, sample_id)
    codes, used = pointwise.behavior_codes(
        fragments, source.user_code[sample_id], source.item_code[rows], source.rating[rows], shown
    )
    texts = concatenate(fragments.texts, codes, used).to_pylist()
    return [texts[i] for i in rng.permutation(len(texts))]


def _with_target(rows: np.ndarray, shown: np.ndarray, target: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(S, K + 1): the target's row right behind the shown ones."""
    counts = shown.sum(axis=1)
    wider = np.pad(rows, ((0, 0), (0, 1)))
    wider[np.arange(len(rows)), counts] = target
    return wider, np.arange(wider.shape[1]) <= counts[:, None]
