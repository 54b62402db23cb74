"""What a card calls things: Hub ids where there are any, else the folders of this machine."""

from __future__ import annotations

import re
from pathlib import Path

from rella_hub.tables import store

IN_FOLDER = "sha256:"  # how the revision of a base begins that was read from a folder: it is a hash of its weights
HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")


def require_hub_id(option: str, name: str | None) -> None:
    if name is not None and not HUB_ID.fullmatch(name):
        raise ValueError(f"--{option} is {name!r}; expected a Hub id, owner/name.")


def dataset_on_hub(name: str, corpus: str | None, given: str | None, trained_on: str) -> str | None:
    """The Hub id of a data set: the one given for what was trained on, else its name, unless that is a folder of another name than
    the Hub's."""
    if given and name in (trained_on, given):
        return given
    if not HUB_ID.fullmatch(name):
        return None
    is_default = corpus is not None and name == store.default_folder(corpus).as_posix()
    return name if is_default or not Path(name).is_dir() else None


def is_in_folder(base: dict) -> bool:
    """Whether the base model of a record was a folder of this machine, one in the cache of the Hub among them."""
    return base["revision"].startswith(IN_FOLDER) or Path(base["name"]).is_absolute()
