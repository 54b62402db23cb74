"""Read the raw files of a corpus into the tables users, items, interactions and samples.

The raw archive is downloaded and checked against its published checksum, or given with --raw.

examples:
  python dataset_builders/prepare.py --corpus demo
  python dataset_builders/prepare.py --corpus ml1m                                  # downloads the official archive
  python dataset_builders/prepare.py --corpus ml1m --raw ml-1m.zip --seed 1         # another order of the training samples
"""

from rella_hub import cli
from rella_hub.stages.arguments import FolderArguments, RawArguments


def main() -> None:
    where, source = cli.parse(FolderArguments, RawArguments, description=__doc__)
    from rella_hub.cards.dataset.card import write_card
    from rella_hub.stages.prepare import TABLES, prepare
    from rella_hub.stages.writing import raw_of, writing

    with writing(where, TABLES, reads=[raw_of(source)]):
        prepare(where, source)
        write_card(where)


if __name__ == "__main__":
    cli.run(main)
