"""The templates of all cards, filled: what is missing is an error, and what comes from outside goes through a filter."""

from __future__ import annotations

import jinja2

from rella_hub.cards import verdict
from rella_hub.cards.model_index import DIGITS
from rella_hub.metrics import metrics
from rella_hub.resources import resources
from rella_hub.texts.shown import FILTERS


def fill(template: str, **values) -> str:
    """A template of model_cards/templates/ with these values; one that is missing is an error."""
    return environment().get_template(template).render(**values)


def environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(resources("model_cards/templates")),
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
    environment.globals |= {"all_metrics": metrics()}
    return environment


def _cell(text: str) -> str:
    """`text` as a cell of a Markdown table."""
    return text.replace("|", "\\|").replace("\n", " ")


def _identifier(name: str) -> str:
    """A name that stands bare in the code of a card."""
    if not name.isidentifier():
        raise ValueError(f"The results name {name!r} where a dtype of torch is expected. Score again.")
    return name
