"""How a language model answers a next-item question: it writes a title, or the likeliest candidate is its answer.

substring               greedy line, which names the one candidate whose title is part of it (LLaRA)
exact                   greedy line, which names the candidate that is called so
likelihood              the candidate whose title, with its end, is likeliest after the prompt: always valid
likelihood_per_token    the same by the number of its tokens, so that long titles are not the worse for it
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import torch
from transformers import PreTrainedTokenizerBase

from rella_hub.language_models.continuations import answer_lengths, log_likelihoods
from rella_hub.language_models.generation import first_lines
from rella_hub.language_models.matching import NOBODY, RULES, ceiling, named
from rella_hub.language_models.p_yes import Budget
from rella_hub.systems.adapter.options import ANSWERS
from rella_hub.tables import candidates
from rella_hub.tables.choices import NONE
from rella_hub.tables.rows import RowReader

COLUMNS = ("prompt", "history_item_ids", "candidate_item_ids", "candidates")  # of a config, beside the target
END = "\n"  # of a title that is an answer


def answered(name: str, answer: str) -> str:
    """The name of the row of a system that answers so: the usual way is not in it."""
    return name if answer == ANSWERS[0] else f"{name}_{answer}"


def titles_of(rows: pa.Table) -> list[list[str]]:
    return rows["candidates"].to_pylist()


def possible_answers(rows: pa.Table) -> list[list[str]]:
    """Of each row the titles of its candidates, with their end."""
    return [[title + END for title in row] for row in titles_of(rows)]


def targets_of(rows: pa.Table) -> np.ndarray:
    """(S,) the number of the target among the candidates. ValueError where they lack it, or have it twice."""
    listed, target = candidates.matrix(rows["candidate_item_ids"]), rows["target_item_id"].to_numpy()
    candidates.check(target, listed, "the questions")
    return (listed == target[:, None]).argmax(axis=1)


def choose(
    model: torch.nn.Module,
    tokenizer: PreTrainedTokenizerBase,
    read: Callable[[list[list[str]]], tuple[list, list]],
    rows: pa.Table,
    answer: str,
    budget: Budget,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, np.ndarray | list]:
    """The columns of a table of choices for rows of a next-item config. read: answers → the prompts and these as tokens."""
    if answer not in ANSWERS:
        raise ValueError(f"--answer is {answer!r}; expected one of {', '.join(ANSWERS)}.")
    listed, names = candidates.matrix(rows["candidate_item_ids"]), titles_of(rows)
    prompts, said = read(possible_answers(rows))
    if answer in RULES:
        longest = max(64, int(answer_lengths(said).max()) + 1)
        lines = first_lines(model, tokenizer, prompts, budget, longest, progress)
        return {"chosen_item_id": _chosen(listed, named(lines, names, answer)), "generated": lines}
    scores = log_likelihoods(model, prompts, said, budget, progress)
    if answer == ANSWERS[-1]:
        scores = scores / answer_lengths(said)
    return {"scores": scores, "chosen_item_id": _chosen(listed, scores.argmax(axis=1))}


def say_ceiling(folder: Path, config_name: str, split: str, answer: str) -> None:
    """Say what a perfect answerer reaches on the questions of a split by a rule that reads words."""
    if answer in RULES:
        reader = RowReader(folder, config_name, split, [*COLUMNS, "target_item_id"])
        rows = reader.take(np.arange(reader.rows))
        names, target = titles_of(rows), targets_of(rows)
        print(
            f"A perfect answerer has ValidRatio and HitRatio@1 {ceiling(names, target, answer):.4f} on these {len(target):,} questions by "
            f"the rule {answer}: some titles are alike, or part of others.",
            flush=True,
        )


def _chosen(listed: np.ndarray, number: np.ndarray) -> np.ndarray:
    """(S,) ids of the candidates with these numbers, `NONE` for nobody."""
    ids = np.take_along_axis(listed, np.maximum(number, 0)[:, None], axis=1)[:, 0]
    return np.where(number == NOBODY, NONE, ids)
