"""Published texts as a sentence shows them: HTML entities (`&amp;`), which tables keep, become letters, and line breaks a blank."""

from __future__ import annotations

import html
import re

import polars as pl

ENTITY = re.compile(r"&(?:#\d+|#x[0-9a-f]+|\w+);", re.IGNORECASE)


def readable(column: pl.Series) -> pl.Series:
    texts = [ENTITY.sub(lambda found: html.unescape(found[0]), text) if "&" in text else text for text in column]
    return pl.Series(column.name, texts, dtype=pl.String).str.replace_all(r"\s+", " ").str.strip_chars()
