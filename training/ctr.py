"""Train a traditional CTR model on the same samples as the language models: DeepFM, AutoInt, DCNv2, GRU4Rec, Caser, SASRec, DIN, SIM.

Reads the tables of a data set (interactions, samples, users, items), by folder or Hub id. The run folder gets the weights of the best
validation epoch with their vocabulary (model/), the recipe and the log. With --push_to_hub the finished model is published. Its card says
that it has no scores yet. Permission to push is checked before training starts.

examples:
  python training/ctr.py --config training/recipes/ml1m/din.yaml
  python training/ctr.py --model sasrec --dataset rella/ml1m --output_dir runs/ml1m/sasrec --model_options '{"embedding_size": 64}'
  python training/ctr.py --config training/recipes/ml1m/sim.yaml --num_shots 8192 --search category --output_dir runs/ml1m/sim_8192
  python training/ctr.py --config training/recipes/ml1m/din.yaml --push_to_hub --hub_model_id me/ml1m-din --collection ReLLa
"""

from rella_hub import cli


def main() -> None:
    from rella_hub.systems.training import run

    run("ctr", __doc__)


if __name__ == "__main__":
    cli.run(main)
