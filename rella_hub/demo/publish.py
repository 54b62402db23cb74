"""The demo as a Space: the app, this package, and which data set and systems it shows; private where the terms of the corpus ask that."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import yaml

from rella_hub.corpora import load_corpus
from rella_hub.demo.options import DemoOptions, PushDemoArguments
from rella_hub.hub import resolve as hub
from rella_hub.hub.collection import add_to_collection
from rella_hub.hub.publish import Repository, publish
from rella_hub.resources import resources
from rella_hub.tables import store
from rella_hub.tables.runs import HUB_ID

APP = ("app.py", "README.md", "requirements.txt")
OPTIONS = "options.yaml"
PACKAGE = Path(__file__).parents[1]


def push_demo(shown: DemoOptions, what: PushDemoArguments) -> None:
    """One commit. ValueError for a data set or a system that has no Hub id: nobody else could load it."""
    _require_on_hub(shown, what)
    private = _as_the_terms_ask(shown, what)
    with TemporaryDirectory() as scratch:
        files = stage(Path(scratch), shown, what.base)
        space = Repository(what.space, "space", files, _is_ours, private, space_sdk="gradio")
        publish(space, f"Demo of {shown.dataset}", dry_run=what.dry_run)
    if what.collection and not what.dry_run:
        add_to_collection(what.collection, what.space, "space")


def stage(folder: Path, shown: DemoOptions, base: str | None) -> dict[str, Path]:
    """The files of the Space: path in the repository → file. folder: takes those that are written for it."""
    values = {
        **{"dataset": shown.dataset, "dataset_revision": shown.dataset_revision, "base": base},
        **{"adapters": shown.adapters, "models": shown.models},
        **{"history_length": shown.history_length, "examples": shown.examples},
    }
    options = folder / OPTIONS
    given = {name: value for name, value in values.items() if value not in (None, [])}
    options.write_text(yaml.safe_dump(given, sort_keys=False), encoding="utf-8")
    app = {name: resources("spaces/demo") / name for name in APP}
    package = {
        f"{PACKAGE.name}/{path.relative_to(PACKAGE).as_posix()}": path
        for path in sorted(PACKAGE.rglob("*.py"))
        if not path.is_relative_to(PACKAGE / "resources")
    }
    return {**app, OPTIONS: options, **package}


def _is_ours(name: str) -> bool:
    """Modules that there are no more are deleted."""
    return name.startswith(f"{PACKAGE.name}/") and name.endswith(".py")


def _require_on_hub(shown: DemoOptions, what: PushDemoArguments) -> None:
    for name in filter(None, (what.space, shown.dataset, what.base, *shown.adapters, *shown.models)):
        if not HUB_ID.fullmatch(name):
            raise ValueError(
                f"{name!r} is no Hub id, owner/name, so a Space cannot load it. Push it first, and give its id."
            )
    if not (what.base or shown.models):
        raise ValueError("There is no system to ask. Give --base, with --adapters or without, or --models.")


def _as_the_terms_ask(shown: DemoOptions, what: PushDemoArguments) -> bool:
    """Whether the Space is private; says why where nobody asked for it."""
    folder = hub.resolve(shown.dataset, ["samples"], shown.dataset_revision)
    corpus = load_corpus(store.made_from(folder, "samples")["corpus"])
    if what.private or corpus.may_be_redistributed or what.permission:
        return what.private
    print(
        f"The demo of {corpus.name} is pushed privately, because it shows titles and ratings of the corpus: {corpus.terms} See "
        "--permission.",
        flush=True,
    )
    return True
