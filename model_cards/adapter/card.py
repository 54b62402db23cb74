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
from model_cards.adapter.arguments import CardArguments
from model_cards.adapter.names import dataset_on_hub, names_of, require_hub_id
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


def write_card(options: CardArguments) -> None:
    """Write the card of `options`, and the training curve beside it."""
    for option in ("hub_model_id", "base_model_id", "dataset_id"):
        require_hub_id(option, getattr(options, option))
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


def render(
    options: CardArguments, run: Run, licence: dict[str, str] | None = None, figure: str | None = None
) -> tuple[str, list[str]]:
    """The text of the card, the same for the same inputs, and the options that would make it name Hub ids only.

    licence: the keys of the YAML that say it, where --license alone does not. figure: a picture of the results beside the card.
    """
    data = read_training_data(run)
    results = read_results(Path(options.results), run.sha256, run.adapter) if options.results else None
    comparisons = results.comparisons if results else []
    main = main_comparison(comparisons, data.corpus.id, run.recipe["config_name"]) if comparisons else None
    record = main.own["record"] if main else _untested(run, data.corpus.id)
    names = names_of(options, run, record, data.corpus.id)
    title = options.hub_model_id or f"{data.corpus.id}-{run.folder.resolve().name}"
    licence = licence or ({"license": options.license} if options.license else {})
    trained_on = run.recipe["dataset"]
    scored = [
        (c, dataset_on_hub(c.own["record"]["dataset"], c.corpus, options.dataset_id, trained_on)) for c in comparisons
    ]
    rows_per_sample = 2 if data.view == "reit" else 1
    text = (
        _environment()
        .get_template(TEMPLATE)
        .render(
            metadata=metadata.card_metadata(
                title.rsplit("/", 1)[-1], names.base_on_hub, names.dataset_on_hub, data.corpus, licence, scored
            ),
            title=title,
            run=run,
            data=data,
            names=names,
            comparisons=comparisons,
            resamples=results and results.resamples,
            figure=figure,
            main=main,
            record=record,
            config_name=main.config_name if main else run.recipe["config_name"],
            split=main.split if main else "test",
            num_shots=run.training["training_rows"] // rows_per_sample,
            licence=licence.get("license_name") or licence.get("license"),
            papers=_papers([main, *comparisons], data, names.base) if main else [],
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


def _untested(run: Run, corpus: str) -> dict:
    """What the record of scores would say of an adapter that has none, as far as its run knows."""
    recipe = run.recipe
    return {
        "base": run.base["name"],
        "base_identity": run.base,
        "corpus": corpus,
        "dataset": recipe["dataset"],
        "dataset_revision": recipe["dataset_revision"],
        "dtype": recipe.get("dtype", "auto"),
        "quantization": recipe["quantization"],
    }


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
