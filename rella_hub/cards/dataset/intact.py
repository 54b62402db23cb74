"""Whether the tables of a folder are what the build wrote: exactly those files, with that content, and nothing that a link leads to."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from rella_hub.hub.sending import require_own
from rella_hub.tables import checked, seal, store

_HASH_ON_THE_CARD = re.compile(r"\(content sha256: ([0-9a-f]{64})\)")


@dataclass(frozen=True)
class Built:
    files: Mapping[str, Path]  # <table>/<file> -> where it lies
    sha256: Mapping[str, str]  # the same -> hash of its bytes


def as_built(folder: Path, names: list[str]) -> Built:
    """The files of the tables `names`. ValueError for the first that was changed since it was built.

    A file of an earlier version carries no hash of its own. Its table is then held against the hash on the card that was written for it.
    """
    files, hashes = {}, {}
    on_the_card: dict[str, str] | None = None
    for name in names:
        record = store.provenance(folder, name)
        unsealed = False
        for path in store.files_of(folder, name):
            with require_own(path, folder).open("rb") as stream:
                read = seal.read(stream)
            if read.intact is False or store.record_of(path) != record:
                raise ValueError(
                    f"{path} was changed since it was built. Build it again (python dataset_builders/release.py --help)."
                )
            unsealed |= read.intact is None
            files[f"{name}/{path.name}"], hashes[f"{name}/{path.name}"] = path, read.sha256
        if unsealed:
            on_the_card = _hashes_on_the_card(folder) if on_the_card is None else on_the_card
            if on_the_card.get(name) != store.content_hash(folder, name):
                raise ValueError(
                    f"{folder / name} carries no hash of its own, as an earlier version wrote it, and is not what the card in {folder} was "
                    "written for. If it is as it was built, write the card (python dataset_builders/card.py); else build it again."
                )
    return Built(files, hashes)


def _hashes_on_the_card(folder: Path) -> dict[str, str]:
    """table -> hash of its files, as the card of the folder says; empty where there is no such card."""
    card = folder / "README.md"
    if not card.is_file():
        return {}
    _, _, rest = require_own(card, folder).read_text(encoding="utf-8", errors="replace").partition("---\n")
    head = checked.parse_yaml(rest.partition("\n---\n")[0], str(card))
    configs = head.get("configs") if isinstance(head, dict) else None
    found = {}
    for config in configs if isinstance(configs, list) else []:
        if isinstance(config, dict) and isinstance(config.get("config_name"), str):
            stated = _HASH_ON_THE_CARD.search(str(config.get("description", "")))
            found |= {config["config_name"]: stated[1]} if stated else {}
    return found
