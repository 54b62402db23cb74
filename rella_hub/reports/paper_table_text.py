"""A table of a paper with our numbers in it, as Markdown and as JSON."""

from __future__ import annotations

import json

from rella_hub.corpora import load_corpus
from rella_hub.metrics import choice_metrics, metrics
from rella_hub.paper.tables import PaperTable
from rella_hub.reports.paper_table import Row, Section
from rella_hub.texts.markdown import table as markdown_table
from rella_hub.texts.shown import in_markdown

OF_SCORES = " Ours: the whole test split; over several seeds the mean and the standard deviation."


def markdown(table: PaperTable, sections: list[Section]) -> str:
    lines = [f"# {table.title}", "", f"Paper: {table.source}.{OF_SCORES if table.measured_on != 'data' else ''}"]
    for section in sections:
        lines += ["", f"## {load_corpus(section.corpus).name}"] if section.corpus else []
        lines += ["", *section.archives] if section.archives else []
        lines += ["", _by_row(table, section.rows) if table.shown else _by_value(table, section.rows)]
        lines += ["", *(f"- {in_markdown(said)}" for said in section.left_out)] if section.left_out else []
    lines += ["", table.note.strip()] if table.note else []
    return "\n".join(lines) + "\n"


def as_json(table: PaperTable, sections: list[Section]) -> str:
    """Every number in full. `tables`: one for each corpus; a row has the shown keys, `ours` by seed, `paper`, `difference`."""
    tables = [
        {
            "corpus": s.corpus,
            "archives": s.archives,
            "rows": [_row(table, row) for row in s.rows],
            "left_out": s.left_out,
        }
        for s in sections
    ]
    return json.dumps({"table": table.name, "source": table.source, "tables": tables}, indent=2, allow_nan=False) + "\n"


def title_of(value: str) -> str:
    known = [*metrics(), *choice_metrics()]
    return next((metric.title for metric in known if metric.name == value), value.replace("_", " "))


def _row(table: PaperTable, row: Row) -> dict:
    differences = {value: row.difference(value) for value in table.values}
    return {
        **row.cells,
        "ours": row.ours,
        "paper": row.paper,
        "difference": differences if row.paper and row.ours else None,
    }


def _by_row(table: PaperTable, rows: list[Row]) -> str:
    several = len(table.values) > 1
    heads = [
        f"{title_of(value)} {whose}" if several else whose for value in table.values for whose in ("ours", "paper")
    ]
    difference = f"{title_of(table.values[0])} difference" if several else "difference"
    columns = [*(key.replace("_", " ") for key in table.shown), *heads, difference]
    lines = []
    for row in rows:
        cells = [
            "" if cell is None else in_markdown(cell) if row.paper is None else str(cell) for cell in row.cells.values()
        ]
        for value in table.values:
            cells += [_ours(table, row, value), "" if row.paper is None else _text(table, value, row.paper[value])]
        lines.append([*cells, _difference(table, row, table.values[0])])
    return markdown_table(columns, lines, len(table.shown))


def _by_value(table: PaperTable, rows: list[Row]) -> str:
    """Of a table with one row for each corpus: a line for each value."""
    lines = [
        [
            title_of(value),
            _ours(table, row, value),
            "" if row.paper is None else _text(table, value, row.paper[value]),
            _difference(table, row, value),
        ]
        for row in rows
        for value in table.values
    ]
    return markdown_table(("", "ours", "paper", "difference"), lines, 1)


def _ours(table: PaperTable, row: Row, value: str) -> str:
    mean, deviation = row.mean(value), row.deviation(value)
    if mean is None:
        return ""
    spread = f" ± {_text(table, value, deviation)} ({len(row.ours)})" if deviation is not None else ""
    return f"{_text(table, value, mean)}{spread}"


def _difference(table: PaperTable, row: Row, value: str) -> str:
    difference = row.difference(value)
    return "" if difference is None else _text(table, value, difference, "+") if difference else "0"


def _text(table: PaperTable, value: str, number: float, sign: str = "") -> str:
    """With as many decimals as the paper prints."""
    printed = [str(row[value]).partition(".")[2] for row in table.rows]
    return f"{number:{sign},.{max(map(len, printed))}f}"
