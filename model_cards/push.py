"""Publish a tuned adapter on the Hub: weights, card, recipe, results and scores in one commit.

Folders of this machine appear under their Hub ids in everything that is sent, a push of what the Hub has already sends nothing, and the
run folder stays as it is. The licence is that of the base model. The token comes from `hf auth login` or HF_TOKEN.

examples:
  python model_cards/push.py --run runs/ml1m/rella --results runs/ml1m/report/results.json \\
      --hub_model_id me/ml1m-rella-vicuna-13b --dry_run
  python model_cards/push.py --run runs/demo/rella --results runs/demo/report/results.json --hub_model_id me/demo-rella \\
      --base_model_id me/demo-base --dataset_id me/demo --license apache-2.0 --scores runs/demo/scores/rella_*.parquet \\
      --revision_tag v1.0 --collection ReLLa
"""

from dataset_builders import cli
from model_cards.publishing.arguments import PublishingArguments, PushArguments


def main() -> None:
    what, how = cli.parse(PushArguments, PublishingArguments, description=__doc__)
    from model_cards.publishing.push import push_adapter

    push_adapter(what, how)


if __name__ == "__main__":
    cli.run(main)
