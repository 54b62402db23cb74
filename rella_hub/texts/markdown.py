"""Tables in Markdown."""

from __future__ import annotations

from collections.abc import Sequence

NARROWEST = 2  # characters of a column: a colon alone is no rule


def table(columns: Sequence[str], rows: list[list[str]], text_columns: int) -> str:
    """A Markdown table whose columns are padded, so that it reads well in a terminal too. The first `text_columns` hold text,
    names among it as `in_markdown` gives them; the others hold numbers, at the right."""
    rows = [list(columns), *rows]
    widths = [max(NARROWEST, *map(len, column)) for column in zip(*rows, strict=True)]
    lines = [_line(row, widths, text_columns) for row in rows]
    rule: list[str] = ["-" * width if c < text_columns else "-" * (width - 1) + ":" for c, width in enumerate(widths)]
    return "\n".join([lines[0], _line(rule, widths, text_columns), *lines[1:]])


def _line(cells: list[str], widths: list[int], text_columns: int) -> str:
    padded = [
        cell.ljust(width) if c < text_columns else cell.rjust(width)
        for c, (cell, width) in enumerate(zip(cells, widths, strict=True))
    ]
    return "| " + " | ".join(padded) + " |"
