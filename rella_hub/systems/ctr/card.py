"""The card of a traditional CTR model, from its run folder, a report's results and the data set."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from rella_hub.cards.arguments import CardArguments
from rella_hub.cards.data import encoder_of
from rella_hub.cards.names import dataset_on_hub, require_hub_id
from rella_hub.cards.results import main_comparison, read_results
from rella_hub.cards.write import fill, write
from rella_hub.corpora import Corpus, load_corpus
from rella_hub.files import places
from rella_hub.hub import resolve as hub
from rella_hub.metrics import metrics
from rella_hub.systems.ctr import metadata, paper
from rella_hub.systems.ctr.architecture import read_architecture
from rella_hub.systems.ctr.facts import CtrRun, read_run
from rella_hub.tables import store
from rella_hub.texts.shown import plain

TEMPLATE = "ctr_model.md.jinja"


@dataclass(frozen=True)
class TrainingData:
    """The data set that a run was trained on, as its tables tell."""

    corpus: Corpus
    made_from: dict  # the record of its interactions
    encoder: str | None  # of the item vectors that the model retrieves by, where it does and they are there


@dataclass(frozen=True)
class Names:
    model: str  # Hub id, or folder of this machine
    dataset: str
    dataset_on_hub: str | None
    local: list[str]  # the options that would name a thing by its Hub id, for each one that is a folder


def write_card(options: CardArguments) -> None:
    """Write the card of `options`, and the training curve beside it."""
    if options.base_model_id is not None:
        raise ValueError(
            f"{options.run} holds a traditional CTR model, which has no base model. Leave out --base_model_id."
        )
    for option in ("hub_model_id", "dataset_id"):
        require_hub_id(option, getattr(options, option))
    run = read_run(Path(options.run))
    output = Path(options.output) if options.output else run.model / "README.md"
    places.check_file(output, reads=[options.results])
    text, local = render(options, run)
    write(text, output, run.curve, local, run.model, options.overwrite)


def render(
    options: CardArguments,
    run: CtrRun,
    licence: dict[str, str] | None = None,
    figure: str | None = None,
    permission: str | None = None,
) -> tuple[str, list[str]]:
    """As `rella_hub.systems.adapter.card.render`."""
    data = read_training_data(run)
    architecture = read_architecture(run.features["model"])
    results = read_results(Path(options.results), run.sha256, "model", run.model) if options.results else None
    comparisons = results.comparisons if results else []
    meant = f"subr_k{run.features['history_length']}"  # its samples are those of any view; the language model is shown this one
    main = main_comparison(comparisons, data.corpus.id, meant) if comparisons else None
    names = _names(options, run, data.corpus.id)
    title = options.hub_model_id or f"{data.corpus.id}-{run.folder.resolve().name}"
    licence = licence or ({"license": options.license} if options.license else {})
    trained_on = run.recipe["dataset"]
    scored = [
        (c, dataset_on_hub(c.own["record"]["dataset"], c.corpus, options.dataset_id, trained_on)) for c in comparisons
    ]
    printed = main and paper.paper_row(architecture.name, data.corpus.id, run.recipe["num_shots"], main)
    status = data.made_from["raw_status"]
    text = fill(
        TEMPLATE,
        metadata=metadata.card_metadata(
            plain(title.rsplit("/", 1)[-1]), run.features["model"], names.dataset_on_hub, data.corpus, licence, scored
        ),
        title=title,
        run=run,
        architecture=architecture,
        data=data,
        names=names,
        comparisons=comparisons,
        resamples=results and results.resamples,
        figure=figure,
        permission=permission,
        main=main,
        config_name=main.config_name if main else meant,
        fields={field: run.values.field_sizes[field] - 1 for field in data.corpus.features},
        ratings=run.values.rating_values - 1,
        metrics={metric.name: metric.title for metric in metrics() if not metric.by_user},
        licence=licence.get("license_name") or licence.get("license"),
        printed=printed,
        differences=paper.differences(data.corpus, status, main, data.encoder) if printed else [],
    )
    return text, names.local


def read_training_data(run: CtrRun) -> TrainingData:
    """ValueError when the data set is not to be had, or is not the one that the model was trained on."""
    name = run.recipe["dataset"]
    folder = hub.resolve(name, ["interactions"], run.recipe["dataset_revision"])
    made_from = store.provenance(folder, "interactions")
    if made_from["fingerprint"] != run.training["inputs"]["interactions"]:
        raise ValueError(
            f"The data set {name} has been built anew since {run.folder} was trained on it, so what it says is not true of this model. "
            "Build it as it was, or train again."
        )
    return TrainingData(load_corpus(made_from["corpus"]), made_from, encoder_of(folder) if run.searched else None)


def _names(options: CardArguments, run: CtrRun, corpus: str) -> Names:
    trained_on = run.recipe["dataset"]
    on_hub = dataset_on_hub(trained_on, corpus, options.dataset_id, trained_on)
    given = {"dataset_id": on_hub, "hub_model_id": options.hub_model_id}
    return Names(
        model=options.hub_model_id or run.model.as_posix(),
        dataset=on_hub or trained_on,
        dataset_on_hub=on_hub,
        local=[f"--{option}" for option, name in given.items() if name is None],
    )
