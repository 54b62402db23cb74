"""The options of a card: what it is about, and what things are called on the Hub."""

from __future__ import annotations

from dataclasses import dataclass

from rella_hub.cli.options import option


@dataclass(frozen=True)
class CardArguments:
    run: str = option("Run folder: the --output_dir of a training.")
    results: str | None = option(
        "results.json of evaluation/report.py, with a row of this model. Default: none, and the card says that there are "
        "no scores yet.",
        None,
    )
    output: str | None = option(
        "The card to write. Default: README.md in the folder of the run that holds what was trained.", None
    )
    overwrite: bool = option("Replace a card of this command that was changed since it was written.", False)
    hub_model_id: str | None = option("Hub id of what was trained, such as rella/demo-rella-base.", None)
    base_model_id: str | None = option(
        "Hub id of an adapter's base model, where it was trained and scored from a folder.", None
    )
    dataset_id: str | None = option("Hub id of the data set, where it was read from a folder.", None)
    license: str | None = option(
        "Licence (Hub identifier): of an adapter as its base model's asks. Default: the corpus's terms.", None
    )
