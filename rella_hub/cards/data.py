"""What the tables of a data set tell a card about the data that a model was trained on."""

from __future__ import annotations

from pathlib import Path

from rella_hub.tables import store


def encoder_of(folder: Path) -> str | None:
    """The encoder of the item vectors, of one in a folder its name; None where there are no vectors."""
    encoder = (store.provenance(folder, "item_vectors") or {}).get("encoder")
    return Path(encoder).name if encoder and Path(encoder).is_dir() else encoder
