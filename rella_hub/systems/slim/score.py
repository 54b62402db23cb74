"""A recommender that reads texts as a system that chooses among the stored candidates."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pyarrow as pa

from rella_hub.hub.models import result_folder
from rella_hub.systems.sequential.inputs import load_behaviors
from rella_hub.systems.sequential.items import FILE, WEIGHTS
from rella_hub.systems.sequential.score import Chooser
from rella_hub.systems.slim import inputs
from rella_hub.systems.slim.network import Slim
from rella_hub.systems.slim.options import MARK, RESULT, ScoreOptions
from rella_hub.systems.slim.train import with_texts
from rella_hub.tables import text_vectors
from rella_hub.tables.checked import COUNT, LINES, NAME, optional

MARK_KINDS = {
    **dict.fromkeys(("model", "corpus", "variant"), NAME),
    **dict.fromkeys(("history_length", "seed"), COUNT),
    **dict.fromkeys(("num_shots", "activity_group"), optional(COUNT)),
    "rationales": optional(NAME),
    "texts": LINES,
}


class TextChooser(Chooser):
    """A recommender whose histories have texts beside them."""

    family = "slim"

    def __init__(self, name: str, revision: str | None, folder: Path):
        super().__init__(name, revision, folder, folder / MARK, MARK_KINDS)
        self.tables = ("items", *map(text_vectors.table_of, self._mark["texts"]))

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
        trained = SimpleNamespace(shuffled=self._mark["shuffled"], seed=self._mark["seed"])
        of_items = found.get(text_vectors.ITEMS)
        self.model = with_texts(self.network(Slim), folder, self._items, of_items, self._texts, trained)

    def histories(self, rows: pa.Table) -> inputs.Told:
        samples = (rows[name].to_numpy() for name in ("sample_id", "user_id", "position"))
        return inputs.told(self._behaviors, *samples, self._mark["history_length"], self._texts)


def load(name: str | None, revision: str | None, options: ScoreOptions) -> TextChooser:
    """name: a run folder, the model in it, or a Hub id."""
    made_by = ". A recommender that reads texts is what python training/train.py --family slim leaves in"
    folder = result_folder(str(name), revision, RESULT, (WEIGHTS, FILE, MARK), made_by, noun="recommender")
    return TextChooser(str(name), revision, folder)
