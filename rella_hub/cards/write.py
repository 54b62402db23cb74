"""From what a card says to its file: a template filled, and the card written with the training curve beside it."""

from __future__ import annotations

import sys
from pathlib import Path

import jinja2

from rella_hub.cards import verdict
from rella_hub.cards.model_index import DIGITS
from rella_hub.files import ownership
from rella_hub.resources import resources
from rella_hub.tables.runs import CURVE
from rella_hub.texts.shown import FILTERS

MODEL_CARD = "model card"  # what the files are recorded as
TEMPLATES = resources("model_cards/templates")


def fill(template: str | Path, **values) -> str:
    """A template of templates/, or one in a folder of its own, with these values; one that is missing is an error."""
    path = TEMPLATES / template
    return environment(path.parent).get_template(path.name).render(**values)


def environment(folder: Path = TEMPLATES) -> jinja2.Environment:
    """folder: where templates are looked for, before model_cards/templates/."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader([folder, TEMPLATES]),
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


def write(text: str, output: Path, curve: Path | None, local: list[str], what: Path, overwrite: bool = False) -> None:
    """Write a card and its curve, and say so. ValueError where either would replace a file that is not ours, or was changed.

    local: the options that would make it name Hub ids only; what: the folder it is about.
    """
    contents = {output: text.encode()} | ({output.with_name(CURVE): curve.read_bytes()} if curve else {})
    changed = {path: content for path, content in contents.items() if not _holds(path, content)}
    for path in changed:
        ownership.require_replaceable(path, MODEL_CARD, overwrite)
    for path, content in changed.items():
        with ownership.writing_file(path, MODEL_CARD, overwrite) as temporary:
            temporary.write_bytes(content)
    if local:
        print(
            f"WARNING: {output} names folders of this machine, which nobody else has. Before it is published, pass {', '.join(local)}.",
            file=sys.stderr,
        )
    print(f"{output}: card of {what}.", flush=True)


def _holds(path: Path, content: bytes) -> bool:
    return path.is_file() and path.read_bytes() == content
