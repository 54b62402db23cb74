"""An adapter of a run folder as a repository of the Hub: staged in a temporary folder, checked, and sent in one commit."""

from __future__ import annotations

import shutil
import tempfile
import warnings
from dataclasses import dataclass
from pathlib import Path

from huggingface_hub import HfApi

from dataset_builders.hub.access import connect, explained
from dataset_builders.hub.collection import add_to_collection
from dataset_builders.hub.plan import Plan, make_plan
from dataset_builders.hub.publish import Repository, publish
from dataset_builders.tables import store
from model_cards.adapter.arguments import CardArguments
from model_cards.adapter.card import read_training_data, render
from model_cards.adapter.names import is_in_folder
from model_cards.adapter.results import read_results
from model_cards.adapter.run import BASE_RECORD, CURVE, RECIPE, RECORD, WEIGHTS, Run, read_run
from model_cards.publishing.arguments import PublishingArguments, PushArguments
from model_cards.publishing.checks import check_staged, refuse_pickles
from model_cards.publishing.copies import ADAPTER_CONFIG, SCORES, Copies, tokenizer_file
from model_cards.publishing.identity import Identity, identify, licence_of, look_up, require_same_weights

CARD, RESULTS, FIGURE = "README.md", "results.json", "report.png"
TOKENIZER = (
    *("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "chat_template.jinja"),
    *("vocab.json", "merges.txt", "tokenizer.model"),
)
OURS = {CARD, WEIGHTS, ADAPTER_CONFIG, BASE_RECORD, RECIPE, RECORD, CURVE, RESULTS, FIGURE, *TOKENIZER}


@dataclass(frozen=True)
class PlannedRun:
    """What is known of a run before it begins."""

    base: str
    dataset: str
    full_finetuning: bool


def check_before_training(planned: PlannedRun, what: PushArguments, how: PublishingArguments) -> None:
    """ValueError when what a training is to end with, the push, cannot succeed: names, token, repository, licence."""
    if planned.full_finetuning:
        raise ValueError(
            "Full fine-tuning leaves no adapter, and adapters are what is published. Leave --push_to_hub out."
        )
    folder = Path(planned.dataset)
    record = store.provenance(folder, "interactions") if folder.is_dir() else None
    in_folder = Path(planned.base).is_dir()
    identity = identify(what.hub_model_id, planned.base, in_folder, planned.dataset, (record or {}).get("corpus"), how)
    api = connect(identity.adapter.split("/")[0])
    _require_privacy(what, _standing(api, identity.adapter, {}))
    licence_of(how.license, identity.base, look_up(api, identity.base))


def push_adapter(what: PushArguments, how: PublishingArguments) -> None:
    """Publish the adapter of a finished run, and say what it did.

    Without results, an adapter that the Hub has with its results already is left as it is.
    """
    run = read_run(Path(what.run))
    refuse_pickles(run.adapter)
    corpus = read_training_data(run).corpus
    identity = identify(
        what.hub_model_id, run.base["name"], is_in_folder(run.base), run.recipe["dataset"], corpus.id, how
    )
    if what.scores and not what.results:
        raise ValueError(
            "Score files are published with the results that they give. Pass --results too, or no --scores."
        )
    if what.scores and not what.private and not corpus.may_be_redistributed:
        raise ValueError(
            f"Score files hold labels of {corpus.name}, whose terms forbid to pass its data on. Push --private true, or without --scores."
        )
    if what.results:
        read_results(Path(what.results), run.sha256, run.adapter)
    api = HfApi(library_name="rella") if what.dry_run else connect(identity.adapter.split("/")[0])
    standing = _standing(api, identity.adapter, {WEIGHTS: run.adapter / WEIGHTS})
    _require_privacy(what, standing)
    if not what.results and standing.unchanged and standing.deleted:
        print(
            f"{identity.adapter}: holds this adapter with its results, kept. Pass --results to replace them.",
            flush=True,
        )
        return
    base = look_up(api, identity.base)
    require_same_weights(identity.base, base, run.base)
    licence = licence_of(how.license, identity.base, base)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        _stage(folder, run, identity, licence, what)
        check_staged(folder, run.folder)
        files = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
        repository = Repository(identity.adapter, "model", files, _is_ours, private=what.private)
        scored = "with its results" if what.results else "not scored yet"
        message = f"Adapter of {corpus.id}, tuned on {run.recipe['config_name']}, {scored}"
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "It seems that you are about to commit a data file")  # scores are meant
            publish(repository, message, how.revision_tag, what.dry_run)
    if how.collection and not what.dry_run:
        add_to_collection(how.collection, identity.adapter, "model")
    if not what.results and not what.dry_run:
        print(
            "Its card says that it is not scored yet. Score it (python evaluation/score.py), report (python evaluation/report.py), and add "
            f"the results: python model_cards/push.py --run {what.run} --hub_model_id {identity.adapter} --results results.json",
            flush=True,
        )


def _standing(api: HfApi, repo_id: str, weights: dict[str, Path]) -> Plan:
    """What the Hub has: `unchanged` counts the weights if they are the same, `deleted` names the results."""
    with explained(repo_id, "be read"):
        return make_plan(api, repo_id, "model", weights, lambda path: path == RESULTS)


def _require_privacy(what: PushArguments, standing: Plan) -> None:
    if what.private and standing.private is False:
        raise ValueError(
            f"{what.hub_model_id} is public, and a private repository was asked for. Make it private in its settings on the Hub, or give "
            "another --hub_model_id."
        )


def _is_ours(path: str) -> bool:
    return path in OURS or (path.startswith(f"{SCORES}/") and path.endswith(".parquet"))


def _stage(folder: Path, run: Run, identity: Identity, licence: dict[str, str], what: PushArguments) -> None:
    copies = Copies(run, identity)
    shutil.copyfile(run.adapter / WEIGHTS, folder / WEIGHTS)
    shutil.copyfile(run.folder / RECORD, folder / RECORD)
    if run.curve:
        shutil.copyfile(run.curve, folder / CURVE)
    texts = {
        ADAPTER_CONFIG: copies.adapter_config(),
        BASE_RECORD: copies.base_record(),
        RECIPE: copies.recipe(),
        **_own_tokenizer(run, folder),
    }
    score_files = _stage_scores(folder, copies, what.scores)
    figure = None
    if what.results:
        texts[RESULTS] = copies.results(Path(what.results), score_files)
        drawn = Path(what.results).with_name(FIGURE)
        if drawn.is_file():
            figure = FIGURE
            shutil.copyfile(drawn, folder / FIGURE)
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8", newline="\n")
    card = CardArguments(
        run=what.run,
        results=str(folder / RESULTS) if what.results else None,
        hub_model_id=identity.adapter,
        base_model_id=None if identity.base == run.base["name"] else identity.base,
        dataset_id=identity.dataset,
    )
    published = Run(**{**vars(run), "recipe_text": texts[RECIPE]})
    text, _ = render(card, published, licence, figure)
    (folder / CARD).write_text(text, encoding="utf-8", newline="\n")


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


def _own_tokenizer(run: Run, folder: Path) -> dict[str, str]:
    """The files of the adapter's tokenizer where they are not those of the base, as it is loaded here."""
    from training.language_models.load import load_tokenizer

    own = {path.name: tokenizer_file(path) for path in sorted(run.adapter.iterdir()) if path.name in TOKENIZER}
    with tempfile.TemporaryDirectory() as temporary:
        try:
            load_tokenizer(run.recipe["base"], run.recipe.get("base_revision")).save_pretrained(temporary)
        except ValueError:  # it cannot be had here, so whether the two differ is not known
            return own
        of_base = {path.name: tokenizer_file(path) for path in Path(temporary).iterdir() if path.name in TOKENIZER}
    return {} if own == of_base else own
