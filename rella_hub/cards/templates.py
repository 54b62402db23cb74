"""The templates of all cards, filled: what is missing is an error, and what comes from outside goes through a filter."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jinja2

from rella_hub.cards import verdict
from rella_hub.cards.model_index import DIGITS
from rella_hub.metrics import metrics
from rella_hub.resources import resources
from rella_hub.texts.shown import FILTERS

TEMPLATES = resources("model_cards/templates")


def fill(template: str | Path, **values) -> str:
    """A template of model_cards/templates/, or one in a folder of its own, with these values; one that is missing is an error."""
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
        "cell": _cell,
        "count": "{:,}".format,
        "identifier": _identifier,
        "interval": verdict.number,
        "metric": f"{{:.{DIGITS}f}}".format,
        "percent": "{:.1%}".format,
        "sentence": verdict.sentence,
    }
    own: Any = environment.globals  # jinja2 says what it puts in itself
    own["all_metrics"] = metrics()
    return environment


def _cell(text: str) -> str:
    """`text` as a cell of a Markdown table."""
    return text.replace("|", "\\|").replace("\n", " ")


def _identifier(name: str) -> str:
    """A name that stands bare in the code of a card."""
    if not name.isidentifier():
        raise ValueError(f"The results name {name!r} where a dtype of torch is expected. Score again.")
    return name
