"""A traditional CTR model as a system that is scored, on the very samples that the language models are scored on."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path

import numpy as np
import pyarrow as pa

from rella_hub.systems.ctr.inputs.batches import Samples
from rella_hub.systems.ctr.inputs.columns import load_columns
from rella_hub.systems.ctr.inputs.retrieval import open_search, searched_tables
from rella_hub.systems.ctr.load import load_model, read_trained
from rella_hub.systems.ctr.loop import BATCH, predict
from rella_hub.systems.ctr.options import RESULT, ScoreOptions
from rella_hub.systems.ctr.train import TABLES
from rella_hub.systems.vocabulary import load_values
from rella_hub.tables import store


class CtrModel:
    """See `rella_hub.systems`. The tables are read once, as columns; a chunk is gathered from them."""

    family, columns = "ctr", ()
    rows_per_chunk = 16 * BATCH  # whole batches, so the scores are those of one pass

    def __init__(self, model: str, revision: str | None):
        self._trained = read_trained(model, revision)
        seen = self._trained.features
        self.tables = (*TABLES, *searched_tables(seen["search"], seen["retrieved"]))
        self.identity = {
            "model": model,
            "model_revision": revision,
            "model_identity": self._trained.identity,
            "libraries": {"torch": version("torch")},
        }
        path = Path(model)
        self.name = path.parent.name if path.name == RESULT else path.name
        self.training_samples = seen["num_shots"]

    def prepare(self, folder: Path, config_name: str, split: str) -> None:
        """ValueError where the data set is of another corpus than the model."""
        corpus = store.made_from(folder, "samples")["corpus"]
        if self._trained.features["corpus"] != corpus:
            raise ValueError(
                f"The model {self.identity['model']!r} was trained on {self._trained.features['corpus']}, the data set is {corpus}."
            )
        self._columns = load_columns(folder, load_values(self._trained.folder))
        seen = self._trained.features
        self._search = open_search(seen["search"], folder, split, seen["retrieved"])
        self.model = load_model(self._trained)

    def scores(self, rows: pa.Table) -> np.ndarray:
        """(n,) P(Yes) of the samples of a chunk."""
        length, sample_id = self._trained.features["history_length"], rows["sample_id"].to_numpy()
        samples = Samples(self._columns, sample_id, length, self._search)
        return predict(self.model, samples, next(self.model.parameters()).device)


def load(name: str | None, revision: str | None, options: ScoreOptions) -> CtrModel:
    """name: a run folder, the model in it, or a Hub id."""
    return CtrModel(str(name), revision)
