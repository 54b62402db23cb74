"""A trained CTR model, by run folder or Hub id, put to the tables of a data set again."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from dataset_builders.hub.models import local_folder
from dataset_builders.raw.archive import hash_file
from training.features.batches import Samples
from training.features.columns import load_columns
from training.features.vocabulary import FILE, load_values
from training.fitting.run import FEATURES, MODEL
from training.loops.clicks import predict
from training.models import load_model_class

WEIGHTS, CONFIG = "model.safetensors", "config.json"
OF_THE_VOCABULARY = ("field_sizes", "rating_values")


@dataclass(frozen=True)
class Trained:
    folder: Path
    features: dict  # what the model sees: architecture, corpus, K, search
    identity: dict  # what pins its scores


def read_trained(model: str, revision: str | None = None) -> Trained:
    """ValueError when there is no such model, or a file of it is missing."""
    folder = Path(model) / MODEL if (Path(model) / MODEL).is_dir() else Path(model)
    try:
        folder = local_folder(str(folder), revision, more=[FILE])
    except ValueError as error:
        raise ValueError(
            f"The model {model!r} is neither a folder here nor to be had from the Hub ({error})."
        ) from error
    missing = [name for name in (WEIGHTS, CONFIG, FEATURES, FILE) if not (folder / name).is_file()]
    if missing:
        raise ValueError(
            f"{folder} has no {missing[0]}. A model is what python training/ctr.py writes into <output_dir>/{MODEL}."
        )
    features, config = (json.loads((folder / name).read_text(encoding="utf-8")) for name in (FEATURES, CONFIG))
    options = {key: value for key, value in config.items() if key not in OF_THE_VOCABULARY}
    identity = {
        "name": model,
        "sha256": hash_file(folder / WEIGHTS),
        "vocabulary_sha256": hash_file(folder / FILE),
        **features,
        "options": options,
    }
    return Trained(folder, features, identity)


def p_click(trained: Trained, folder: Path, split: str, sample_id: np.ndarray) -> np.ndarray:
    """(n,) P(Yes) of samples of a split of the data set in `folder`."""
    columns = load_columns(folder, load_values(trained.folder))
    seen = trained.features
    samples = Samples(columns, folder, split, sample_id, seen["history_length"], seen["search"], seen["retrieved"])
    model = load_model_class(seen["model"]).from_pretrained(str(trained.folder))
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    return predict(model.to(device), samples, device)
