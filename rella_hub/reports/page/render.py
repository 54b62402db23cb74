"""The text of the page: one HTML file with its style and its script inside, which loads nothing from anywhere.

Whatever comes out of a file is escaped by the template, and the page forbids, by the hash of its own style and script, every other one.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import jinja2

from rella_hub.cards.model_index import DIGITS
from rella_hub.metrics import metrics
from rella_hub.reports.page import origin
from rella_hub.reports.page.entries import DIFFERENCE, Entry, Number
from rella_hub.reports.page.intervals import WIDTH, Drawing, Scale, scale_of
from rella_hub.reports.rows import COMPARED_BY
from rella_hub.resources import resources
from rella_hub.texts.shown import plain

TEMPLATES = resources("spaces/results")
PAGE, README = "index.html", "README.md"
CARDS = "cards"
GUESS = 0.5  # the AUC of a system that knows nothing


@dataclass(frozen=True)
class Column:
    """A column of numbers."""

    name: str
    title: str
    arrow: str  # which way is better
    sign: str
    scale: Scale | None

    def text(self, number: Number) -> str:
        return f"{number.value:{self.sign}.{DIGITS}f}"

    def interval(self, number: Number) -> str | None:
        if number.low is None or number.high is None:
            return None
        return f"{number.low:{self.sign}.{DIGITS}f} to {number.high:{self.sign}.{DIGITS}f}"

    def draw(self, number: Number) -> Drawing | None:
        return self.scale.draw(number) if self.scale else None


@dataclass(frozen=True)
class Line:
    """An entry with what the page links it to."""

    number: int
    entry: Entry
    card: str | None  # an address: on the Hub, or of a file of the page
    commands: list[str]
    facts: list[tuple[str, str]]


@dataclass(frozen=True)
class Page:
    """The files of the page, and the Hub ids of the models that its Space names."""

    files: dict[str, str]  # name → text
    models: list[str]


def render(entries: Sequence[Entry], notes: Sequence[dict], title: str) -> Page:
    """All of the page, of entries in the order in which they stand at first."""
    cards: dict[str, str] = {}  # file → text
    lines = [_line(number, entry, cards) for number, entry in enumerate(entries, 1)]
    environment = _environment()
    style, script = ((TEMPLATES / name).read_text(encoding="utf-8") for name in ("page.css", "page.js"))
    values = {"title": title, "policy": _policy(style, script), "style": style, "script": script}
    index = environment.get_template("index.html.jinja").render(
        **values, lines=lines, columns=_columns(entries), filters=_filters(entries), notes=notes, width=WIDTH
    )
    card = environment.get_template("card.html.jinja")
    files = {name: card.render(title=name, text=text, policy=_policy("", "")) for name, text in cards.items()}
    models = sorted({str(line.card).removeprefix(f"{origin.HUB}/") for line in lines if _is_on_hub(line)})
    readme = environment.get_template("README.md.jinja").render(title=title, models=models)
    return Page({PAGE: index, README: readme, **files}, models)


def _line(number: int, entry: Entry, cards: dict[str, str]) -> Line:
    """cards: takes the card of a system that lies on this machine."""
    if entry.reported is None:
        return Line(number, entry, origin.paper_address(entry.paper or ""), [], [])
    record = entry.reported.row["record"]
    address = origin.hub_card(record)
    text = None if address else origin.local_card(record)
    if text is not None:
        address = f"{CARDS}/{str(origin.sha256_of(record))[:16]}.html"
        cards[address] = text
    return Line(number, entry, address, origin.commands(entry.reported), list(origin.facts(entry.reported)))


def _is_on_hub(line: Line) -> bool:
    return line.card is not None and line.card.startswith(f"{origin.HUB}/")


def _columns(entries: Sequence[Entry]) -> list[Column]:
    """Of what any entry has."""
    wanted = [(one.name, one.title, "↑" if one.higher_is_better else "↓", "") for one in metrics()]
    wanted.append((DIFFERENCE, "AUC − reference", "↑", "+"))
    found = []
    for name, title, arrow, sign in wanted:
        numbers = [entry.numbers[name] for entry in entries if name in entry.numbers]
        if numbers:
            mark = {COMPARED_BY: GUESS, DIFFERENCE: 0.0}.get(name)
            found.append(Column(name, title, arrow, sign, scale_of(numbers, mark)))
    return found


def _filters(entries: Sequence[Entry]) -> dict[str, list[str]]:
    """The choices of each filter, by the name of what is filtered."""
    by_shots = sorted({(entry.shots_in_order, entry.shots) for entry in entries})
    return {
        "corpus": sorted({entry.corpus for entry in entries}),
        "shots": [shots for _, shots in by_shots],
        "base": sorted({entry.base for entry in entries}),
        "view": sorted({entry.view for entry in entries}),
    }


def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=lambda name: name is not None and ".html" in name,
    )
    environment.filters["plain"] = plain
    return environment


def _policy(style: str, script: str) -> str:
    """A Content-Security-Policy under which this style and this script run, and nothing else does."""
    allowed = {"style-src": style, "script-src": script}
    sources = "; ".join(f"{kind} 'sha256-{_hash(text)}'" for kind, text in allowed.items() if text)
    return f"default-src 'none'; base-uri 'none'; form-action 'none'{'; ' if sources else ''}{sources}"


def _hash(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode("ascii")
