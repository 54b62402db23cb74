"""Write the README.md of a data set folder anew, from the tables that stand in it.

Every command that changes a table ends with this; run it by hand after removing a table.

examples:
  python dataset_builders/card.py --corpus ml1m
  python dataset_builders/card.py --corpus ml1m --output elsewhere/ml1m
"""

from rella_hub import cli
from rella_hub.stages.arguments import FolderArguments


def main() -> None:
    (where,) = cli.parse(FolderArguments, description=__doc__)
    from rella_hub.cards.dataset.card import write_card
    from rella_hub.stages.writing import writing

    with writing(where, tables=[]):
        write_card(where)


if __name__ == "__main__":
    cli.run(main)
