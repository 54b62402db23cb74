"""Train a traditional CTR model on the same samples as the language models: DeepFM, AutoInt, DCNv2, GRU4Rec, Caser, SASRec, DIN, SIM.

Reads the tables of a data set (interactions, samples, users, items), by folder or Hub id. The run folder gets the weights of the best
validation epoch with their vocabulary (model/), the recipe and the log. With --push_to_hub the finished model is published, with a card
that says that it is not scored yet; whether it can be is asked before training.

examples:
  python training/ctr.py --config training/recipes/ml1m/din.yaml
  python training/ctr.py --model sasrec --dataset rella/ml1m --output_dir runs/ml1m/sasrec --model_options '{"embedding_size": 64}'
  python training/ctr.py --config training/recipes/ml1m/sim.yaml --num_shots 8192 --search category --output_dir runs/ml1m/sim_8192
  python training/ctr.py --config training/recipes/ml1m/din.yaml --push_to_hub --hub_model_id me/ml1m-din --collection ReLLa
"""

from rella_hub import cli


def main() -> None:
    from rella_hub.cards.publishing.arguments import HubArguments, PublishingArguments, PushArguments
    from rella_hub.systems.ctr.options import FittingArguments

    options, hub, publishing = cli.parse(FittingArguments, HubArguments, PublishingArguments, description=__doc__)
    if not hub.push_to_hub:
        for one in (hub, publishing):
            cli.refuse_without("--push_to_hub", one)
    from rella_hub.reports.measure import measure
    from rella_hub.systems.ctr.train import train

    if hub.push_to_hub:
        from rella_hub.systems.ctr.publish import check_before_training, push_ctr_model

        push = PushArguments(options.output_dir, hub.hub_model_id, private=hub.hub_private_repo)
        check_before_training(options.dataset, options.dataset_revision, push, publishing)
    train(options, measure)
    if hub.push_to_hub:
        push_ctr_model(push, publishing)


if __name__ == "__main__":
    cli.run(main)
