"""How names and texts from other people's files are shown: as what they are, never as something that acts.

A system, a base model, a title or a member of an archive may be called anything. Shown as it is, a name can be a heading, a link or a
script in Markdown, a formula in a figure, a command to a terminal, or look like another name. Here is the one home of what is done
about it. A usual name (letters, digits and `_ - . / , ( ) = : + %`) is shown as it is; JSON and Parquet hold every name unchanged.
"""

from __future__ import annotations

import json
import re
import shlex
import unicodedata

LONGEST = 200  # characters of a name that are shown
LONGEST_DRAWN = 80  # of one in a figure
LONGEST_MESSAGE = 4_000  # of a text in which there are names, such as an error
# Control characters, marks of direction, what has no width or no sign, ends of lines and paragraphs, halves of characters, private ones.
_UNSEEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
_BLANK = (
    "\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u2800\u3164\uffa0"  # letters and marks that show nothing
)
_USUAL = re.compile(r"""[^\W_][\w .,;:()=+%?"'/|–±…-]*""")
# Parts of usual characters that mean something in Markdown: emphasis, an address, a list item, spaces that vanish.
_MEANS_SOMETHING = re.compile(r"(?<![^\W_])_|_(?![^\W_])|://|\bwww\.|^\d+[.)](?: |$)|  |\s$", re.IGNORECASE)


def visible(text: str) -> str:
    """`text` in which every character that is not seen stands as an escape, such as \\x1b; lines and tabs stay."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(_escape(c) if c not in "\n\t" and _is_unseen(c) else c for c in text)


def plain(text: object, longest: int = LONGEST) -> str:
    """A name in one line of at most `longest` characters, each of which is seen: for a terminal, and for YAML that is shown."""
    text = str(text)
    if len(text) > longest:
        text = f"{text[: longest - 1]}…"
    return visible(text).replace("\n", "\\n").replace("\t", "\\t")


def in_markdown(text: object, longest: int = LONGEST) -> str:
    """A name inside a line or a table cell of Markdown: as it is where it is usual, else as code, in which nothing is active."""
    shown = plain(text, longest)
    usual = _USUAL.fullmatch(shown) and not _MEANS_SOMETHING.search(shown)
    return _pipes_escaped(shown) if usual or not shown else as_code(shown, longest)


def as_code(text: object, longest: int = LONGEST) -> str:
    """A name as inline code of Markdown, whatever backticks it holds; its pipes do not end a cell."""
    shown = plain(text, longest)
    marks = "`" * _outnumbering(shown, 1)
    space = " " if len(marks) > 1 or shown.startswith(" ") or not shown.strip() else ""
    return f"{marks}{space}{_pipes_escaped(shown)}{space}{marks}"


def fenced(text: str, language: str = "text") -> str:
    """A text as a code block of Markdown, whatever backticks it holds."""
    marks = "`" * _outnumbering(text, 3)
    return f"{marks}{language}\n{visible(text).rstrip(chr(10))}\n{marks}"


def in_sentence(text: object) -> str:
    """A sentence in which there are such names, such as a note, inside Markdown: as it is where it is usual, else as code."""
    return in_markdown(text, LONGEST_MESSAGE)


def in_figure(text: object, longest: int = LONGEST_DRAWN) -> str:
    """A name as matplotlib draws it: no formula between dollars, and no underscore in front, which would hide it from a legend."""
    shown = plain(text, longest).replace("$", r"\$")
    return f" {shown}" if shown.startswith("_") else shown


def in_shell(text: object) -> str:
    """A name as one word of a command line."""
    return shlex.quote(plain(text, LONGEST_MESSAGE))


def in_python(text: object) -> str:
    """A name as a literal of Python, whole, since it is to be used."""
    return visible(json.dumps(text, ensure_ascii=False))


def first_line(error: Exception) -> str:
    """What a library said of a foreign file, on one line, with the kind of error where the text alone says little."""
    lines = str(error).strip().splitlines() or [""]
    said = "".join(c if c.isprintable() else "?" for c in lines[0].strip()[:300])
    return said if isinstance(error, (ValueError, OSError)) and said else f"{type(error).__name__}: {said}".rstrip(": ")


FILTERS = {  # of the templates of cards
    "name": in_markdown,
    "code": as_code,
    "sentence_of_names": in_sentence,
    "fence": fenced,
    "shell": in_shell,
    "quoted": in_python,
}


def _pipes_escaped(text: str) -> str:
    """Also behind a backslash, which would otherwise escape the one that escapes the pipe."""
    return re.sub(r"(\\*)\|", lambda found: found[1] * 2 + "\\|", text)


def _is_unseen(character: str) -> bool:
    return character in _BLANK or unicodedata.category(character) in _UNSEEN


def _escape(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")


def _outnumbering(text: str, least: int) -> int:
    """One backtick more than the longest run of them in `text`."""
    return max(least, *(len(run) + 1 for run in re.findall("`+", text)), 0)
