"""Rationales → prompts with answers, for a student to learn from: the short prompt, and the three steps as a teacher wrote them.

    distillation_<name>    splits train and validation: sample_id, prompt, completion

Source: SLIM (arXiv 2403.04260), section 3.2: the student is fed with a simplified template and trained on the teacher's words; 1,000
rationales suffice there (figure 8). A tenth of the users is kept for validation (ours).
"""

from __future__ import annotations

import re

import numpy as np
import polars as pl
from datasets import Features, Value

from rella_hub.corpora import load_corpus
from rella_hub.prompts import rationale
from rella_hub.prompts.choosing.next_item import titles
from rella_hub.prompts.rationale.steps import Rationale
from rella_hub.stages.arguments import FolderArguments
from rella_hub.tables import rationales, records, store
from rella_hub.tables.keys import codes_of

CONFIG, VALIDATION = "distillation", 0.1
FEATURES = Features({"sample_id": Value("int64"), "prompt": Value("string"), "completion": Value("string")})
_NAME = re.compile(rf"{CONFIG}_[a-z0-9]+")


def config_of(name: str) -> str:
    """The config of the prompts that are made of the rationales of that name."""
    return f"{CONFIG}_{name}"


def is_distillation(config_name: str) -> bool:
    return bool(_NAME.fullmatch(config_name))


def distill(where: FolderArguments, name: str, seed: int) -> None:
    """Write the config. The order of its training rows, and who is validated on, come from `seed`."""
    table, config = rationales.table_of(name), config_of(name)
    found = rationales.read(where.folder, name)
    made_from = {
        "corpus": where.corpus,
        "inputs": records.input_fingerprints(where.folder, ["items", table]),
        "rationale_version": rationale.VERSION,
        "seed": seed,
    }
    if records.stands(where.folder, config, made_from, where.overwrite):
        return
    if len(found) < 2:
        raise ValueError(
            f"{where.folder / table} has {len(found)} rationale; a student needs one to learn and one for validation."
        )
    rows = _rows(where, found)[np.random.default_rng(seed).permutation(len(found))]
    kept = max(1, round(VALIDATION * len(rows)))
    splits = {"train": rows[kept:].to_arrow(), "validation": rows[:kept].to_arrow()}
    store.write(where.folder, config, FEATURES, splits, made_from)
    print(f"{where.folder / config}: {len(rows) - kept:,} train, {kept:,} validation.", flush=True)


def _rows(where: FolderArguments, found: pl.DataFrame) -> pl.DataFrame:
    words, items = load_corpus(where.corpus).words, store.frame(where.folder, "items").sort("item_id")
    named = titles(words, items).to_numpy()
    known = items["item_id"].to_numpy()
    shown = [named[codes_of(ids.to_numpy(), known, "items of rationales")] for ids in found["history_item_ids"]]
    return pl.DataFrame(
        {
            "sample_id": found["sample_id"],
            "prompt": [rationale.prompt(rationale.STUDENT, words, told) for told in shown],
            "completion": [Rationale(*steps).text for steps in found.select(rationales.STEPS).iter_rows()],
        }
    )
