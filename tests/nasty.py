"""Names that do harm where they are taken for markup, and what a reader of Markdown would see of a text."""

from __future__ import annotations

import unicodedata

from markdown_it import MarkdownIt

NASTY = {
    "a heading": "# Results of ours",
    "a heading on a line of its own": "x\n\n# Retracted\n",
    "a script": "<script>alert(1)</script>",
    "an image with an event": '<img src=x onerror="alert(1)">',
    "a comment that hides what follows": "<!--",
    "a link": "[results](javascript:alert(1)) [x](https://example.com)",
    "an image": "![x](http://example.com/x.png)",
    "a bare address": "http://example.com/evil",
    "an address without its scheme": "www.example.com",
    "a mail address": "me@example.com",
    "emphasis": "*best* __system__ ~~wrong~~",
    "underscores at the ends": "_x_",
    "an entity": "&lt;b&gt;",
    "code": "`x`",
    "more backticks": "x``` ```y",
    "a pipe": "a|b",
    "a pipe behind a backslash": "a\\|b | c",
    "a backslash at the end": "a\\",
    "a front matter": "---\nlicense: mit\n---",
    "a list": "1. x",
    "a carriage return": "good\rbad",
    "color": "\x1b[31mred\x1b[0m",
    "a hyperlink of the terminal": "\x1b]8;;http://example.com\x1b\\x\x1b]8;;\x1b\\",
    "a command of eight bits": "\x9b2J\x9d0;title\x9c",
    "a null and a bell": "a\x00b\x07",
    "a turned direction": "abc\u202egpj.exe\u202c \u2066x\u2069",
    "no width": "ze\u200bro\u200d_shot\ufeff\u2060",
    "a blank letter": "zero\u3164shot",
    "tags that are not seen": "x\U000e0041",
    "other ends of lines": "a\u2028b\u2029c\x85d\x0b\x0ce",
    "half a character": "a\ud800b",
    "a formula": "$\\frac{1}{0}$ costs $5",
    "a formula that does not parse": r"$\nosuchcommand{$",
    "a template": "{{ x }} {% if %} {# y #}",
    "a placeholder of matplotlib": "_nolegend_",
    "spaces alone": "   ",
    "twenty thousand letters": "x" * 20_000,
}


markdown_it = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])


def active(text: str) -> list[str]:
    """What a reader of Markdown would see of `text` that is more than text: the kinds of tokens."""
    found = []
    for block in markdown_it.parse(text):
        found += [
            token.type
            for token in [block, *(block.children or [])]
            if token.type not in ("inline", "text", "code_inline")
        ]
    return found


def rows_of(text: str) -> list[int]:
    """The number of cells in each row of all tables of a Markdown text."""
    tokens = [token.type for token in markdown_it.parse(text)]
    cells = [0]
    for token in tokens:
        if token == "tr_open":
            cells.append(0)
        cells[-1] += token in ("td_open", "th_open")
    return cells[1:]


def unseen(text: str) -> set[str]:
    return {c for c in text if c != "\n" and unicodedata.category(c) in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")}
