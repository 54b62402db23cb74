"""Publish a tuned adapter or a traditional CTR model on the Hub: weights, card, recipe, results and scores in one commit.

Folders of this machine appear under their Hub ids in everything that is sent, a push of what the Hub has already sends nothing, and the
run folder stays as it is. The licence of an adapter is that of its base model, the terms of a CTR model those of its corpus: its vocabulary
lists values of the corpus, so where these must not be passed on (MovieLens) the repository is private unless you state that you hold
the publisher's permission. The token comes from `hf auth login` or HF_TOKEN.

examples:
  python model_cards/push.py --run runs/ml1m/rella --results runs/ml1m/report/results.json \\
      --hub_model_id me/ml1m-rella-vicuna-13b --dry_run
  python model_cards/push.py --run runs/demo/rella --results runs/demo/report/results.json --hub_model_id me/demo-rella \\
      --base_model_id me/demo-base --dataset_id me/demo --license apache-2.0 --scores runs/demo/scores/rella_*.parquet \\
      --revision_tag v1.0 --collection ReLLa
  python model_cards/push.py --run runs/ml1m/din --results runs/ml1m/report/results.json --hub_model_id me/ml1m-din --collection ReLLa
"""

from pathlib import Path

from rella_hub import cli
from rella_hub.cards.publishing.arguments import AdapterPublishingArguments, PushArguments


def main() -> None:
    what, how = cli.parse(PushArguments, AdapterPublishingArguments, description=__doc__)
    from rella_hub.cards.publishing.push import push_model
    from rella_hub.systems import facts_of

    push_model(what, how, facts_of(Path(what.run)))


if __name__ == "__main__":
    cli.run(main)
