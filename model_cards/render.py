"""Write the model card of an adapter: its README.md, from its run folder and a report's results.

Every number in it is computed from the run, the results, the data set's tables or evaluation/paper_tables/*.yaml. The Hub ids say under
which names adapter, base model and data set are (to be) found on the Hub; without them the card names the folders.

examples:
  python model_cards/render.py --run runs/demo/rella --results runs/demo/report/results.json
  python model_cards/render.py --run runs/ml1m/rella --results runs/ml1m/report/results.json --hub_model_id rella/ml1m-rella-vicuna-13b \\
      --dataset_id rella/ml1m --license llama2 --output runs/ml1m/rella/adapter/README.md
"""

from dataclasses import dataclass, field

from dataset_builders import cli


@dataclass(frozen=True)
class CardArguments:
    run: str = field(metadata={"help": "Run folder: the --output_dir of training/sft.py."})
    results: str = field(metadata={"help": "results.json of evaluation/report.py, with a row of this adapter."})
    output: str | None = field(
        default=None, metadata={"help": "The card to write. Default: README.md in the run's adapter/."}
    )
    hub_model_id: str | None = field(
        default=None, metadata={"help": "Hub id of the adapter, such as rella/demo-rella-base."}
    )
    base_model_id: str | None = field(
        default=None, metadata={"help": "Hub id of the base model, where it was trained and scored from a folder."}
    )
    dataset_id: str | None = field(
        default=None, metadata={"help": "Hub id of the data set, where it was read from a folder."}
    )
    license: str | None = field(
        default=None,
        metadata={"help": "Licence of the adapter (Hub identifier), as its base model's asks. Default: the corpus's."},
    )


def main() -> None:
    (options,) = cli.parse(CardArguments, description=__doc__)
    from model_cards.adapter.card import write_card

    write_card(options)


if __name__ == "__main__":
    cli.run(main)
