"""A trained CTR-BERT or PTab, by run folder or Hub id, put to samples of a data set: a System (rella_hub/systems/__init__.py)."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pyarrow as pa
import torch
from safetensors.torch import load_file
from transformers import AutoModel

from rella_hub.files.hashes import hash_file
from rella_hub.hub.identity import config_hash, tokenizer_hash
from rella_hub.hub.model_configs import read_config, require_size
from rella_hub.hub.model_folders import read_header
from rella_hub.hub.models import result_folder
from rella_hub.systems.encoder.inputs import SIDES, TABLES, Seen, Side, open_sides
from rella_hub.systems.encoder.loop import p_yes
from rella_hub.systems.encoder.network import Classifier, Computing
from rella_hub.systems.encoder.options import MARK, MODELS, RESULT, TRUNCATIONS, ScoreOptions
from rella_hub.systems.encoder.pretrained import empty_towers
from rella_hub.systems.encoder.text import VERSION
from rella_hub.systems.encoder.tokens import Budget, require_positions, tokenize
from rella_hub.systems.encoder.train import WEIGHTS
from rella_hub.tables import checked
from rella_hub.tables.checked import COUNT, LINE, NAME, optional
from rella_hub.texts.shown import first_line

FAMILY = "encoder"
LONGEST = 100_000  # behaviors or tokens
KINDS = {
    **dict.fromkeys(("model", "corpus", "truncation"), NAME),
    **dict.fromkeys(("history_length", "max_length", "text_version", "hidden_size", "training_samples"), COUNT),
    **{"encoder": LINE, "num_shots": optional(COUNT)},
}


@dataclass
class Vectors:
    """The vectors of the texts of a shared side that were met so far: each is encoded once, however many samples have it."""

    keys: np.ndarray = field(default_factory=lambda: np.zeros(0, dtype=np.int64))  # ascending
    table: torch.Tensor | None = None  # (n, D), in the order of `keys`

    def missing(self, keys: np.ndarray) -> np.ndarray:
        return np.setdiff1d(keys, self.keys)

    def add(self, keys: np.ndarray, vectors: torch.Tensor) -> None:
        both = np.concatenate([self.keys, keys])
        order = np.argsort(both, kind="stable")
        joined = vectors if self.table is None else torch.cat([self.table, vectors])
        self.keys, self.table = both[order], joined[torch.from_numpy(order)]

    def of(self, keys: np.ndarray) -> torch.Tensor:
        assert self.table is not None, "asked for before anything was added"
        return self.table[torch.from_numpy(np.searchsorted(self.keys, keys))]


@dataclass(frozen=True)
class Trained:
    model: Classifier
    budget: Budget
    how: Computing


class System:
    family, columns = FAMILY, ()
    tables = tuple(name for name in TABLES if name != "samples")

    def __init__(self, name: str, folder: Path, text: dict, identity: dict):
        self.name, self.training_samples = name, text["training_samples"]
        self.identity = {
            "model": identity["name"],
            "model_identity": identity,
            "libraries": {library: version(library) for library in ("torch", "transformers", "tokenizers")},
        }
        self._folder, self._text, self._trained = folder, text, None
        self._sides: tuple[Side, ...] = ()
        self._vectors: dict[str, Vectors] = {}

    def prepare(self, folder: Path, config_name: str, split: str) -> None:
        """Read the data set's tables. ValueError when it is of another corpus."""
        seen = Seen(*(self._text[key] for key in ("model", "corpus", "ids_in_text", "history_length")))
        self._sides = open_sides(folder, seen)
        self._vectors = {side.name: Vectors() for side in self._sides if side.shared}

    def scores(self, rows: pa.Table) -> np.ndarray:
        """(n,) float64 P(Yes) of samples by `sample_id`, after `prepare`."""
        if self._trained is None:
            self._trained = load_trained(self._folder, self._text)
        sample_id = rows["sample_id"].to_numpy()
        with torch.inference_mode():
            vectors = [self._encoded(side, sample_id) for side in self._sides]
            return p_yes(self._trained.model, vectors, self._trained.how)

    def _encoded(self, side: Side, sample_id: np.ndarray) -> torch.Tensor:
        """(n, D) vectors of the samples' texts on a side."""
        keys, of_sample = np.unique(side.keys(sample_id), return_inverse=True)
        if not side.shared:
            return self._encode(side, keys)[torch.from_numpy(of_sample)]
        known = self._vectors[side.name]
        new = known.missing(keys)
        if len(new):
            known.add(new, self._encode(side, new))
        return known.of(keys)[torch.from_numpy(of_sample)]

    def _encode(self, side: Side, keys: np.ndarray) -> torch.Tensor:
        trained = self._trained
        tokens = tokenize(side.texts(keys), trained.budget, side.name)
        if tokens.cut:
            print(
                f"{tokens.cut:,} of {len(tokens):,} {side.name} texts were cut at {trained.budget.max_length} tokens, as in training.",
                file=sys.stderr,
                flush=True,
            )
        return trained.model.encode(side.name, tokens, np.arange(len(tokens)), trained.how).cpu()


def load_trained(folder: Path, text: dict) -> Trained:
    """The weights in `folder`, whole or not at all. text: what it says of its texts."""
    try:
        require_size(AutoModel, read_config(folder), read_header(folder / WEIGHTS))
        towers, tokenizer = empty_towers(folder, SIDES[text["model"]])
        model = Classifier(towers, tokenizer.pad_token_id, text["hidden_size"])
        model.load_state_dict(load_file(folder / WEIGHTS))
        require_positions(next(iter(towers.values())), "this model", text["max_length"])
    except MemoryError:
        raise
    except Exception as error:  # whatever a damaged file makes the libraries raise
        raise ValueError(
            f"The model in {folder} does not load ({first_line(error)}). Get it again, or train it again."
        ) from error
    how = Computing(torch.device("cuda" if torch.cuda.is_available() else "cpu"))
    return Trained(model.to(how.device).eval(), Budget(tokenizer, text["max_length"], text["truncation"]), how)


def load(name: str | None, revision: str | None, options: ScoreOptions) -> System:
    """ValueError when there is no such model, or a file of it is missing or damaged. No weights are loaded yet."""
    shown = Path(str(name))
    made_by = ". A model of this family is what python training/encoder.py writes into"
    folder = result_folder(str(name), revision, RESULT, (WEIGHTS, "config.json", MARK, "tokenizer.json"), made_by)
    text = checked.require(checked.read_json(folder / MARK), KINDS, str(folder / MARK))
    _require_possible(folder, text)
    own = shown.parent.name if shown.name == RESULT else shown.name
    identity = {
        "name": own if shown.is_dir() else name,
        "family": FAMILY,
        "sha256": hash_file(folder / WEIGHTS),
        "config": config_hash(folder),
        "tokenizer": tokenizer_hash(folder),
        **{key: text[key] for key in (*KINDS, "ids_in_text") if key != "training_samples"},
    }
    return System(own, folder, dict(text), identity)


def _require_possible(folder: Path, text: dict) -> None:
    """ValueError where a model says of itself what no model of this project does, before any memory is taken for it."""
    known = {
        "model": tuple(MODELS),
        "truncation": TRUNCATIONS,
        "ids_in_text": (True, False),
        "text_version": (VERSION,),
    }
    for key, values in known.items():
        if text[key] not in values:
            raise ValueError(
                f"{folder / MARK} has {key} {checked.shown(text[key])}; expected {' or '.join(map(str, values))}. Get the model again, or "
                "train it again."
            )
    stored = sum(tensor.size for tensor in read_header(folder / WEIGHTS).values())
    if max(text["history_length"], text["max_length"]) > LONGEST or text["hidden_size"] > stored:
        raise ValueError(
            f"{folder / MARK} says that it is larger than its {stored:,} weights can be, or reads more than {LONGEST:,} behaviors or "
            "tokens. Get the model again."
        )
