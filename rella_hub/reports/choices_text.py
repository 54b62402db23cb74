"""The report of choices as Markdown and JSON: a table for each corpus, split and draw, and one over several draws."""

from __future__ import annotations

import json
import statistics

from rella_hub.metrics.uncertainty.p_value import p_text
from rella_hub.reports.choices import Group, Row, Share, compare
from rella_hub.reports.folder import ReportFolder
from rella_hub.tables.choices import Choices
from rella_hub.texts.markdown import table
from rella_hub.texts.shown import in_markdown

NAMES = ("choices.md", "choices.json")
COLUMNS = ("system", "n", "HitRatio@1", "ValidRatio", "NDCG@10", "right alone", "first right alone", "p")


def write_report(files: list[Choices], output: ReportFolder) -> None:
    """Print the comparison and write it to `output`. ValueError before anything is measured where one of the files is not ours."""
    with output.writing(*NAMES) as write:
        groups = compare(files)
        text = render(groups)
        write(NAMES[0], text)
        write(NAMES[1], json.dumps(as_dictionary(groups), indent=2, allow_nan=False) + "\n")
    print(text)
    print(f"{output.path}: {', '.join(NAMES)}")


def render(groups: list[Group]) -> str:
    lines = [
        "# Choices of the next item",
        "",
        (
            "In brackets the exact 95 % interval (Clopper and Pearson). HitRatio@1 is right answers of all questions; an answer that is no "
            "candidate is wrong. p (two-sided) is McNemar's exact test against the first row, of the questions that one of the two alone "
            "answers right; it is not corrected for the number of systems. `popularity` and `random` need no model."
        ),
    ]
    for group in groups:
        lines += ["", f"## {in_markdown(group.corpus)}, {in_markdown(group.split)}, draw {group.draw}", ""]
        lines.append(table(COLUMNS, [_cells(row) for row in group.rows], 1))
    lines += _over_draws(groups)
    return "\n".join(lines) + "\n"


def as_dictionary(groups: list[Group]) -> dict:
    """Every number in full, with the record of the file that it came from."""
    return {
        "groups": [
            {
                "corpus": group.corpus,
                "split": group.split,
                "draw": group.draw,
                "rows": [_values(row) for row in group.rows],
            }
            for group in groups
        ]
    }


def _values(row: Row) -> dict:
    return {
        "system": row.name,
        "n": row.right.of,
        "right": row.right.count,
        "hit_ratio_interval": row.right.interval,
        "valid": row.valid.count,
        **row.metrics,
        "mcnemar": None
        if row.test is None
        else {"right_alone": row.test.ours, "first_alone": row.test.theirs, "p": row.test.p},
        "file": None if row.choices.path is None else str(row.choices.path),
        "record": row.choices.record,
    }


def _cells(row: Row) -> list[str]:
    test = ["-", "-", "-"] if row.test is None else [str(row.test.ours), str(row.test.theirs), p_text(row.test.p)]
    ndcg = f"{row.metrics['ndcg']:.4f}" if "ndcg" in row.metrics else "-"
    return [in_markdown(row.name), f"{row.right.of:,}", _share(row.right), f"{row.valid.value:.4f}", ndcg, *test]


def _share(share: Share) -> str:
    low, high = share.interval
    return f"{share.value:.4f} [{low:.4f}, {high:.4f}]"


def _over_draws(groups: list[Group]) -> list[str]:
    """How far HitRatio@1 goes from draw to draw, where there are several."""
    found: dict[tuple[str, str], dict[str, list[float]]] = {}
    for group in groups:
        for row in group.rows:
            found.setdefault((group.corpus, group.split), {}).setdefault(row.name, []).append(row.right.value)
    lines = []
    for (corpus, split), by_name in found.items():
        rows = [
            [
                in_markdown(name),
                str(len(v)),
                f"{statistics.mean(v):.4f}",
                f"{statistics.stdev(v):.4f}",
                f"{min(v):.4f}",
                f"{max(v):.4f}",
            ]
            for name, v in by_name.items()
            if len(v) > 1
        ]
        if rows:
            columns = ("system", "draws", "mean", "deviation", "least", "most")
            lines += ["", f"## {in_markdown(corpus)}, {in_markdown(split)}: HitRatio@1 over draws of candidates", ""]
            lines.append(table(columns, rows, 1))
    return lines
