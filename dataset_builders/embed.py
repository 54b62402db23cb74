"""Turn the item descriptions of a prepared corpus into item vectors: mean-pooled hidden states, reduced by PCA.

examples:
  python dataset_builders/embed.py --corpus ml1m                                    # the sentence encoder of the extra `embed`
  python dataset_builders/embed.py --corpus ml1m --encoder lmsys/vicuna-13b-v1.5    # the paper's
  python dataset_builders/embed.py --corpus ml1m --encoder ./my-encoder --dimension 128 --overwrite true
  python dataset_builders/embed.py --corpus ml1m --dimension 64 --vectors pca64     # beside the others, as item_vectors_pca64
"""

from rella_hub import cli
from rella_hub.stages.arguments import EncoderArguments, FolderArguments, VectorArguments


def main() -> None:
    where, encoder, variant = cli.parse(FolderArguments, EncoderArguments, VectorArguments, description=__doc__)
    from rella_hub.cards.dataset.card import write_card
    from rella_hub.stages.configs import check_variant
    from rella_hub.stages.embed import embed
    from rella_hub.stages.writing import writing
    from rella_hub.views import vectors_table

    check_variant(variant)
    with writing(where, [vectors_table(variant.vectors)], reads=[encoder.encoder]):
        embed(where, encoder, variant)
        write_card(where)


if __name__ == "__main__":
    cli.run(main)
