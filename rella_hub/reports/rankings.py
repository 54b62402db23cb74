"""The table of rankings: a row a system, mean and deviation over its runs, beside chance, popularity, and what the paper prints.

Files of choices are runs of one system where their names differ in `_s<seed>` at the end alone.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rella_hub.files import ownership
from rella_hub.reports import ranking_metrics as measured
from rella_hub.reports.ranking_metrics import METRICS, TITLES, Popularity
from rella_hub.tables import choices, store
from rella_hub.tables.activity import GROUPS, activity_groups
from rella_hub.texts.shown import in_markdown

RUN_OF_A_SYSTEM = re.compile(r"(?P<system>.+)_s\d+")
REPORT, NUMBERS, KIND = "rankings.md", "rankings.json", "rankings"


@dataclass(frozen=True)
class Row:
    system: str
    runs: int  # 0: computed, not measured
    mean: Mapping[str, float]
    deviation: Mapping[str, float]  # of the runs, over n - 1; empty of a single one
    of_groups: Mapping[str, float]  # mean NDCG@10 of each group of users by activity, from the least active


def rankings(files: Sequence[str], dataset: Path, output: Path, overwrite: bool) -> None:
    """Write the table as text and as numbers. ValueError where two files answer other questions."""
    found = [choices.read_choices(Path(path)) for path in files]
    _check(found, dataset)
    known, (users, groups) = Popularity.of(dataset), activity_groups(dataset)
    one = found[0]
    group = groups[np.searchsorted(users, one.user_id)]
    rows = [
        _chance(one, known),
        _row("popularity", [measured.popularity_scores(one.item_ids, known)], one, known, group),
    ]
    by_system: dict[str, list[np.ndarray]] = {}
    for chosen in found:
        assert chosen.scores is not None, "_check refuses a file without scores"
        match = RUN_OF_A_SYSTEM.fullmatch(chosen.record["system"])
        by_system.setdefault(match["system"] if match else chosen.record["system"], []).append(chosen.scores)
    rows += [_row(system, scores, one, known, group) for system, scores in by_system.items()]
    questions = f"{len(one.target):,} questions of {one.record['split']}, {one.item_ids.shape[1]} candidates each"
    corpus = store.made_from(dataset, "items")["corpus"]
    ownership.open_folder(output, KIND)
    texts = {REPORT: _text(rows, corpus, questions), NUMBERS: _numbers(rows, corpus, one)}
    for name, text in texts.items():
        with ownership.writing_file(output / name, KIND, overwrite) as temporary:
            temporary.write_text(text, encoding="utf-8")
    print(texts[REPORT], flush=True)


def _check(found: Sequence[choices.Choices], dataset: Path) -> None:
    first, names = found[0], set()
    for one in found:
        if one.scores is None:
            raise ValueError(f"{one.path} has no scores of the candidates, so its target has no rank. Leave it out.")
        same = np.array_equal(one.sample_id, first.sample_id) and np.array_equal(one.item_ids, first.item_ids)
        if not same:
            raise ValueError(
                f"{one.path} answers other questions than {first.path}. Compare systems on the same draw and split."
            )
        if one.record["system"] in names:
            raise ValueError(
                f"{one.path} is a second file of the system {one.record['system']}. Leave one out, or name it (--system)."
            )
        names.add(one.record["system"])
    samples = store.read(dataset, "samples", first.record["split"], ["sample_id", "item_id"])
    order = np.argsort(samples["sample_id"].to_numpy())
    if not np.isin(first.sample_id, samples["sample_id"].to_numpy()).all() or (
        len(order) == len(first.target) and (samples["item_id"].to_numpy()[order] != first.target).any()
    ):
        raise ValueError(f"{first.path} is not of the samples in {dataset}. Give the data set that was asked about.")


def _row(system: str, scores: Sequence[np.ndarray], one: choices.Choices, known: Popularity, group: np.ndarray) -> Row:
    target = np.array(one.references)
    runs = [measured.of_questions(measured.ranks(of_run, target), one.target, known) for of_run in scores]
    means = {name: [float(run[name].mean()) for run in runs] for name in METRICS}
    ndcg = np.mean([run["ndcg_at_10"] for run in runs], axis=0)
    return Row(
        system,
        len(runs),
        {name: float(np.mean(values)) for name, values in means.items()},
        {name: float(np.std(values, ddof=1)) for name, values in means.items()} if len(runs) > 1 else {},
        {
            str(number): float(ndcg[group == number].mean())
            for number in range(1, GROUPS + 1)
            if (group == number).any()
        },
    )


def _chance(one: choices.Choices, known: Popularity) -> Row:
    found = measured.chance(one.target, one.item_ids.shape[1], known)
    return Row("chance (computed)", 0, found, {}, {str(number): found["ndcg_at_10"] for number in range(1, GROUPS + 1)})


def _text(rows: Sequence[Row], corpus: str, questions: str) -> str:
    columns = ["system", "runs", *TITLES.values(), *(f"NDCG@10, group {number}" for number in range(1, GROUPS + 1))]
    lines = [f"| {' | '.join(columns)} |", f"|{' --- |' * 2}{' ---: |' * (len(columns) - 2)}"]
    for row in rows:
        cells = [in_markdown(row.system), str(row.runs or "-"), *(_cell(row, name) for name in METRICS)]
        cells += [f"{row.of_groups[str(n)]:.4f}" if str(n) in row.of_groups else "-" for n in range(1, GROUPS + 1)]
        lines.append(f"| {' | '.join(cells)} |")
    return (
        f"# Rankings on {corpus}\n\n{questions}. Mean ± standard deviation of the runs. Groups are fifths of the users by how many "
        "interactions they have, 1 the least active.\n\n" + "\n".join(lines) + "\n"
    )


def _cell(row: Row, name: str) -> str:
    deviation = f" ± {row.deviation[name]:.4f}" if name in row.deviation else ""
    return f"{row.mean[name]:.4f}{deviation}"


def _numbers(rows: Sequence[Row], corpus: str, one: choices.Choices) -> str:
    return (
        json.dumps(
            {
                "corpus": corpus,
                "split": one.record["split"],
                "questions": len(one.target),
                "candidates": one.item_ids.shape[1],
                "rows": [vars(row) for row in rows],
            },
            indent=2,
        )
        + "\n"
    )
