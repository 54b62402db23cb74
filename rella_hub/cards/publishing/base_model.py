"""A base model that training/pretrain.py made, as a repository of the Hub: an adapter of it loads on nothing until its base is there.

It learned the text of a corpus, whose titles are in its tokenizer and its weights. So the rule is that of the data sets: where the
terms of a corpus forbid to pass it on, the repository is private unless the user states the publisher's permission.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

from huggingface_hub import ModelCardData

from rella_hub.cards.model_index import TAGS, corpus_terms
from rella_hub.cards.publishing import push
from rella_hub.cards.publishing.arguments import PublishingArguments, PushArguments
from rella_hub.cards.publishing.checks import check_staged, refuse_pickles
from rella_hub.cards.publishing.identity import Identity, identify, licence_given
from rella_hub.cards.publishing.staging import CARD, stage_files, stage_texts
from rella_hub.cards.publishing.terms import PRETRAINING
from rella_hub.cards.templates import fill
from rella_hub.corpora import Corpus, load_corpus
from rella_hub.hub import resolve as hub
from rella_hub.hub.access import connect
from rella_hub.hub.collection import add_to_collection
from rella_hub.hub.publish import Repository, publish
from rella_hub.tables import store
from rella_hub.tables.checked import COUNT, LINE, NAME, NUMBER, read_json, require
from rella_hub.tables.runs import count_weights

WEIGHTS = "model.safetensors"
PARTS = (WEIGHTS, "config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json")
HOLDS = ("A base model", "tokenizer and weights hold text")  # what of the corpus a push passes on
TEMPLATE = "base_model.md.jinja"
NEEDED = ("license", "datasets", "library_name", "pipeline_tag", "tags")
KINDS = {
    **{"corpus": NAME, "dataset": LINE, "architecture": NAME},
    **dict.fromkeys(("history_length", "diaries", "item_rounds", "context", "seed"), COUNT),
    **dict.fromkeys(("epochs", "learning_rate"), NUMBER),
}


def check_before_pretraining(dataset: str, what: PushArguments, how: PublishingArguments) -> None:
    """ValueError when the push at the end of a training cannot succeed: names, token, repository, licence, terms."""
    corpus = load_corpus(store.made_from(hub.resolve(dataset, ["items"]), "items")["corpus"])
    identity = identify(what.hub_model_id, dataset, corpus.id, how)
    licence_given(how.license)
    found = push.standing(connect(identity.model.split("/")[0]), identity.model, {})
    push.as_the_terms_ask(what, found, corpus, how, *HOLDS)


def push_base(what: PushArguments, how: PublishingArguments) -> None:
    """Publish the base model in the folder `what.run`, and say what it did."""
    base = Path(what.run)
    record = require(read_json(base / PRETRAINING), KINDS, str(base / PRETRAINING))
    refuse_pickles(base, WEIGHTS)
    push.require_own_files(base, [base / name for name in (*PARTS, PRETRAINING)])
    corpus = load_corpus(record["corpus"])
    identity = identify(what.hub_model_id, record["dataset"], corpus.id, how)
    licence = licence_given(how.license)
    found = push.standing(push.client(what), identity.model, {WEIGHTS: base / WEIGHTS})
    what = push.as_the_terms_ask(what, found, corpus, how, *HOLDS)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        stage_files(folder, [base / name for name in PARTS if (base / name).is_file()])
        record = {**record, "dataset": identity.dataset}
        stage_texts(
            folder,
            {
                PRETRAINING: json.dumps(record, indent=2) + "\n",
                CARD: _card(base, record, identity, corpus, licence, how.permission),
            },
        )
        check_staged(folder, base, NEEDED)
        files = {path.name: path for path in sorted(folder.iterdir())}
        ours = {*PARTS, PRETRAINING, CARD}
        repository = Repository(identity.model, "model", files, ours.__contains__, private=what.private)
        publish(repository, f"Base model, pretrained on the text of {corpus.id}", how.revision_tag, what.dry_run)
    if how.collection and not what.dry_run:
        add_to_collection(how.collection, identity.model, "model")


def _card(
    base: Path, record: dict, identity: Identity, corpus: Corpus, licence: dict[str, Any], permission: str | None
) -> str:
    architecture = record.get("architecture", "llama")  # there was no other before there was a choice
    metadata = ModelCardData(
        language=["en"],
        **(licence or corpus_terms(corpus, identity.dataset)),
        library_name="transformers",
        pipeline_tag="text2text-generation" if architecture == "t5" else "text-generation",
        datasets=[identity.dataset],
        tags=[*TAGS, architecture, "arxiv:2308.11131"],
    ).to_yaml()
    return fill(
        TEMPLATE,
        metadata=metadata,
        title=identity.model,
        dataset=identity.dataset,
        corpus=corpus,
        record=record,
        weights=count_weights(base / WEIGHTS),
        permission=permission,
        is_t5=architecture == "t5",
    )
