"""A trained P5, by run folder or Hub id, put to samples of a data set: a System (rella_hub/systems/__init__.py)."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pyarrow as pa
import torch

from rella_hub.files.hashes import hash_file
from rella_hub.hub.identity import config_hash, tokenizer_hash
from rella_hub.hub.models import result_folder
from rella_hub.language_models.load import number_format
from rella_hub.systems.seq2seq.inputs import TABLES, Rows, Seen, read_samples
from rella_hub.systems.seq2seq.language import Language, load_language, load_model, require_room
from rella_hub.systems.seq2seq.loop import Computing, p_yes
from rella_hub.systems.seq2seq.network import P5
from rella_hub.systems.seq2seq.options import MARK, RESULT, TRUNCATIONS, WHOLE_WORDS, ScoreOptions
from rella_hub.systems.seq2seq.text import VERSION
from rella_hub.systems.vocabulary import FILE as VOCABULARY
from rella_hub.systems.vocabulary import load_values
from rella_hub.tables import checked
from rella_hub.tables.checked import COUNT, LINE, NAME, optional

FAMILY = "seq2seq"
WEIGHTS = "model.safetensors"
LONGEST = 100_000  # behaviors
KINDS = {
    **dict.fromkeys(("corpus", "truncation"), NAME),
    **dict.fromkeys(("history_length", "max_length", "text_version", "training_samples"), COUNT),
    **{"t5": LINE, "num_shots": optional(COUNT), "pretrained_on": optional(NAME)},
}
REQUIRED = (WEIGHTS, "config.json", MARK, VOCABULARY)


@dataclass(frozen=True)
class Loaded:
    model: P5
    language: Language
    rows: Rows
    how: Computing


class System:
    family, columns, rows_per_chunk = FAMILY, (), 8192
    tables = tuple(name for name in TABLES if name != "samples")

    def __init__(self, name: str, folder: Path, mark: dict, identity: dict):
        self.name, self.training_samples = name, mark["training_samples"]
        self.identity = {
            "model": identity["name"],
            "model_identity": identity,
            "libraries": {library: version(library) for library in ("torch", "transformers", "tokenizers")},
        }
        self._folder = folder
        self._seen = Seen(*(mark[key] for key in ("corpus", "history_length", "max_length", "truncation")))
        self._dataset: Path | None = None
        self._loaded: Loaded | None = None

    def prepare(self, folder: Path, config_name: str, split: str) -> None:
        """Say which data set the samples of `scores` are of."""
        self._dataset, self._loaded = folder, None

    def scores(self, rows: pa.Table) -> np.ndarray:
        """(n,) float64 P(Yes) of samples by `sample_id`, after `prepare`. ValueError when the data set is of another corpus or build."""
        if self._loaded is None:
            self._loaded = self._load()
        known = self._loaded
        samples = read_samples(known.rows, rows["sample_id"].to_numpy(), "scored")
        if samples.cut:
            print(
                f"{samples.cut:,} of {len(samples):,} texts were cut at {self._seen.max_length} tokens, as in training.",
                file=sys.stderr,
            )
        return p_yes(
            known.model,
            known.rows,
            samples.sample_id,
            samples.lengths,
            known.language,
            known.how,
            whole_words=bool(self.identity["model_identity"]["whole_words_in_scoring"]),
        )

    def _load(self) -> Loaded:
        if self._dataset is None:
            raise ValueError(
                "The samples to score are of no data set yet: prepare(folder, config_name, split) says which."
            )
        how = Computing(torch.device("cuda" if torch.cuda.is_available() else "cpu"), number_format("auto"))
        language = load_language(self._folder, self.name)
        rows = Rows(self._dataset, self._seen, load_values(self._folder), language)
        try:
            model = load_model(self._folder)
            require_room(model, language)
        except ValueError as error:
            raise ValueError(
                f"The model in {self._folder} does not load: {error} Get it again, or train it again."
            ) from error
        return Loaded(model.to(how.device), language, rows, how)


def load(name: str, revision: str | None, options: ScoreOptions) -> System:
    """ValueError when there is no such model, or a file of it is missing or damaged. No weights are loaded yet."""
    made_by = ". A model of this family is what python training/seq2seq.py writes into"
    folder = result_folder(name, revision, RESULT, REQUIRED, made_by)
    mark = checked.require(checked.read_json(folder / MARK), KINDS, str(folder / MARK))
    _require_possible(folder, mark)
    shown = Path(name)
    own = shown.resolve().parent.name if shown.name == RESULT else shown.name
    identity = {
        "name": own if shown.is_dir() else name,
        "family": FAMILY,
        "model": "p5",
        "sha256": hash_file(folder / WEIGHTS),
        "config": config_hash(folder),
        "tokenizer": tokenizer_hash(folder),
        "vocabulary_sha256": hash_file(folder / VOCABULARY),
        **{key: mark[key] for key in KINDS if key not in ("training_samples", "pretrained_on")},
        "whole_words_in_scoring": options.whole_words,
    }
    return System(own, folder, mark, identity)


def _require_possible(folder: Path, mark: dict) -> None:
    """ValueError where a model says of itself what no model of this project does, before any memory is taken for it."""
    known = {
        "truncation": mark["truncation"] in TRUNCATIONS,
        "text_version": mark["text_version"] == VERSION,
        "max_length": 2 <= mark["max_length"] <= WHOLE_WORDS,
        "history_length": mark["history_length"] <= LONGEST,
    }
    wrong = [key for key, is_right in known.items() if not is_right]
    if wrong:
        raise ValueError(
            f"{folder / MARK} has {wrong[0]} {checked.shown(mark[wrong[0]])}, which no model of this project has. Get the model again, or "
            "train it again."
        )
