"""What a card and a push need to know of a trained system. A family of systems gives it (rella_hub/systems/__init__.py)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rella_hub.corpora import Corpus, load_corpus
from rella_hub.hub import resolve as hub
from rella_hub.tables import store
from rella_hub.tables.runs import CURVE

if TYPE_CHECKING:
    from rella_hub.cards.card import Card
    from rella_hub.cards.publishing.identity import Identity
    from rella_hub.cards.publishing.terms import Part


@dataclass(frozen=True)
class TrainingData:
    """The data set that a run was trained on, as its tables tell."""

    folder: Path
    corpus: Corpus
    made_from: dict  # the record of its interactions
    encoder: str | None  # of the item vectors, of one in a folder its name; None where there are no vectors


@dataclass(frozen=True)
class OnHub:
    """How the Hub files a system."""

    library: str
    pipeline: str  # what the weights do
    task: str  # what they are scored on
    tags: Sequence[str] = ()
    relation: str | None = None  # to its base model, where it has one: adapter, finetune


@dataclass(frozen=True)
class Planned:
    """What is known of a run before it begins, by its options."""

    noun: str
    dataset: str
    dataset_revision: str | None
    base: str | None = None
    holds: str | None = None  # as in Facts


def nothing_more(card: Card) -> dict:
    return {}


def no_texts(identity: Identity) -> dict[str, str]:
    return {}


def no_parts() -> list[Part]:
    return []


@dataclass(frozen=True)
class Facts:
    """Read without loading a model, so that a card takes a second on any machine."""

    noun: str  # what a card calls it: "adapter", "model"
    command: str  # that trained it: "python training/sft.py"
    folder: Path  # the run
    result: Path  # the folder in it that holds what was trained
    weights_file: str
    sha256: str  # of that file
    weights: int  # counted in it, without what is not trained
    recipe: dict
    recipe_text: str  # recipe.yaml, verbatim
    training: dict  # training.json
    data: TrainingData
    config_name: str  # the prompts that it was made for: of several comparisons the card is about this one
    about: str  # in the message of a commit: "din of ml1m, full-shot"
    on_hub: OnHub
    template: str | Path  # a name in model_cards/templates/, or a file of the family
    words: Callable[[Card], dict] = nothing_more  # what the template is filled with, beside what every card has
    base: dict | None = None  # the record of the model that it was trained on top of, which it needs to be loaded
    files: Sequence[str] = ()  # of `result`, published as they are, beside the weights
    rewritten: Sequence[str] = ()  # those that are published in another form
    texts: Callable[[Identity], dict[str, str]] = no_texts  # which gives that form of them, under public names
    holds: str | None = (
        None  # what is the corpus's own in the files: "vocabulary.parquet lists values", and " of the corpus" follows
    )
    parts: Callable[[], list[Part]] = no_parts  # what else a push would pass on of which corpora

    @property
    def curve(self) -> Path | None:
        path = self.folder / CURVE
        return path if path.is_file() else None


def read_training_data(recipe: Mapping, tables: Sequence[str] = ()) -> TrainingData:
    """ValueError when the data set of a recipe is not to be had, or lacks `tables`."""
    folder = hub.resolve(recipe["dataset"], [*tables, "interactions"], recipe["dataset_revision"])
    made_from = store.made_from(folder, "interactions")
    encoder = (store.provenance(folder, "item_vectors") or {}).get("encoder")
    encoder = Path(encoder).name if encoder and Path(encoder).is_dir() else encoder
    return TrainingData(folder, load_corpus(made_from["corpus"]), made_from, encoder)
