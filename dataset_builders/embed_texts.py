"""Encode the texts that SLIM's recommenders read, once for all of them: of items, of rationales, of the titles behind a rationale.

The vectors are kept chunk by chunk: a run that was killed resumes when the same command is given again.

examples:
  python dataset_builders/embed_texts.py --corpus demo --texts items titles teacher teacher_step1 teacher_step2 teacher_step3
  python dataset_builders/embed_texts.py --corpus amazon_games --texts items student --encoder google-bert/bert-base-uncased
"""

from contextlib import nullcontext

from rella_hub import cli
from rella_hub.stages.arguments import FolderArguments
from rella_hub.stages.rationales.arguments import TextArguments


def main() -> None:
    where, options = cli.parse(FolderArguments, TextArguments, description=__doc__)
    from rella_hub.cards.dataset.card import write_card
    from rella_hub.stages.chunks.processes import processes
    from rella_hub.stages.text_vectors import embed_texts
    from rella_hub.stages.writing import writing
    from rella_hub.tables.text_vectors import table_of

    first = processes().is_first
    with writing(where, map(table_of, options.texts), reads=[options.encoder]) if first else nullcontext():
        embed_texts(where, options)
        if first:
            write_card(where)


if __name__ == "__main__":
    cli.run(main)
