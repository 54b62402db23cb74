"""A recommender as a system that chooses among the stored candidates."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import TypeVar

import numpy as np
import pyarrow as pa
import torch

from rella_hub.files.hashes import hash_file
from rella_hub.systems.sequential.inputs import Histories, load_behaviors
from rella_hub.systems.sequential.items import FILE, WEIGHTS, Items, folder_of
from rella_hub.systems.sequential.network import Recommender
from rella_hub.systems.sequential.options import MARK, ScoreOptions
from rella_hub.tables import checked, runs
from rella_hub.tables.candidates import matrix
from rella_hub.tables.checked import COUNT, NAME, Kind, optional
from rella_hub.texts.shown import first_line

Network = TypeVar("Network", bound=Recommender)
MARK_KINDS = {"model": NAME, "corpus": NAME, "history_length": COUNT, "num_shots": optional(COUNT)}


class Chooser:
    """See `rella_hub.systems`. A family whose recommenders read more than histories of items is a class of this one."""

    family, columns, rows_per_chunk = "sequential", (), 4096
    tables: tuple[str, ...] = ("items",)

    def __init__(self, name: str, revision: str | None, folder: Path, mark: Path, kinds: Mapping[str, Kind]):
        """folder: of the weights; mark: the JSON file in which the model says what it is, each value of one of `kinds`."""
        self._folder = folder
        self._mark = checked.require(checked.read_json(mark), kinds, str(mark))
        self._items = Items.read(self._folder)
        self.name = runs.public_name(name).rpartition("/")[2]
        self.training_samples = self._mark["num_shots"]
        self.identity = {
            "model": runs.public_name(name),
            "model_revision": revision,
            "model_identity": {
                "name": runs.public_name(name),
                "sha256": hash_file(self._folder / WEIGHTS),
                "items_sha256": hash_file(self._folder / FILE),
                **self._mark,
            },
            "libraries": {"torch": version("torch")},
        }

    def prepare(self, folder: Path, config_name: str, split: str) -> None:
        """ValueError where the data set is of another corpus or numbering than the model."""
        self._items.require_same(folder, f"The recommender {self.identity['model']!r}")
        self._behaviors = load_behaviors(folder, self._items)
        self.model = self.network(Recommender)

    def network(self, kind: type[Network]) -> Network:
        """The network with its weights. ValueError where they do not load."""
        try:
            return kind.from_pretrained(str(self._folder)).eval()
        except MemoryError:
            raise
        except Exception as error:  # whatever a damaged file makes the mixin or the network raise
            raise ValueError(
                f"The recommender in {self._folder} does not load: {first_line(error)} Train it again."
            ) from error

    def histories(self, rows: pa.Table) -> Histories:
        """What is read of the users of questions."""
        sample_id, position = (rows[name].to_numpy() for name in ("sample_id", "position"))
        return Histories.of(self._behaviors, sample_id, position, self._mark["history_length"])

    def choices(self, rows: pa.Table) -> dict[str, np.ndarray]:
        """`scores` (n, C) of the candidates of questions."""
        histories = self.histories(rows)
        items, mask, _ = histories.take(torch.arange(len(histories)))
        asked = torch.from_numpy(self._items.codes(matrix(rows["item_ids"])).astype(np.int64))
        with torch.inference_mode():
            return {"scores": self.model.score(self.model.user_state(items, mask), asked).double().numpy()}


def load(name: str | None, revision: str | None, options: ScoreOptions) -> Chooser:
    """name: a run folder, the model in it, or a Hub id."""
    folder = folder_of(str(name), revision)
    return Chooser(str(name), revision, folder, folder / MARK, MARK_KINDS)
