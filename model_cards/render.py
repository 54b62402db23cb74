"""Write the model card of an adapter or a traditional CTR model: its README.md, from its run folder and a report's results.

Every number in it is computed from the run, the results, the data set's tables or evaluation/paper_tables/*.yaml. The Hub ids say under
which names adapter or CTR model, base model and data set are (to be) found on the Hub; without them the card names the folders. Without
results it says that the model is not scored yet.

examples:
  python model_cards/render.py --run runs/demo/rella --results runs/demo/report/results.json
  python model_cards/render.py --run runs/ml1m/rella --results runs/ml1m/report/results.json --hub_model_id rella/ml1m-rella-vicuna-13b \\
      --dataset_id rella/ml1m --license llama2 --output runs/ml1m/rella/adapter/README.md
  python model_cards/render.py --run runs/ml1m/din --results runs/ml1m/report/results.json --hub_model_id rella/ml1m-din
"""

from pathlib import Path

from rella_hub import cli
from rella_hub.cards.arguments import CardArguments


def main() -> None:
    (options,) = cli.parse(CardArguments, description=__doc__)
    from rella_hub.cards.card import write_card
    from rella_hub.systems import facts_of

    write_card(options, facts_of(Path(options.run)))


if __name__ == "__main__":
    cli.run(main)
