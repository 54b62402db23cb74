"""Train P5, a T5 that reads ids and answers yes or no, on the same samples as the language models.

Reads the tables of a data set (interactions, samples, users, items), by folder or Hub id. Users and items are numbers in a text, such
as user_7; the model is told which pieces make a word. The run folder gets the weights of the best validation epoch with the tokenizer
and the numbers (t5/), the recipe and the log. With --push_to_hub the finished model is published.

examples:
  python training/seq2seq.py --config training/recipes/ml1m/p5.yaml
  python training/pretrain.py --config training/recipes/ml1m/small_t5.yaml && \\
      python training/seq2seq.py --config training/recipes/ml1m/small_p5.yaml
  python training/seq2seq.py --t5 google-t5/t5-small --dataset rella/ml1m --history_in_text false --output_dir runs/ml1m/p5_ids
"""

from rella_hub import cli


def main() -> None:
    from rella_hub.systems.training import run

    run("seq2seq", __doc__)


if __name__ == "__main__":
    cli.run(main)
