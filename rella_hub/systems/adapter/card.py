"""The card of an adapter, from its run folder, a report's results and the data set."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from rella_hub.cards.arguments import CardArguments
from rella_hub.cards.data import encoder_of
from rella_hub.cards.names import dataset_on_hub, require_hub_id
from rella_hub.cards.results import Comparison, main_comparison, read_results
from rella_hub.cards.templates import fill
from rella_hub.cards.write import write
from rella_hub.corpora import Corpus, load_corpus
from rella_hub.files import places
from rella_hub.hub import resolve as hub
from rella_hub.language_models import chat_template
from rella_hub.prompts import load_style, style_of
from rella_hub.systems.adapter import metadata, paper
from rella_hub.systems.adapter.facts import Run, read_run
from rella_hub.systems.adapter.names import names_of
from rella_hub.tables import store
from rella_hub.texts.shown import plain
from rella_hub.views import load_view, shown_in_words, view_of

TEMPLATE = "adapter.md.jinja"


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
    places.check_file(output, reads=[options.results])
    text, local = render(options, run)
    write(text, output, run.curve, local, run.adapter, options.overwrite)


def render(
    options: CardArguments,
    run: Run,
    licence: dict[str, str] | None = None,
    figure: str | None = None,
    permission: str | None = None,
) -> tuple[str, list[str]]:
    """The text of the card, the same for the same inputs, and the options that would make it name Hub ids only.

    licence: the keys of the YAML that say it, where --license alone does not. figure: a picture of the results beside the card.
    permission: that of the corpus's publisher to pass its data on, in the user's words.
    """
    data = read_training_data(run)
    results = read_results(Path(options.results), run.sha256, "adapter", run.adapter) if options.results else None
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
    rows_per_sample = load_view(data.view).rows_per_sample
    text = fill(
        TEMPLATE,
        metadata=metadata.card_metadata(
            plain(title.rsplit("/", 1)[-1]),
            names.base_on_hub and plain(names.base_on_hub),
            names.dataset_on_hub,
            data.corpus,
            licence,
            scored,
        ),
        title=title,
        run=run,
        data=data,
        names=names,
        comparisons=comparisons,
        resamples=results and results.resamples,
        figure=figure,
        permission=permission,
        main=main,
        record=record,
        config_name=main.config_name if main else run.recipe["config_name"],
        split=main.split if main else "test",
        shown=shown_in_words(run.recipe["config_name"], data.corpus.words),
        num_shots=run.training["training_rows"] // rows_per_sample,
        licence=licence.get("license_name") or licence.get("license"),
        papers=_papers([main, *comparisons], data, names.base) if main else [],
        paper_weights=paper.paper_weights(),
        answers=load_style(style_of(run.recipe["config_name"])).ANSWERS,
        chat=_template(record.get("chat_template_kwargs") or {}),
    )
    return text, names.local(options.hub_model_id)


def _template(arguments: dict) -> dict:
    """The arguments of the chat template as Python code takes them: those that a template reads, its own text and its date apart."""
    others = {key: value for key, value in arguments.items() if key != chat_template.TEMPLATE}
    read = {key: value for key, value in others.items() if key != chat_template.CLOCK}
    call = "".join(f", {key}={value!r}" for key, value in read.items())
    return {
        "call": call,
        "text": arguments.get(chat_template.TEMPLATE),
        "day": arguments.get(chat_template.CLOCK),
        "arguments": others,
    }


def read_training_data(run: Run) -> TrainingData:
    config_name = run.recipe["config_name"]
    folder = hub.resolve(run.recipe["dataset"], [config_name, "interactions"], run.recipe["dataset_revision"])
    view, history_length = view_of(config_name)
    if view is None:
        raise ValueError(
            f"The run {run.folder} was trained on {config_name!r}, which is not a config of prompts such as reit_k30."
        )
    made_from = store.provenance(folder, "interactions")
    return TrainingData(
        corpus=load_corpus(made_from["corpus"]),
        made_from=made_from,
        prompts=store.provenance(folder, config_name),
        encoder=encoder_of(folder),
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
        "chat_template_kwargs": run.base.get("chat_template_kwargs"),
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
