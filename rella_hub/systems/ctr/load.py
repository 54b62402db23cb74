"""A trained CTR model, by run folder or Hub id, put to the tables of a data set again."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open

from rella_hub.files.hashes import hash_file
from rella_hub.hub.models import result_folder
from rella_hub.networks.ctr import load_model_class, model_names
from rella_hub.systems.ctr.inputs.retrieval import SEARCHES
from rella_hub.systems.ctr.options import MARK as FEATURES
from rella_hub.systems.ctr.options import RESULT as MODEL
from rella_hub.systems.vocabulary import FILE
from rella_hub.tables import checked
from rella_hub.tables.checked import COUNT, COUNTS, NAME, optional

WEIGHTS, CONFIG = "model.safetensors", "config.json"
LONGEST = 100_000  # behaviors
FEATURE_KINDS = {
    **dict.fromkeys(("model", "corpus"), NAME),
    **dict.fromkeys(("history_length", "retrieved"), COUNT),
    **{"search": optional(NAME), "num_shots": optional(COUNT)},
}
CONFIG_KINDS = {"field_sizes": COUNTS, "rating_values": COUNT}
OF_THE_VOCABULARY = ("field_sizes", "rating_values")


@dataclass(frozen=True)
class Trained:
    folder: Path
    features: dict  # what the model sees: architecture, corpus, K, search
    identity: dict  # what pins its scores


def read_trained(model: str, revision: str | None = None) -> Trained:
    """ValueError when there is no such model, or a file of it is missing."""
    made_by = ". A model is what python training/ctr.py writes into"
    folder = result_folder(model, revision, MODEL, (WEIGHTS, CONFIG, FEATURES, FILE), made_by)
    features = checked.require(checked.read_json(folder / FEATURES), FEATURE_KINDS, str(folder / FEATURES))
    config = checked.require(checked.read_json(folder / CONFIG), CONFIG_KINDS, str(folder / CONFIG))
    _require_possible(folder, features, config)
    options = {key: value for key, value in config.items() if key not in OF_THE_VOCABULARY}
    identity = {
        "name": model,
        "sha256": hash_file(folder / WEIGHTS),
        "vocabulary_sha256": hash_file(folder / FILE),
        **features,
        "options": options,
    }
    return Trained(folder, features, identity)


def _require_possible(folder: Path, features: dict, config: dict) -> None:
    """ValueError where a model says of itself what no model of this project does, before any memory is taken for it."""
    if features["model"] not in model_names():
        load_model_class(features["model"])  # says which there are
    if features["search"] not in (None, *SEARCHES):
        raise ValueError(f"{folder / FEATURES}: there is no search {features['search']!r}. Get the model again.")
    weights = _count_weights(folder / WEIGHTS)
    sizes = [config["rating_values"], *config["field_sizes"].values(), *_numbers(config)]
    if max(sizes) > weights or max(features["history_length"], features["retrieved"]) > LONGEST:
        raise ValueError(
            f"{folder} says that it is larger than its {weights:,} weights can be, or looks at more than {LONGEST:,} behaviors. Get the "
            "model again."
        )


def _count_weights(path: Path) -> int:
    try:
        with safe_open(path, framework="pt") as stored:
            return sum(math.prod(stored.get_slice(name).get_shape()) for name in stored.keys())  # noqa: SIM118
    except SafetensorError as error:
        raise ValueError(f"{path} is not a whole safetensors file ({error}). Get the model again.") from error


def _numbers(values) -> Iterator[int]:
    if isinstance(values, (dict, list)):
        for value in values.values() if isinstance(values, dict) else values:
            yield from _numbers(value)
    elif isinstance(values, int):
        yield values


def load_model(trained: Trained) -> torch.nn.Module:
    try:
        model = load_model_class(trained.features["model"]).from_pretrained(str(trained.folder))
    except (RuntimeError, TypeError, KeyError, AttributeError, ArithmeticError, SafetensorError) as error:
        raise ValueError(
            f"The model in {trained.folder} does not load ({type(error).__name__}: {' '.join(str(error).split())[:200]}). Get it again, or "
            "train it again."
        ) from error
    return model.to("cuda" if torch.cuda.is_available() else "cpu")
