"""Write the README.md of a data set folder anew, from the tables that stand in it.

Every command that changes a table ends with this; run it by hand after removing a table.

examples:
  python dataset_builders/card.py --corpus ml1m
  python dataset_builders/card.py --corpus ml1m --output elsewhere/ml1m
"""

from dataset_builders import cli
from dataset_builders.stages.arguments import FolderArguments


def main() -> None:
    (where,) = cli.parse(FolderArguments, description=__doc__)
    from dataset_builders.stages.card import write_card
    from dataset_builders.stages.writing import writing

    with writing(where, tables=[]):
        write_card(where)


if __name__ == "__main__":
    cli.run(main)
