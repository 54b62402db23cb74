"""Choose which earlier behaviors each sample shows: by recency, by SUBR, or both in turn (ReiT).

SUBR needs the item vectors of `embed.py`, recency only the samples of `prepare.py`.

examples:
  python dataset_builders/view.py --corpus ml1m --history_length 5 10 15 20 25 30
  python dataset_builders/view.py --corpus ml1m --view recency --history_length 60
  python dataset_builders/view.py --corpus ml1m --similarity l2 --overwrite true
"""

from dataset_builders import cli
from dataset_builders.stages.arguments import FolderArguments, ViewArguments


def main() -> None:
    where, views = cli.parse(FolderArguments, ViewArguments, description=__doc__)
    from dataset_builders.stages.card import write_card
    from dataset_builders.stages.view import build_views

    build_views(where, views)
    write_card(where)


if __name__ == "__main__":
    cli.run(main)
