"""A CTR model of a run folder as a repository of the Hub: what model/ holds at its root, card, recipe and records beside it.

Its vocabulary lists the values of the corpus, without which the codes mean nothing. So the rule is that of the data sets: where the
terms of a corpus forbid to pass it on, the repository is private unless the user states the publisher's permission.
"""

from __future__ import annotations

import json
import tempfile
from dataclasses import replace
from pathlib import Path

from rella_hub.cards.arguments import CardArguments
from rella_hub.cards.publishing import push
from rella_hub.cards.publishing.arguments import PublishingArguments, PushArguments
from rella_hub.cards.publishing.checks import check_staged, refuse_pickles
from rella_hub.cards.publishing.copies import Copies, public_recipe
from rella_hub.cards.publishing.identity import Identity, identify, licence_given
from rella_hub.cards.records import CURVE, RECIPE, RECORD
from rella_hub.cards.results import read_results
from rella_hub.corpora import load_corpus
from rella_hub.hub import resolve as hub
from rella_hub.hub.access import connect
from rella_hub.systems.ctr.card import read_training_data, render
from rella_hub.systems.ctr.facts import CONFIG, FEATURES, VOCABULARY, WEIGHTS, CtrRun, read_run
from rella_hub.systems.ctr.metadata import NEEDED
from rella_hub.tables import store

PARTS = (WEIGHTS, CONFIG, FEATURES, VOCABULARY)
OURS = {*push.SHARED, *PARTS}
HOLDS = ("A model", f"{VOCABULARY} lists values")  # what of the corpus a push passes on


def check_before_training(dataset: str, revision: str | None, what: PushArguments, how: PublishingArguments) -> None:
    """ValueError when what a training is to end with, the push, cannot succeed: names, token, repository, licence, terms."""
    folder = hub.resolve(dataset, ["interactions"], revision)
    corpus = load_corpus(store.provenance(folder, "interactions")["corpus"])
    identity = identify(what.hub_model_id, dataset, corpus.id, how)
    licence_given(how.license)
    found = push.standing(connect(identity.model.split("/")[0]), identity.model, {})
    push.as_the_terms_ask(what, found, corpus, how, *HOLDS)


def push_ctr_model(what: PushArguments, how: PublishingArguments) -> None:
    """Publish the model of a finished run, and say what it did.

    Without results, a model that the Hub has with its results already is left as it is.
    """
    base = getattr(how, "base_model_id", None)
    if base is not None:
        raise ValueError(
            f"{what.run} holds a traditional CTR model, which has no base model. Leave out --base_model_id."
        )
    run = read_run(Path(what.run))
    refuse_pickles(run.model, WEIGHTS)
    of_run = (*(run.model / name for name in PARTS), *(run.folder / name for name in (RECIPE, RECORD, CURVE)))
    push.require_own_files(run.folder, of_run)
    corpus = read_training_data(run).corpus
    identity = identify(what.hub_model_id, run.recipe["dataset"], corpus.id, how)
    licence = licence_given(how.license)
    if what.results:
        read_results(Path(what.results), run.sha256, "model", run.model)
    found = push.standing(push.client(what), identity.model, {WEIGHTS: run.model / WEIGHTS})
    what = push.as_the_terms_ask(what, found, corpus, how, *HOLDS)
    push.check_scores(what, how)
    if push.holds_results(what, found, "model"):
        return
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        _stage(folder, run, identity, licence, what, how.permission)
        check_staged(folder, run.folder, NEEDED)
        push.require_as_trained(folder, {WEIGHTS: run.sha256} | run.training.get("sha256", {}), run.folder)
        setting = "full-shot" if run.recipe["num_shots"] is None else f"{run.recipe['num_shots']}-shot"
        push.send(folder, OURS, f"{run.features['model']} of {corpus.id}, {setting}", what, how)


def _stage(
    folder: Path, run: CtrRun, identity: Identity, licence: dict[str, str], what: PushArguments, permission: str | None
) -> None:
    copies = Copies(run, identity)
    recipe = copies.recipe()
    files = [*(run.model / name for name in PARTS), *([run.curve] if run.curve else [])]
    push.stage_files(folder, files)
    push.stage_texts(folder, {RECIPE: recipe, RECORD: _record(run, identity)})
    figure = push.stage_results(folder, copies, what)
    card = CardArguments(
        run=what.run,
        results=str(folder / push.RESULTS) if what.results else None,
        hub_model_id=identity.model,
        dataset_id=identity.dataset,
    )
    text, _ = render(card, replace(run, recipe_text=recipe), licence, figure, permission)
    push.stage_texts(folder, {push.CARD: text})


def _record(run: CtrRun, identity: Identity) -> str:
    """training.json, whose recipe is the published one."""
    record = run.training | {"recipe": public_recipe(run.training["recipe"], identity)}
    return json.dumps(record, indent=2) + "\n"
