"""What a card calls things: Hub ids where there are any, else the folders of this machine."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rella_hub.tables import store
from rella_hub.tables.runs import HUB_ID

if TYPE_CHECKING:
    from rella_hub.cards.arguments import CardArguments
    from rella_hub.cards.facts import Facts

IN_FOLDER = "sha256:"  # how the revision of a base begins that was read from a folder: it is a hash of its weights


@dataclass(frozen=True)
class Names:
    model: str
    dataset: str  # that was trained on
    scored: str  # the data set of the scores
    dataset_on_hub: str | None  # that was trained on
    base: str | None  # None where there is no base model
    base_on_hub: str | None
    base_commit: str | None
    local: list[str]  # the options that would name a thing by its Hub id, for each one that is a folder


def names_of(options: CardArguments, facts: Facts, record: dict | None) -> Names:
    """record: of the scores that the card is about, None where there are none."""
    trained_on, corpus = facts.recipe["dataset"], facts.data.corpus.id
    on_hub = dataset_on_hub(trained_on, corpus, options.dataset_id, trained_on)
    scored_on = record["dataset"] if record else trained_on
    scored_on_hub = dataset_on_hub(scored_on, record["corpus"] if record else corpus, options.dataset_id, trained_on)
    base = (record or {}).get("base_identity") or facts.base
    base_on_hub, base_commit = None, None
    if base:
        base_on_hub = options.base_model_id or (None if is_in_folder(base) else base["name"])
        pinned = base_on_hub and options.base_model_id is None and base["revision"] != "unknown"
        base_commit = base["revision"] if pinned else None
    wanted = {"base_model_id": base_on_hub} if base else {}
    wanted |= {"dataset_id": on_hub, "hub_model_id": options.hub_model_id}
    return Names(
        model=options.hub_model_id or facts.result.as_posix(),
        dataset=on_hub or trained_on,
        scored=scored_on_hub or scored_on,
        dataset_on_hub=on_hub,
        base=(base_on_hub or base["name"]) if base else None,
        base_on_hub=base_on_hub,
        base_commit=base_commit,
        local=[f"--{option}" for option, name in wanted.items() if name is None],
    )


def require_hub_id(option: str, name: str | None) -> None:
    if name is not None and not HUB_ID.fullmatch(name):
        raise ValueError(f"--{option} is {name!r}; expected a Hub id, owner/name.")


def dataset_on_hub(name: str, corpus: str | None, given: str | None, trained_on: str) -> str | None:
    """The Hub id of a data set: `given` if it is what was trained on, else `name` unless that is only a local folder."""
    if given and name in (trained_on, given):
        return given
    if not HUB_ID.fullmatch(name):
        return None
    is_default = corpus is not None and name == store.default_folder(corpus).as_posix()
    return name if is_default or not Path(name).is_dir() else None


def is_in_folder(base: dict) -> bool:
    """Whether the base model of a record was a folder of this machine, one in the cache of the Hub among them."""
    return base["revision"].startswith(IN_FOLDER) or Path(base["name"]).is_absolute()
