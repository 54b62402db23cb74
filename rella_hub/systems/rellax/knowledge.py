"""What a frozen CTR model knows of samples: its last hidden layer for each, and the embeddings of the items that a prompt shows.

Source: ReLLaX (arXiv 2501.13344): h is the final hidden layer of the conventional model, and its item embeddings are what soft prompts
are projected from. It is the model of rella_hub/systems/ctr as it is: read-only, in evaluation mode, its predictions thrown away.
"""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from rella_hub.stages.prompt import shown_positions
from rella_hub.systems.ctr.inputs.batches import Samples
from rella_hub.systems.ctr.inputs.columns import load_columns
from rella_hub.systems.ctr.inputs.retrieval import open_search, searched_tables
from rella_hub.systems.ctr.load import Trained, load_model
from rella_hub.systems.ctr.loop import BATCH
from rella_hub.systems.ctr.train import TABLES
from rella_hub.systems.vocabulary import load_values
from rella_hub.tables import store
from rella_hub.tables.keys import rows_of
from rella_hub.tables.rows import RowReader
from rella_hub.views import table_name

PREDICTOR = "predictor"  # the part of a CTR model that ends in a hidden layer and a logit


def tables_of(trained: Trained) -> list[str]:
    """The tables of a data set that a CTR model reads."""
    return [*TABLES, *searched_tables(trained.features["search"], trained.features["retrieved"])]


class Knowledge:
    """That of one CTR model on one data set."""

    def __init__(self, trained: Trained, folder: Path):
        """ValueError where the data set is of another corpus than the model, or the model has no hidden layer of a sample."""
        corpus, seen = store.made_from(folder, "samples")["corpus"], trained.features
        if seen["corpus"] != corpus:
            raise ValueError(f"The CTR model was trained on {seen['corpus']}, the data set {folder} is {corpus}.")
        self._folder, self._seen = folder, seen
        self._columns = load_columns(folder, load_values(trained.folder))
        self._model: Any = load_model(trained).eval().requires_grad_(False)
        if not hasattr(self._model, PREDICTOR):
            raise ValueError(
                f"{type(self._model).__name__} adds its logit up from several parts, so it has no last hidden layer to tell a language "
                "model. Take one that ends in an MLP over the history, such as sim or din."
            )

    @property
    def hidden_size(self) -> int:
        return self._model.predictor.output.in_features

    @cached_property
    def item_vectors(self) -> Tensor:
        """(n, E) of every item code; that of code 0, an item that training has not seen, is zero."""
        embedding = self._model.embedding
        codes = torch.arange(embedding.rows.item_size, device=embedding.table.weight.device)[None]
        rows = embedding.rows.items(codes, torch.ones_like(codes, dtype=torch.bool))
        return embedding.table(rows)[0].detach()

    def hidden(self, split: str, sample_id: np.ndarray) -> Tensor:
        """(S, H) float32 of samples of a split, on the CPU."""
        found: list[Tensor] = []
        search = open_search(self._seen["search"], self._folder, split, self._seen["retrieved"])
        samples = Samples(self._columns, sample_id, self._seen["history_length"], search)
        device = next(self._model.parameters()).device
        kept = self._model.predictor.output.register_forward_pre_hook(
            lambda _, inputs: found.append(inputs[0].float().cpu())
        )
        try:
            with torch.no_grad():
                for batch in samples.batches(BATCH):
                    self._model(batch.to(device))
        finally:
            kept.remove()
        return torch.cat(found)

    def items(self, config_name: str, split: str, sample_id: np.ndarray) -> list[np.ndarray]:
        """Of each sample the item codes of the behaviors that its prompt shows, in their order, and of its target at the end."""
        table = table_name(config_name)
        stored = store.read(self._folder, table, split, ["sample_id"])["sample_id"].to_numpy()
        rows = rows_of(sample_id, stored, f"samples are not in the {split} split of {self._folder / table}")
        order = np.argsort(rows, kind="stable")
        read = RowReader(self._folder, table, split, ["positions"]).take(rows[order])
        positions, shown = shown_positions(read["positions"].combine_chunks())
        c, target = self._columns, sample_id[order]
        behaviors = (target - c.position.numpy()[target])[:, None] + positions  # (S, K) rows of interactions
        codes = c.item_code.numpy()
        found: list[np.ndarray] = [np.empty(0, np.int64)] * len(sample_id)
        for number, row, used, own in zip(order, behaviors, shown, target, strict=True):
            found[number] = codes[[*row[used], own]]
        return found
