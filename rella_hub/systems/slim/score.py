"""A recommender that reads texts as a system that chooses among the stored candidates."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import torch

from rella_hub.files.hashes import hash_file
from rella_hub.hub.models import local_folder
from rella_hub.systems.sequential.inputs import load_behaviors
from rella_hub.systems.sequential.items import FILE, WEIGHTS, Items
from rella_hub.systems.slim import inputs
from rella_hub.systems.slim.network import Slim
from rella_hub.systems.slim.options import MARK, RESULT, ScoreOptions
from rella_hub.systems.slim.train import with_texts
from rella_hub.tables import checked, runs, text_vectors
from rella_hub.tables.candidates import matrix
from rella_hub.tables.checked import COUNT, LINES, NAME, optional
from rella_hub.texts.shown import first_line

MARK_KINDS = {
    **dict.fromkeys(("model", "corpus", "variant"), NAME),
    **dict.fromkeys(("history_length", "seed"), COUNT),
    **dict.fromkeys(("num_shots", "activity_group"), optional(COUNT)),
    "rationales": optional(NAME),
    "texts": LINES,
}


class Chooser:
    """See `rella_hub.systems`."""

    family, columns, rows_per_chunk = "slim", (), 4096

    def __init__(self, name: str, revision: str | None):
        self._folder = _folder_of(name, revision)
        self._mark = checked.require(checked.read_json(self._folder / MARK), MARK_KINDS, str(self._folder / MARK))
        self._items = Items.read(self._folder)
        self.name = runs.public_name(name).rpartition("/")[2]
        self.training_samples = self._mark["num_shots"]
        self.tables = ("items", *map(text_vectors.table_of, self._mark["texts"]))
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
        """ValueError where the data set has other items, or other texts, than the model was trained with."""
        self._items.require_same(folder, f"The recommender {self.identity['model']!r}")
        found = {name: text_vectors.read(folder, name) for name in self._mark["texts"]}
        for name, fingerprint in self._mark["texts"].items():
            if found[name].fingerprint != fingerprint:
                raise ValueError(
                    f"{folder / text_vectors.table_of(name)} is not what {self.identity['model']!r} was trained with: the texts or their "
                    "encoder are others. Train it again, or take the data set that it was trained on."
                )
        self._behaviors = load_behaviors(folder, self._items)
        self._texts = found.get(self._mark["rationales"] or "")
        try:
            model = Slim.from_pretrained(str(self._folder)).eval()
        except MemoryError:
            raise
        except Exception as error:  # whatever a damaged file makes the mixin or the network raise
            raise ValueError(
                f"The recommender in {self._folder} does not load: {first_line(error)} Train it again."
            ) from error
        trained = SimpleNamespace(shuffled=self._mark["shuffled"], seed=self._mark["seed"])
        self.model = with_texts(model, folder, self._items, found.get(text_vectors.ITEMS), self._texts, trained)

    def choices(self, rows: pa.Table) -> dict[str, np.ndarray]:
        """`scores` (n, C) of the candidates of questions."""
        samples = (rows[name].to_numpy() for name in ("sample_id", "user_id", "position"))
        histories = inputs.told(self._behaviors, *samples, self._mark["history_length"], self._texts)
        items, mask, _ = histories.take(torch.arange(len(histories)))
        asked = torch.from_numpy(self._items.codes(matrix(rows["item_ids"])).astype(np.int64))
        with torch.inference_mode():
            return {"scores": self.model.score(self.model.user_state(items, mask), asked).double().numpy()}


def _folder_of(name: str, revision: str | None) -> Path:
    folder = Path(name) / RESULT if (Path(name) / RESULT).is_dir() else Path(name)
    if not folder.is_dir():
        folder = local_folder(name, revision, more=[FILE, MARK])
    for needed in (WEIGHTS, FILE, MARK):
        if not (folder / needed).is_file():
            raise ValueError(
                f"{folder} has no {needed}. A recommender that reads texts is what python training/train.py --family slim leaves in "
                f"<output_dir>/{RESULT}."
            )
    return folder


def load(name: str | None, revision: str | None, options: ScoreOptions) -> Chooser:
    """name: a run folder, the model in it, or a Hub id."""
    return Chooser(str(name), revision)
