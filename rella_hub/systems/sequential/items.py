"""The items of a recommender: which row of its table is which item, and that a data set means the same by its ids.

    items.json           {"corpus": ..., "item_id": [...], "sha256": ...}     row r of the table is item_id[r - 1]; row 0 is padding
    model.safetensors    items.weight (I + 1, d)

The hash is of ids and titles, so a data set in which an id is another item is told from the one that was trained on.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open

from rella_hub.files.hashes import hash_file
from rella_hub.hub.models import result_folder
from rella_hub.systems.sequential.options import MARK, RESULT
from rella_hub.tables import checked, runs, store
from rella_hub.tables.checked import LINE, NAME
from rella_hub.tables.keys import codes_of

FILE, WEIGHTS, TABLE = "items.json", "model.safetensors", "items.weight"
_IDS = checked.Kind(
    "a list of whole numbers, ascending",
    lambda value: (
        isinstance(value, list)
        and all(isinstance(one, int) and not isinstance(one, bool) for one in value)
        and all(a < b for a, b in pairwise(value))
    ),
)
KINDS = {"corpus": NAME, "sha256": LINE, "item_id": _IDS}


@dataclass(frozen=True)
class Items:
    """The numbering of a recommender's items."""

    corpus: str
    item_id: np.ndarray  # (I,) ascending
    sha256: str

    @staticmethod
    def of(folder: Path) -> Items:
        """All items of a data set folder."""
        table = store.read(folder, "items").sort_by("item_id")
        names = [name for name in ("item_id", "title") if name in table.column_names]
        digest = hashlib.sha256(json.dumps([table[name].to_pylist() for name in names]).encode()).hexdigest()
        return Items(store.made_from(folder, "items")["corpus"], table["item_id"].to_numpy(), digest)

    @staticmethod
    def read(folder: Path) -> Items:
        """ValueError where the file is not there or damaged."""
        found = checked.require(checked.read_json(folder / FILE), KINDS, str(folder / FILE))
        return Items(found["corpus"], np.array(found["item_id"], dtype=np.int64), found["sha256"])

    def save(self, folder: Path) -> None:
        values = {"corpus": self.corpus, "sha256": self.sha256, "item_id": self.item_id.tolist()}
        (folder / FILE).write_text(json.dumps(values) + "\n", encoding="utf-8")

    def codes(self, item_id: np.ndarray) -> np.ndarray:
        """The row in the table of each of `item_id`, from 1."""
        return 1 + codes_of(item_id, self.item_id, "items are not among those of the recommender")

    def require_same(self, folder: Path, what: str) -> None:
        """ValueError where a data set folder is of another corpus, or means other items by the same ids. what: "the recommender x"."""
        here = Items.of(folder)
        if here.corpus != self.corpus:
            raise ValueError(f"{what} was trained on {self.corpus}, the data set in {folder} is {here.corpus}.")
        if here.sha256 != self.sha256:
            raise ValueError(
                f"{what} numbers its items otherwise than {folder}: {len(self.item_id):,} items (SHA-256 {self.sha256[:12]}), the data set "
                f"has {len(here.item_id):,} ({here.sha256[:12]}). Train it on this data set, or take the one that it was trained on."
            )


@dataclass(frozen=True)
class ItemTable:
    """The item vectors of a trained recommender, for other systems to start from."""

    items: Items
    vectors: np.ndarray  # (I, d) float32, in the order of items.item_id
    identity: dict  # what pins them: the recommender's name and hashes

    def require_same_items(self, folder: Path) -> None:
        """ValueError where a data set folder is of another corpus or numbering."""
        self.items.require_same(folder, f"The recommender {self.identity['name']!r}")


def folder_of(name: str, revision: str | None = None) -> Path:
    """The folder with the weights, of a run, its result or a Hub id. ValueError where a file is missing."""
    made_by = ". A recommender is what python training/train.py --family sequential leaves in"
    return result_folder(name, revision, RESULT, (WEIGHTS, FILE, MARK), made_by, noun="recommender")


def read_item_table(name: str, revision: str | None = None) -> ItemTable:
    """The item table of a recommender: a run folder, its result or a Hub id. ValueError where it is damaged."""
    folder = folder_of(name, revision)
    items, mark = Items.read(folder), checked.read_object(folder / MARK)
    try:
        with safe_open(folder / WEIGHTS, framework="numpy") as stored:
            vectors = stored.get_tensor(TABLE)
    except SafetensorError as error:
        raise ValueError(f"{folder / WEIGHTS} has no whole {TABLE} ({error}). Train the recommender again.") from error
    if vectors.ndim != 2 or len(vectors) != len(items.item_id) + 1:
        raise ValueError(
            f"{folder / WEIGHTS} holds {len(vectors) - 1} item vectors, {FILE} tells of {len(items.item_id)} items: they are not of one "
            "run. Train the recommender again."
        )
    identity = {
        "name": runs.public_name(name),
        "model": mark["model"],
        "corpus": items.corpus,
        "sha256": hash_file(folder / WEIGHTS),
        "items_sha256": items.sha256,
    }
    return ItemTable(items, vectors[1:].astype(np.float32), identity)
