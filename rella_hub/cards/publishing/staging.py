"""What a push sends of a run, in a temporary folder: its files, its records under public names, the results, and the card."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path

import yaml

from rella_hub.cards.arguments import CardArguments
from rella_hub.cards.card import card_of, render
from rella_hub.cards.facts import Facts
from rella_hub.cards.publishing.arguments import PushArguments
from rella_hub.cards.publishing.copies import SCORES, public_recipe, public_results, write_public_scores
from rella_hub.cards.publishing.identity import Identity
from rella_hub.files.hashes import hash_file
from rella_hub.hub.sending import private_copy, require_own
from rella_hub.tables.runs import CURVE, RECIPE, RECORD

CARD, RESULTS, FIGURE = "README.md", "results.json", "report.png"
SHARED = {CARD, RECIPE, RECORD, CURVE, RESULTS, FIGURE}  # files of every repository


def stage(
    folder: Path, facts: Facts, identity: Identity, licence: dict[str, str], what: PushArguments, permission: str | None
) -> None:
    recipe = public_recipe(facts.recipe, identity)
    recipe_text = facts.recipe_text if recipe == facts.recipe else yaml.safe_dump(recipe, sort_keys=False)
    files = [facts.result / name for name in (facts.weights_file, *facts.files)]
    stage_files(folder, [*files, *([facts.curve] if facts.curve else [])])
    stage_texts(folder, {RECIPE: recipe_text, RECORD: _record(facts, identity), **facts.texts(identity)})
    figure = _stage_results(folder, facts, identity, what)
    options = CardArguments(
        run=what.run,
        results=str(folder / RESULTS) if what.results else None,
        hub_model_id=identity.model,
        base_model_id=identity.base if facts.base and identity.base != facts.base["name"] else None,
        dataset_id=identity.dataset,
    )
    card = card_of(options, replace(facts, recipe_text=recipe_text), licence, figure, permission)
    stage_texts(folder, {CARD: render(card, options)})


def _record(facts: Facts, identity: Identity) -> str:
    """training.json; that of an earlier version may name the data set."""
    record = facts.training.get("recipe") or {}
    if public_recipe(record, identity) == record:
        return (facts.folder / RECORD).read_text(encoding="utf-8")
    return json.dumps(facts.training | {"recipe": public_recipe(record, identity)}, indent=2) + "\n"


def _stage_results(folder: Path, facts: Facts, identity: Identity, what: PushArguments) -> str | None:
    """Put results, scores and figure into `folder`; the name of the figure, where there is one."""
    score_files = _stage_scores(folder, facts, identity, what.scores)
    if not what.results:
        return None
    stage_texts(folder, {RESULTS: public_results(Path(what.results), facts, identity, score_files)})
    drawn = Path(what.results).with_name(FIGURE)
    if not drawn.is_file():
        return None
    private_copy(require_own(drawn, drawn.parent), folder / FIGURE)
    return FIGURE


def _stage_scores(folder: Path, facts: Facts, identity: Identity, paths: list[str]) -> list[str]:
    names = [Path(path).name for path in paths]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"--scores has {names.count(name)} files of the name {name}. Give each its own name.")
    if names:
        (folder / SCORES).mkdir()
    for path, name in zip(paths, names, strict=True):
        write_public_scores(Path(path), folder / SCORES / name, facts, identity)
    return names


def stage_files(folder: Path, files: Collection[Path]) -> None:
    for path in files:
        private_copy(path, folder / path.name)


def stage_texts(folder: Path, texts: Mapping[str, str]) -> None:
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8", newline="\n")


def require_as_trained(folder: Path, made: Mapping[str, str], run: Path) -> None:
    """ValueError when a file that is staged in `folder` is not what the training of `run` wrote.

    made: the hash of each file that is sent as it is; a run of an earlier version noted none but that of its weights in its scores.
    """
    for name, sha256 in made.items():
        if (folder / name).is_file() and hash_file(folder / name) != sha256:
            raise ValueError(
                f"{name} of {run} was changed since it was trained, so its card would not be true of it. Train again."
            )
