"""A trained ReLLaX system, by run folder or Hub id, as a system that is scored: the language model, and the CTR model that tells it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pyarrow as pa
import torch

from rella_hub.language_models.load import notes_beside
from rella_hub.language_models.room import Room
from rella_hub.language_models.token_rows import TokenRows
from rella_hub.language_models.tokens import Answers
from rella_hub.systems.adapter.options import ScoreOptions
from rella_hub.systems.adapter.score import LanguageModel, named_base
from rella_hub.systems.rellax import pack
from rella_hub.systems.rellax.knowledge import Knowledge, tables_of
from rella_hub.systems.rellax.model import assemble, room_with_items, see_rows
from rella_hub.systems.rellax.options import GATED, PROMPTED, RESULT, require_one_row
from rella_hub.systems.rellax.pack import Packed
from rella_hub.systems.rellax.soft_prompts import ItemReader
from rella_hub.tables.runs import public_name


class ReLLaX(LanguageModel):
    """See `rella_hub.systems`. `scratch` holds the parts of the system as long as it lives."""

    family = "rellax"

    def __init__(self, packed: Packed, revision: str | None, options: ScoreOptions, scratch: TemporaryDirectory):
        super().__init__(replace(options, adapter=str(packed.lora)))
        self._packed, self._scratch = packed, scratch
        path = Path(packed.name)
        self.name = path.resolve().parent.name if path.name == RESULT else path.name
        self.training_samples = packed.mark["training_samples"]
        self.tables = tuple(tables_of(packed.ctr))
        named = public_name(packed.name)
        own = {"adapter": named, "adapter_revision": revision, "adapter_identity": packed.identity | {"name": named}}
        self.identity = self.identity | own
        self.noted = self.noted | notes_beside(packed.folder)

    def prepare(self, folder: Path, config_name: str, split: str) -> None:
        """ValueError where the data set is of another corpus, or its prompts have no places for items."""
        super().prepare(folder, config_name, split)
        if self._mode in PROMPTED:
            require_one_row(config_name)
        self._knowledge = Knowledge(self._packed.ctr, folder)
        self._config_name, self._split = config_name, split
        self.model = None  # its items are those of the vocabulary, its knowledge that of the data set

    @property
    def _mode(self) -> str:
        return self._packed.mark["mode"]

    def read(self, rows: pa.Table) -> tuple[TokenRows, Answers]:
        """As every adapter's prompts, and with items where the mode has soft prompts."""
        plain, answers = super().read(rows)
        if self._mode not in PROMPTED:
            return plain, answers
        items = self._knowledge.items(self._config_name, self._split, rows["sample_id"].to_numpy())
        return TokenRows.of(self._items.read(rows["prompt"].to_pylist(), items)), answers

    @cached_property
    def _items(self) -> ItemReader:
        o = self.options
        first_item = self._packed.mark["first_item"]
        return ItemReader(self._base, o.base_revision, first_item, o.max_length, o.chat_template_kwargs)

    def room(self, model: torch.nn.Module) -> Room:
        return room_with_items(model, self._mode, self._knowledge)

    def seeing(self, rows: pa.Table) -> Callable[[np.ndarray], None] | None:
        if self._mode not in GATED:
            return None
        hidden = self._knowledge.hidden(self._split, rows["sample_id"].to_numpy())
        gates = self._assembled.gates
        assert gates is not None, "a gated mode has gates"
        return see_rows(gates, hidden, self.model)

    def attach(self, model: torch.nn.Module, probe: list[int]) -> torch.nn.Module:
        mark, tokens = self._packed.mark, model.get_input_embeddings().weight.shape[0]
        if tokens != mark["first_item"]:
            raise ValueError(
                f"The base has {tokens:,} tokens, {self.name} was trained on one of {mark['first_item']:,}, behind which its items stand. "
                "Pass the base that it was trained on with --base."
            )
        with_lora = partial(self._with_lora, probe)
        self._assembled = assemble(model, mark["mode"], mark["gate_start"], self._knowledge, with_lora)
        self._assembled.load(self._packed.added)
        return self._assembled.model

    def _with_lora(self, probe: list[int], model: torch.nn.Module) -> Any:
        return super().attach(model, probe)


def load(name: str | None, revision: str | None, options: ScoreOptions) -> ReLLaX:
    """name: a run folder, its result folder, or a Hub id. ValueError when it does not load whole."""
    if options.adapter is not None:
        raise ValueError(
            f"--model {name} has an adapter of its own, and --adapter {options.adapter} is another. Give one of them."
        )
    scratch = TemporaryDirectory(prefix="rellax-")
    packed = pack.read(str(name), revision, Path(scratch.name))
    if options.base is None:
        base, base_revision = named_base(str(packed.lora), None)
        options = replace(options, base=base, base_revision=options.base_revision or base_revision)
    return ReLLaX(packed, revision, options, scratch)
