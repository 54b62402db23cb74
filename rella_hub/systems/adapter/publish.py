"""An adapter of a run folder as a repository of the Hub: staged in a temporary folder, checked, and sent in one commit."""

from __future__ import annotations

import json
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

from rella_hub.cards.arguments import CardArguments
from rella_hub.cards.names import is_in_folder
from rella_hub.cards.publishing import push, terms
from rella_hub.cards.publishing.arguments import AdapterPublishingArguments, PushArguments
from rella_hub.cards.publishing.checks import check_staged, refuse_pickles
from rella_hub.cards.publishing.copies import Copies
from rella_hub.cards.publishing.identity import Identity, identify_adapter, licence_of, look_up, require_same_weights
from rella_hub.cards.records import CURVE, RECIPE, RECORD, mapping
from rella_hub.cards.results import read_results
from rella_hub.hub.access import connect
from rella_hub.systems.adapter.card import read_training_data, render
from rella_hub.systems.adapter.facts import BASE_RECORD, COMMAND, WEIGHTS, Run, read_run
from rella_hub.systems.adapter.metadata import NEEDED
from rella_hub.tables import store

CONFIG = "adapter_config.json"
TOKENIZER = (
    *("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "chat_template.jinja"),
    *("vocab.json", "merges.txt", "tokenizer.model"),
)
OF_THIS_MACHINE = ("is_local", "local_files_only")  # how a tokenizer was loaded, which transformers saves with it
OURS = {*push.SHARED, WEIGHTS, CONFIG, BASE_RECORD, *TOKENIZER}


@dataclass(frozen=True)
class PlannedRun:
    """What is known of a run before it begins."""

    base: str
    dataset: str
    full_finetuning: bool


def check_before_training(planned: PlannedRun, what: PushArguments, how: AdapterPublishingArguments) -> None:
    """ValueError when what a training is to end with, the push, cannot succeed: names, token, repository, licence."""
    if planned.full_finetuning:
        raise ValueError(
            "Full fine-tuning leaves no adapter, and adapters are what is published. Leave --push_to_hub out."
        )
    folder = Path(planned.dataset)
    record = store.provenance(folder, "interactions") if folder.is_dir() else None
    in_folder = Path(planned.base).is_dir()
    corpus = (record or {}).get("corpus")
    identity = identify_adapter(what.hub_model_id, planned.base, in_folder, planned.dataset, corpus, how)
    api = connect(identity.model.split("/")[0])
    push.require_privacy(what, push.standing(api, identity.model, {}))
    licence_of(how.license, identity.base, look_up(api, identity.base))


def push_adapter(what: PushArguments, how: AdapterPublishingArguments) -> None:
    """Publish the adapter of a finished run, and say what it did.

    Without results, an adapter that the Hub has with its results already is left as it is.
    """
    run = read_run(Path(what.run))
    refuse_pickles(run.adapter, WEIGHTS)
    corpus = read_training_data(run).corpus
    base, in_folder = run.base["name"], is_in_folder(run.base)
    identity = identify_adapter(what.hub_model_id, base, in_folder, run.recipe["dataset"], corpus.id, how)
    push.require_own_files(run.folder, _files(run))
    push.check_scores(what, how)
    of_base = (run.base, run.recipe["base"], run.recipe.get("base_revision"))
    terms.require_allowed(terms.of_weights(run.adapter / WEIGHTS, *of_base), what, how)
    tokenizer = _own_tokenizer(run)
    terms.require_allowed(terms.of_tokenizer(*of_base) if tokenizer else [], what, how)
    if what.results:
        read_results(Path(what.results), run.sha256, "adapter", run.adapter)
    api = push.client(what)
    found = push.standing(api, identity.model, {WEIGHTS: run.adapter / WEIGHTS})
    push.require_privacy(what, found)
    if push.holds_results(what, found, "adapter"):
        return
    base_on_hub = look_up(api, identity.base)
    require_same_weights(identity.base, base_on_hub, run.base)
    licence = licence_of(how.license, identity.base, base_on_hub)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        _stage(folder, run, tokenizer, identity, licence, what, how.permission)
        check_staged(folder, run.folder, NEEDED)
        push.require_as_trained(folder, {WEIGHTS: run.sha256} | run.training.get("sha256", {}), run.folder)
        push.send(folder, OURS, f"Adapter of {corpus.id}, tuned on {run.recipe['config_name']}", what, how)


def _stage(
    folder: Path,
    run: Run,
    tokenizer: dict[str, str],
    identity: Identity,
    licence: dict[str, str],
    what: PushArguments,
    permission: str | None,
) -> None:
    copies = Copies(run, identity, run.base)
    recipe = copies.recipe()
    files = [run.adapter / WEIGHTS, run.folder / RECORD, *([run.curve] if run.curve else [])]
    push.stage_files(folder, files)
    push.stage_texts(
        folder,
        {
            CONFIG: _config(run, identity),
            BASE_RECORD: json.dumps(_json(run, BASE_RECORD) | {"name": identity.base}, indent=2) + "\n",
            RECIPE: recipe,
            **tokenizer,
        },
    )
    figure = push.stage_results(folder, copies, what)
    card = CardArguments(
        run=what.run,
        results=str(folder / push.RESULTS) if what.results else None,
        hub_model_id=identity.model,
        base_model_id=None if identity.base == run.base["name"] else identity.base,
        dataset_id=identity.dataset,
    )
    text, _ = render(card, replace(run, recipe_text=recipe), licence, figure, permission)
    push.stage_texts(folder, {push.CARD: text})


def _files(run: Run) -> list[Path]:
    """All files of a run that a push reads."""
    of_adapter = (WEIGHTS, CONFIG, BASE_RECORD, *TOKENIZER)
    return [*(run.adapter / name for name in of_adapter), *(run.folder / name for name in (RECIPE, RECORD, CURVE))]


def _config(run: Run, identity: Identity) -> str:
    config = _json(run, CONFIG) | {"base_model_name_or_path": identity.base}
    return json.dumps(config, indent=2, sort_keys=True) + "\n"


def _json(run: Run, name: str) -> dict:
    return mapping(run.adapter / name, (), COMMAND)


def _own_tokenizer(run: Run) -> dict[str, str]:
    """The files of the adapter's tokenizer where they are not those of the base, as it is loaded here."""
    from rella_hub.language_models.load import load_tokenizer

    own = {path.name: _tokenizer_file(path) for path in sorted(run.adapter.iterdir()) if path.name in TOKENIZER}
    with tempfile.TemporaryDirectory() as temporary:
        try:
            load_tokenizer(run.recipe["base"], run.recipe.get("base_revision")).save_pretrained(temporary)
        except ValueError:  # it cannot be had here, so whether the two differ is not known
            return own
        of_base = {path.name: _tokenizer_file(path) for path in Path(temporary).iterdir() if path.name in TOKENIZER}
    return {} if own == of_base else own


def _tokenizer_file(path: Path) -> str:
    """A file of a tokenizer without how it was loaded."""
    text = path.read_text(encoding="utf-8")
    if path.name != "tokenizer_config.json":
        return text
    config = {key: value for key, value in json.loads(text).items() if key not in OF_THIS_MACHINE}
    return json.dumps(config, indent=2, ensure_ascii=False) + "\n"
