"""From what a card says to its file: a template filled, and the card written with the training curve beside it."""

from __future__ import annotations

import sys
from pathlib import Path

import jinja2

from dataset_builders.tables import store
from dataset_builders.text.shown import FILTERS
from model_cards.cards import verdict
from model_cards.cards.model_index import DIGITS
from model_cards.cards.records import CURVE

TEMPLATES = Path(__file__).parent.parent / "templates"


def fill(template: str, **values) -> str:
    """A template of templates/ with these values; one that is missing is an error."""
    return environment().get_template(template).render(**values)


def environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,
    )
    environment.filters |= FILTERS | {
        "identifier": _identifier,
        "count": "{:,}".format,
        "metric": f"{{:.{DIGITS}f}}".format,
        "interval": verdict.number,
        "sentence": verdict.sentence,
    }
    return environment


def _identifier(name: str) -> str:
    """A name that stands bare in the code of a card."""
    if not name.isidentifier():
        raise ValueError(f"The results name {name!r} where a dtype of torch is expected. Score again.")
    return name


def write(text: str, output: Path, curve: Path | None, local: list[str], what: Path) -> None:
    """Write a card and its curve, and say so. local: the options that would make it name Hub ids only; what: the folder it is about."""
    if curve:
        with store.replacing_file(output.with_name(CURVE)) as temporary:
            temporary.write_bytes(curve.read_bytes())
    with store.replacing_file(output) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")
    if local:
        print(
            f"WARNING: {output} names folders of this machine, which nobody else has. Before it is published, pass {', '.join(local)}.",
            file=sys.stderr,
        )
    print(f"{output}: card of {what}.", flush=True)
