"""Turn the item descriptions of a prepared corpus into item vectors: mean-pooled hidden states, reduced by PCA.

The vectors are kept chunk by chunk: a run that was killed resumes when the same command is given again.

examples:
  python dataset_builders/embed.py --corpus ml1m                                    # the sentence encoder of the extra `embed`
  python dataset_builders/embed.py --corpus ml1m --encoder lmsys/vicuna-13b-v1.5    # the paper's
  python dataset_builders/embed.py --corpus ml1m --encoder ./my-encoder --dimension 128 --overwrite true
  python dataset_builders/embed.py --corpus ml1m --dimension 64 --vectors pca64     # beside the others, as item_vectors_pca64
  python dataset_builders/embed.py --corpus ml25m --encoder lmsys/vicuna-7b-v1.5 --dry_run true                   # what it would cost
  accelerate launch --num_processes 4 dataset_builders/embed.py --corpus ml25m --encoder lmsys/vicuna-7b-v1.5
"""

from contextlib import nullcontext

from rella_hub import cli
from rella_hub.stages.arguments import (
    DryRunArguments,
    EncoderArguments,
    EngineArguments,
    FolderArguments,
    VectorArguments,
)


def main() -> None:
    where, encoder, variant, engine, dry = cli.parse(
        *(FolderArguments, EncoderArguments, VectorArguments, EngineArguments, DryRunArguments), description=__doc__
    )
    from rella_hub.cards.dataset.card import write_card
    from rella_hub.stages.chunks.processes import processes
    from rella_hub.stages.configs import check_variant
    from rella_hub.stages.embed import embed
    from rella_hub.stages.writing import writing
    from rella_hub.views import vectors_table

    check_variant(variant)
    engine.check()
    first = processes().is_first  # of those that accelerate launch started, this one alone writes
    writes = first and not dry.dry_run
    with writing(where, [vectors_table(variant.vectors)], reads=[encoder.encoder]) if writes else nullcontext():
        embed(where, encoder, variant, engine, dry.dry_run)
        if writes:
            write_card(where)


if __name__ == "__main__":
    cli.run(main)
