"""The options of a card: what it is about, and what things are called on the Hub."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class CardArguments:
    run: str = field(metadata={"help": "Run folder: the --output_dir of training/sft.py or training/ctr.py."})
    results: str | None = field(
        default=None,
        metadata={
            "help": "results.json of evaluation/report.py, with a row of this model. Default: none, and the card says that there are "
            "no scores yet."
        },
    )
    output: str | None = field(
        default=None, metadata={"help": "The card to write. Default: README.md in the run's adapter/ or model/."}
    )
    overwrite: bool = field(
        default=False, metadata={"help": "Replace a card of this command that was changed since it was written."}
    )
    hub_model_id: str | None = field(
        default=None, metadata={"help": "Hub id of the adapter or CTR model, such as rella/demo-rella-base."}
    )
    base_model_id: str | None = field(
        default=None,
        metadata={"help": "Hub id of an adapter's base model, where it was trained and scored from a folder."},
    )
    dataset_id: str | None = field(
        default=None, metadata={"help": "Hub id of the data set, where it was read from a folder."}
    )
    license: str | None = field(
        default=None,
        metadata={
            "help": "Licence (Hub identifier): of an adapter as its base model's asks. Default: the corpus's terms."
        },
    )
