"""Train a system of any family: each folder of rella_hub/systems/ is one. sft.py and ctr.py are this command for a family each.

The recipe names its family (`family: ctr`), or the command line does. The run folder gets what was trained, the recipe, the log and the
curve; a finished run is kept. With --push_to_hub the result is published, with a card that says that it has no scores yet; whether it
can be pushed is checked before training starts.

examples:
  python training/train.py --family ctr --config training/recipes/ml1m/din.yaml
  python training/train.py --family adapter --help
"""

from rella_hub import cli


def main() -> None:
    from rella_hub.systems.training import run_any

    run_any(__doc__)


if __name__ == "__main__":
    cli.run(main)
