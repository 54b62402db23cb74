"""Turn the item descriptions of a prepared corpus into item vectors: mean-pooled hidden states, reduced by PCA.

The vectors are kept chunk by chunk: a run that was killed resumes when the same command is given again.

examples:
  python dataset_builders/embed.py --corpus ml1m                                    # the sentence encoder of the extra `embed`
  python dataset_builders/embed.py --corpus ml1m --encoder lmsys/vicuna-13b-v1.5    # the paper's
  python dataset_builders/embed.py --corpus ml1m --encoder ./my-encoder --dimension 128 --overwrite true
  python dataset_builders/embed.py --corpus ml25m --encoder lmsys/vicuna-7b-v1.5 --dry_run true                   # what it would cost
  accelerate launch --num_processes 4 dataset_builders/embed.py --corpus ml25m --encoder lmsys/vicuna-7b-v1.5
"""

from contextlib import nullcontext

from rella_hub import cli
from rella_hub.stages.arguments import DryRunArguments, EncoderArguments, EngineArguments, FolderArguments


def main() -> None:
    where, encoder, engine, dry = cli.parse(
        *(FolderArguments, EncoderArguments, EngineArguments, DryRunArguments), description=__doc__
    )
    from rella_hub.cards.dataset.card import write_card
    from rella_hub.stages.chunks.processes import processes
    from rella_hub.stages.embed import embed
    from rella_hub.stages.writing import writing

    engine.check()
    first = processes().is_first  # of those that accelerate launch started, this one alone writes
    with writing(where, ["item_vectors"], reads=[encoder.encoder]) if first and not dry.dry_run else nullcontext():
        embed(where, encoder, engine, dry.dry_run)
        if first and not dry.dry_run:
            write_card(where)


if __name__ == "__main__":
    cli.run(main)
