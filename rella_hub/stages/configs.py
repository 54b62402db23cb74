"""Which configs the options of a command ask for, and whether they can be made; all of it known before any work."""

from __future__ import annotations

import re
from collections.abc import Iterable

from rella_hub.cli import refuse_without
from rella_hub.prompts import load_style
from rella_hub.stages.arguments import USUAL_VECTORS, FolderArguments, VectorArguments, ViewArguments
from rella_hub.tables import store
from rella_hub.views import POINTWISE, SIMILARITIES, Config, compares_vectors, load_view, parse_config, parse_view


def configs(options: ViewArguments, vectors: VectorArguments = USUAL_VECTORS, style: str = POINTWISE) -> list[Config]:
    """What is asked for, each once, and a mixed view behind those that it mixes. ValueError for what is not there or shows nothing."""
    for history_length in options.history_length:
        if history_length < 1:
            raise ValueError(f"--history_length is {history_length}; a prompt must show at least 1 behavior.")
    if options.similarity not in SIMILARITIES:
        raise ValueError(f"There is no similarity {options.similarity!r}. Expected one of {', '.join(SIMILARITIES)}.")
    check_variant(vectors)
    load_style(style)
    by_name = {name: parse_view(name)[0] for name in options.view}
    if not any(map(compares_vectors, by_name.values())):
        refuse_without("--view subr", options, ["similarity"])
        refuse_without("--view subr", vectors)
    ordered = sorted(by_name, key=lambda name: bool(load_view(by_name[name]).mixes))
    found = [
        Config("", history_length, options.similarity, vectors.vectors, style).of_view(name)
        for history_length in options.history_length
        for name in ordered
    ]
    for config in found:
        if parse_config(config.name) != config:
            raise ValueError(
                f"The name {config.name} would mean something else as well. Rename the view, the vectors or the style."
            )
    return list(dict.fromkeys(found))


def check_variant(vectors: VectorArguments) -> None:
    """ValueError for a variant of the item vectors that cannot be part of a name."""
    if vectors.vectors is not None and not re.fullmatch(r"[a-z0-9]+", vectors.vectors):
        raise ValueError(
            f"--vectors is {vectors.vectors!r}. Give a name of lower-case letters and digits, such as pca64."
        )


def require_parts(where: FolderArguments, asked: Iterable[Config]) -> None:
    """ValueError when a view is asked for without those that it mixes, and they are not there either."""
    asked = list(asked)
    for config in asked:
        for part in config.parts:
            if part not in asked and not store.table_splits(where.folder, part.table):
                mixed = load_view(config.view).mixes
                raise ValueError(
                    f"The view {config.view} mixes {' and '.join(mixed)}, and {where.folder} has no {part.table}. "
                    f"Ask for it too: --view {' '.join(mixed)} {config.view}"
                )
