"""A trained system of any family as a repository of the Hub: staged in a temporary folder, checked, and sent in one commit."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path

from huggingface_hub import HfApi

from rella_hub.cards.card import check_names
from rella_hub.cards.facts import Facts, Planned, read_training_data
from rella_hub.cards.names import is_in_folder
from rella_hub.cards.publishing import terms
from rella_hub.cards.publishing.arguments import PublishingArguments, PushArguments
from rella_hub.cards.publishing.checks import check_staged, refuse_pickles
from rella_hub.cards.publishing.copies import SCORES
from rella_hub.cards.publishing.identity import (
    identify,
    licence_given,
    licence_of,
    look_up,
    require_same_weights,
)
from rella_hub.cards.publishing.staging import RESULTS, SHARED, require_as_trained, stage
from rella_hub.cards.results import read_results
from rella_hub.corpora import Corpus
from rella_hub.hub.access import connect, explained
from rella_hub.hub.client import hub_api
from rella_hub.hub.collection import add_to_collection
from rella_hub.hub.plan import Plan, make_plan
from rella_hub.hub.publish import Repository, publish
from rella_hub.hub.sending import require_own
from rella_hub.tables.runs import CURVE, RECIPE, RECORD

NEEDED = ("license", "datasets", "library_name", "pipeline_tag", "tags")  # in the YAML of a card
OF_A_BASE = ("base_model", "base_model_relation")  # and where there is a base model


def check_before_training(planned: Planned, what: PushArguments, how: PublishingArguments) -> None:
    """ValueError when what a training is to end with, the push, cannot succeed: names, token, repository, licence, terms."""
    corpus = read_training_data({"dataset": planned.dataset, "dataset_revision": planned.dataset_revision}).corpus
    in_folder = bool(planned.base) and Path(planned.base).is_dir()
    identity = identify(what.hub_model_id, planned.dataset, corpus.id, how, planned.base, in_folder)
    if identity.base is None:
        licence_given(how.license)
    api = connect(identity.model.split("/")[0])
    _as_allowed(what, standing(api, identity.model, {}), corpus, how, planned.noun, planned.holds)
    if identity.base is not None:
        licence_of(how.license, identity.base, look_up(api, identity.base))


def push_model(what: PushArguments, how: PublishingArguments, facts: Facts) -> None:
    """Publish the result of a finished run, and say what it did.

    Without results, a model that the Hub has with its results already is left as it is.
    """
    check_names(how, facts)
    refuse_pickles(facts.result, facts.weights_file)
    _require_own_files(facts)
    base, corpus = facts.base, facts.data.corpus
    of_base = (base["name"], is_in_folder(base)) if base else ()
    identity = identify(what.hub_model_id, facts.recipe["dataset"], corpus.id, how, *of_base)
    licence = {} if base else licence_given(how.license)
    terms.require_allowed(facts.parts(), what, how)
    if what.results:
        read_results(Path(what.results), facts.sha256, facts.noun, facts.result)
    api = client(what)
    found = standing(api, identity.model, {facts.weights_file: facts.result / facts.weights_file})
    what = _as_allowed(what, found, corpus, how, facts.noun, facts.holds)
    check_scores(what, how)
    if holds_results(what, found, facts.noun):
        return
    if base and identity.base:
        base_on_hub = look_up(api, identity.base)
        require_same_weights(identity.base, base_on_hub, base)
        licence = licence_of(how.license, identity.base, base_on_hub)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        stage(folder, facts, identity, licence, what, how.permission)
        check_staged(folder, facts.folder, (*NEEDED, *(OF_A_BASE if base else ())))
        made = {facts.weights_file: facts.sha256} | facts.training.get("sha256", {})
        require_as_trained(
            folder, {name: one for name, one in made.items() if name not in facts.rewritten}, facts.folder
        )
        ours = {*SHARED, facts.weights_file, *facts.files, *facts.rewritten}
        send(folder, ours, facts.about, what, how)


def _as_allowed(
    what: PushArguments, found: Plan, corpus: Corpus, how: PublishingArguments, noun: str, holds: str | None
) -> PushArguments:
    if holds:
        return as_the_terms_ask(what, found, corpus, how, f"A {noun}", holds)
    require_privacy(what, found)
    return what


def _require_own_files(facts: Facts) -> None:
    """ValueError for a file of the run that a link leads to from outside of it."""
    of_result = [facts.result / name for name in (facts.weights_file, *facts.files, *facts.rewritten)]
    require_own_files(facts.folder, [*of_result, *(facts.folder / name for name in (RECIPE, RECORD, CURVE))])


def check_scores(what: PushArguments, how: PublishingArguments) -> None:
    """ValueError when score files may not go with this push."""
    if what.scores and not what.results:
        raise ValueError(
            "Score files are published with the results that they give. Pass --results too, or no --scores."
        )
    terms.require_allowed(terms.of_scores(what.scores), what, how)


def standing(api: HfApi, repo_id: str, weights: Mapping[str, Path]) -> Plan:
    """What the Hub has: `unchanged` counts the weights if they are the same, `deleted` names the results."""
    with explained(repo_id, "be read"):
        return make_plan(api, repo_id, "model", weights, lambda path: path == RESULTS)


def client(what: PushArguments) -> HfApi:
    return hub_api() if what.dry_run else connect(what.hub_model_id.split("/")[0])


def require_privacy(what: PushArguments, found: Plan, why: str = "a private repository was asked for") -> None:
    if what.private and found.private is False:
        raise ValueError(
            f"{what.hub_model_id} is public, and {why}. Make it private in its settings on the Hub, or give another --hub_model_id."
        )


def as_the_terms_ask(
    what: PushArguments, found: Plan, corpus: Corpus, how: PublishingArguments, kind: str, holds: str
) -> PushArguments:
    """The push, made private where the corpus may not be passed on. ValueError where the repository is public and must not be.

    kind: "A model"; holds: what of it is the corpus's own, in words that " of the corpus" goes on with.
    """
    require_privacy(what, found)
    if what.private or not terms.forbidden([terms.Part(f"{kind} whose {holds}", None, corpus.id)], how):
        return what
    print(
        f"{kind} of {corpus.name} is pushed privately, because its {holds} of the corpus: {corpus.terms} See --permission.",
        flush=True,
    )
    what = replace(what, private=True)
    require_privacy(what, found, f"{holds} of {corpus.name}, whose terms forbid to pass its data on (see --permission)")
    return what


def holds_results(what: PushArguments, found: Plan, kind: str) -> bool:
    """Whether the Hub has this very model with its results, and none are given now: then it is left as it is, which is said."""
    held = bool(not what.results and found.unchanged and found.deleted)
    if held:
        print(
            f"{what.hub_model_id}: holds this {kind} with its results, kept. Pass --results to replace them.",
            flush=True,
        )
    return held


def require_own_files(run: Path, files: Collection[Path]) -> None:
    """ValueError for a file of a run that a link leads to from outside of it."""
    for path in files:
        if path.exists() or path.is_symlink():
            require_own(path, run)


def send(folder: Path, ours: Collection[str], message: str, what: PushArguments, how: PublishingArguments) -> None:
    """Publish what is staged in `folder`. ours: the names that a push may delete where they are not staged."""
    files = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}

    def is_ours(path: str) -> bool:
        return path in ours or (path.startswith(f"{SCORES}/") and path.endswith(".parquet"))

    repository = Repository(what.hub_model_id, "model", files, is_ours, private=what.private)
    message = f"{message}, {'with its results' if what.results else 'not scored yet'}"
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "It seems that you are about to commit a data file")  # they are meant
        publish(repository, message, how.revision_tag, what.dry_run)
    if what.dry_run:
        return
    if how.collection:
        add_to_collection(how.collection, what.hub_model_id, "model")
    if not what.results:
        print(
            "Its card says that it is not scored yet. Score it (python evaluation/score.py), report (python evaluation/report.py), and add "
            f"the results: python model_cards/push.py --run {what.run} --hub_model_id {what.hub_model_id} --results results.json",
            flush=True,
        )
