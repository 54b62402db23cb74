"""The paper's main table with our rows, as Markdown and as JSON."""

from __future__ import annotations

from dataclasses import asdict

from rella_hub.corpora import load_corpus
from rella_hub.paper.tables import read_table
from rella_hub.reports.overall import METRICS, CorpusTable, Row
from rella_hub.texts.shown import in_markdown

NAMES = {"auc": "AUC", "log_loss": "LogLoss", "accuracy": "ACC"}


def markdown(tables: list[CorpusTable]) -> str:
    lines = [
        "# The paper's main table",
        "",
        f"Paper: {read_table('overall').source}. Ours: the whole test split; over several seeds the mean and the standard deviation.",
    ]
    for table in tables:
        lines += ["", f"## {load_corpus(table.corpus).name}", "", *table.archives, ""]
        heads = [f"{NAMES[metric]} {whose}" for metric in METRICS for whose in ("ours", "paper")]
        lines += [f"| system | setting | {' | '.join(heads)} | AUC difference |", "|---|---|" + "---:|" * 7]
        lines += [_line(row) for row in table.rows]
    return "\n".join(lines) + "\n"


def as_dictionary(tables: list[CorpusTable]) -> dict:
    return {"source": read_table("overall").source, "tables": [asdict(table) for table in tables]}


def _line(row: Row) -> str:
    cells = []
    for metric in METRICS:
        cells += [_spread(row, metric), f"{row.paper[metric]:.4f}" if row.paper else ""]
    difference = f"{row.mean('auc') - row.paper['auc']:+.4f}" if row.ours and row.paper else ""
    system, setting = (name if row.paper else in_markdown(name) for name in (row.system, row.setting))
    return f"| {system} | {setting} | {' | '.join(cells)} | {difference} |"


def _spread(row: Row, metric: str) -> str:
    if not row.ours:
        return ""
    deviation = row.deviation(metric)
    return f"{row.mean(metric):.4f}" + (f" ± {deviation:.4f} ({len(row.ours)})" if deviation is not None else "")
