"""Fill the card's template from a run folder, a report's results and the data set."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path

import jinja2

from dataset_builders.cards.metadata import view_of
from dataset_builders.cards.render import cell
from dataset_builders.corpora import Corpus, load_corpus
from dataset_builders.prompts import pointwise
from dataset_builders.tables import hub, store
from model_cards.adapter import metadata, paper, verdict
from model_cards.adapter.results import Comparison, main_comparison, read_results
from model_cards.adapter.run import CURVE, Run, read_run

TEMPLATES = Path(__file__).parent.parent / "templates"
TEMPLATE = "model.md.jinja"


@dataclass(frozen=True)
class TrainingData:
    """The data set that a run was trained on, as its tables tell."""

    corpus: Corpus
    made_from: dict  # the record of its interactions
    prompts: dict  # the record of its prompts
    encoder: str | None  # of the item vectors, where there are any
    view: str
    history_length: int


@dataclass(frozen=True)
class Names:
    """What the card calls things: Hub ids where there are any, else the folders of this machine."""

    base: str
    adapter: str
    dataset: str  # that was scored
    base_on_hub: str | None
    dataset_on_hub: str | None  # that was trained on
    base_commit: str | None

    def local(self, adapter_on_hub: str | None) -> list[str]:
        """The options that would name a thing by its Hub id, for each one that is a folder."""
        given = {
            "base_model_id": self.base_on_hub,
            "dataset_id": self.dataset_on_hub,
            "hub_model_id": adapter_on_hub,
        }
        return [f"--{option}" for option, name in given.items() if name is None]


def write_card(options) -> None:
    """Write the card of `options` (see model_cards/render.py), and the training curve beside it."""
    for option in ("hub_model_id", "base_model_id", "dataset_id"):
        metadata.require_hub_id(option, getattr(options, option))
    run = read_run(Path(options.run))
    output = Path(options.output) if options.output else run.adapter / "README.md"
    text, local = render(options, run)
    if run.curve:
        with store.replacing_file(output.with_name(CURVE)) as temporary:
            temporary.write_bytes(run.curve.read_bytes())
    with store.replacing_file(output) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")
    if local:
        print(
            f"WARNING: {output} names folders of this machine, which nobody else has. Before it is published, pass {', '.join(local)}.",
            file=sys.stderr,
        )
    print(f"{output}: card of {run.adapter}.", flush=True)


def render(options, run: Run) -> tuple[str, list[str]]:
    """The text of the card, the same for the same inputs, and the options that would make it name Hub ids only."""
    data = read_training_data(run)
    results = read_results(Path(options.results), run.sha256, run.adapter)
    comparisons = results.comparisons
    main = main_comparison(comparisons, data.corpus.id, run.recipe["config_name"])
    names = _names(options, run, main.own["record"], data.corpus.id)
    title = options.hub_model_id or f"{data.corpus.id}-{run.folder.resolve().name}"
    scored = [(c, _dataset_on_hub(c.own["record"]["dataset"], options, run, c.corpus)) for c in comparisons]
    rows_per_sample = 2 if data.view == "reit" else 1
    text = (
        _environment()
        .get_template(TEMPLATE)
        .render(
            metadata=metadata.card_metadata(
                title.rsplit("/", 1)[-1], names.base_on_hub, names.dataset_on_hub, data.corpus, options.license, scored
            ),
            title=title,
            run=run,
            data=data,
            names=names,
            comparisons=comparisons,
            resamples=results.resamples,
            main=main,
            num_shots=run.training["training_rows"] // rows_per_sample,
            licence=options.license,
            papers=_papers([main, *comparisons], data, names.base),
            paper_weights=paper.paper_weights(),
            answers=pointwise.ANSWERS,
        )
    )
    return text, names.local(options.hub_model_id)


def read_training_data(run: Run) -> TrainingData:
    config_name = run.recipe["config_name"]
    folder = hub.resolve(run.recipe["dataset"], [config_name, "interactions"], run.recipe["dataset_revision"])
    view, history_length = view_of(config_name)
    if view is None:
        raise ValueError(
            f"The run {run.folder} was trained on {config_name!r}, which is not a config of prompts such as reit_k30."
        )
    made_from = store.provenance(folder, "interactions")
    vectors = store.provenance(folder, "item_vectors")
    return TrainingData(
        corpus=load_corpus(made_from["corpus"]),
        made_from=made_from,
        prompts=store.provenance(folder, config_name),
        encoder=Path(vectors["encoder"]).name
        if vectors and Path(vectors["encoder"]).is_dir()
        else (vectors or {}).get("encoder"),
        view=view,
        history_length=history_length,
    )


def _names(options, run: Run, record: dict, corpus: str) -> Names:
    revision = record["base_identity"]["revision"]
    in_folder = revision.startswith("sha256:")
    on_hub = options.base_model_id or (None if in_folder else record["base"])
    pinned = options.base_model_id is None and not in_folder and revision != "unknown"
    return Names(
        base=on_hub or record["base"],
        adapter=options.hub_model_id or run.adapter.as_posix(),
        dataset=_dataset_on_hub(record["dataset"], options, run, record["corpus"]) or record["dataset"],
        base_on_hub=on_hub,
        dataset_on_hub=_dataset_on_hub(run.recipe["dataset"], options, run, corpus),
        base_commit=revision if pinned else None,
    )


def _dataset_on_hub(name: str, options, run: Run, corpus: str) -> str | None:
    """The Hub id of a data set: the one given for the run's own, else its name, unless that is a folder of another name than the Hub's."""
    if options.dataset_id and name == run.recipe["dataset"]:
        return options.dataset_id
    if not metadata.HUB_ID.fullmatch(name):
        return None
    return name if name == store.default_folder(corpus).as_posix() or not Path(name).is_dir() else None


def _papers(comparisons: list[Comparison], data: TrainingData, base: str) -> list[dict]:
    """For each corpus of the paper among `comparisons`: its name, the paper's rows, and why they are not comparable with the first."""
    first: dict[str, Comparison] = {}
    for comparison in comparisons:
        first.setdefault(comparison.corpus, comparison)
    found = []
    for corpus, comparison in ((load_corpus(name), comparison) for name, comparison in first.items()):
        rows = paper.paper_rows(corpus.id, base)
        if rows:
            trained_on = corpus.id == data.corpus.id
            status = data.made_from["raw_status"] if trained_on else "status unknown"
            encoder = data.encoder if trained_on else None
            why = paper.differences(comparison.own, base, corpus, status, encoder)
            found.append({"corpus": corpus.name, "rows": rows, "differences": why})
    return found


def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,
    )
    environment.filters |= {
        "cell": cell,
        "count": "{:,}".format,
        "metric": f"{{:.{metadata.DIGITS}f}}".format,
        "interval": verdict.number,
        "sentence": verdict.sentence,
        "quoted": lambda text: json.dumps(text, ensure_ascii=False),  # a Python string as well
    }
    return environment
