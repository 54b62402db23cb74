"""What pushing an adapter and a CTR model share: what the Hub holds already, what is staged for either, and sending it in one commit."""

from __future__ import annotations

import warnings
from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path

from huggingface_hub import HfApi

from rella_hub.cards.publishing import terms
from rella_hub.cards.publishing.arguments import PublishingArguments, PushArguments
from rella_hub.cards.publishing.copies import SCORES, Copies
from rella_hub.cards.records import CURVE, RECIPE, RECORD
from rella_hub.corpora import Corpus
from rella_hub.files.hashes import hash_file
from rella_hub.hub.access import connect, explained
from rella_hub.hub.client import hub_api
from rella_hub.hub.collection import add_to_collection
from rella_hub.hub.plan import Plan, make_plan
from rella_hub.hub.publish import Repository, publish
from rella_hub.hub.sending import private_copy, require_own

CARD, RESULTS, FIGURE = "README.md", "results.json", "report.png"
SHARED = {CARD, RECIPE, RECORD, CURVE, RESULTS, FIGURE}  # files of a repository of either kind


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


def stage_results(folder: Path, copies: Copies, what: PushArguments) -> str | None:
    """Put results, scores and figure into `folder`; the name of the figure, where there is one."""
    score_files = _stage_scores(folder, copies, what.scores)
    if not what.results:
        return None
    stage_texts(folder, {RESULTS: copies.results(Path(what.results), score_files)})
    drawn = Path(what.results).with_name(FIGURE)
    if not drawn.is_file():
        return None
    private_copy(require_own(drawn, drawn.parent), folder / FIGURE)
    return FIGURE


def require_own_files(run: Path, files: Collection[Path]) -> None:
    """ValueError for a file of a run that a link leads to from outside of it."""
    for path in files:
        if path.exists() or path.is_symlink():
            require_own(path, run)


def stage_files(folder: Path, files: Collection[Path]) -> None:
    for path in files:
        private_copy(path, folder / path.name)


def require_as_trained(folder: Path, made: Mapping[str, str], run: Path) -> None:
    """ValueError when a file that is staged in `folder` is not what the training of `run` wrote.

    made: the hash of each file that is sent as it is; a run of an earlier version noted none but that of its weights in its scores.
    """
    for name, sha256 in made.items():
        if (folder / name).is_file() and hash_file(folder / name) != sha256:
            raise ValueError(
                f"{name} of {run} was changed since it was trained, so its card would not be true of it. Train again."
            )


def stage_texts(folder: Path, texts: Mapping[str, str]) -> None:
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8", newline="\n")


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


def _stage_scores(folder: Path, copies: Copies, paths: list[str]) -> list[str]:
    names = [Path(path).name for path in paths]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"--scores has {names.count(name)} files of the name {name}. Give each its own name.")
    if names:
        (folder / SCORES).mkdir()
    for path, name in zip(paths, names, strict=True):
        copies.write_scores(Path(path), folder / SCORES / name)
    return names
