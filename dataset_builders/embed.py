"""Turn the item descriptions of a prepared corpus into item vectors: mean-pooled hidden states, reduced by PCA.

examples:
  python dataset_builders/embed.py --corpus ml1m                                    # the sentence encoder of the extra `embed`
  python dataset_builders/embed.py --corpus ml1m --encoder lmsys/vicuna-13b-v1.5    # the paper's
  python dataset_builders/embed.py --corpus ml1m --encoder ./my-encoder --dimension 128 --overwrite true
"""

from dataset_builders import cli
from dataset_builders.stages.arguments import EncoderArguments, FolderArguments


def main() -> None:
    where, encoder = cli.parse(FolderArguments, EncoderArguments, description=__doc__)
    from dataset_builders.stages.card import write_card
    from dataset_builders.stages.embed import embed
    from dataset_builders.stages.writing import writing

    with writing(where, ["item_vectors"], reads=[encoder.encoder]):
        embed(where, encoder)
        write_card(where)


if __name__ == "__main__":
    cli.run(main)
