"""What a push passes on of which corpora, and whether the terms of each allow it.

Not only the corpus that a model was trained on counts: score files hold labels of the corpus that was scored, a vocabulary holds values,
and a base model that was pretrained on the text of a corpus has its titles in tokenizer and weights. A corpus that this project does not
know is taken to forbid it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from safetensors import safe_open

from rella_hub.cards.names import is_in_folder
from rella_hub.cards.publishing.arguments import PublishingArguments, PushArguments
from rella_hub.corpora import corpus_ids, load_corpus
from rella_hub.hub.models import local_folder
from rella_hub.tables import store
from rella_hub.tables.checked import LINE, NAME, read_json, require
from rella_hub.tables.scores import read_scores

# The name that rella_hub/pretraining/run.py writes, whose import would load torch. A test holds them equal.
PRETRAINING = "pretraining.json"
UNKNOWN = "a corpus that nothing names"
OF_AN_ADAPTER = "lora_"  # what the names of weights hold that are an adapter's own, and no copy of its base's


@dataclass(frozen=True)
class Part:
    """Something of a corpus that a push would pass on."""

    what: str  # in words: "labels"
    option: str | None  # that it could be left out with
    corpus: str  # its id, as a record says it

    @property
    def name(self) -> str:
        return load_corpus(self.corpus).name if self.corpus in corpus_ids() else self.corpus


def forbidden(parts: list[Part], how: PublishingArguments) -> list[Part]:
    """The parts whose corpora may not be passed on, as far as nobody states a permission."""
    return [part for part in parts if not (how.permission or _may_be_passed_on(part.corpus))]


def require_allowed(parts: list[Part], what: PushArguments, how: PublishingArguments) -> None:
    """ValueError for the first part that may not go into a public repository."""
    if what.private:
        return
    for part in forbidden(parts, how):
        leave_out = (
            f", or without {part.option}" if part.option else ", or state the permission that you hold (--permission)"
        )
        raise ValueError(
            f"{part.what} of {part.name}, whose terms forbid to pass its data on. Push --private true{leave_out}."
        )


def of_scores(paths: list[str]) -> list[Part]:
    return [Part("Score files hold labels", "--scores", read_scores(Path(path)).record["corpus"]) for path in paths]


def of_tokenizer(base: dict, loaded: str, revision: str | None) -> list[Part]:
    """base: the record of the base model; loaded: by which name it was loaded. Of a tokenizer that is published with an adapter."""
    return [Part("The tokenizer holds words", None, corpus) for corpus in _corpora_of_base(base, loaded, revision)]


def of_weights(weights: Path, base: dict, loaded: str, revision: str | None) -> list[Part]:
    """Of weights among an adapter's that are copies of its base model's, such as embeddings."""
    with safe_open(weights, framework="numpy") as stored:
        copies = [name for name in stored.keys() if OF_AN_ADAPTER not in name]  # noqa: SIM118
    if not copies:
        return []
    found = _corpora_of_base(base, loaded, revision)
    return [Part(f"The weights hold {copies[0]} of a base model made from text", None, corpus) for corpus in found]


def _may_be_passed_on(corpus: str) -> bool:
    return corpus in corpus_ids() and load_corpus(corpus).may_be_redistributed


def _corpora_of_base(base: dict, loaded: str, revision: str | None) -> list[str]:
    """The corpora that a base model was pretrained on by this project; none for any other base model."""
    try:
        folder = local_folder(loaded, revision)
    except ValueError:  # it is not here any more
        return [UNKNOWN] if is_in_folder(base) else []
    if not (folder / PRETRAINING).is_file():
        return []
    path = folder / PRETRAINING
    record = require(read_json(path), {"corpus": NAME, "dataset": LINE}, str(path))
    if "corpus" in record:
        return [record["corpus"]]
    dataset = Path(record.get("dataset", ""))  # an earlier version named the data set only
    made_from = store.provenance(dataset, "items") if record.get("dataset") and dataset.is_dir() else None
    return [(made_from or {}).get("corpus", UNKNOWN)]
