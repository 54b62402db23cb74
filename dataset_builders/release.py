"""Build the Hub data set of one corpus: prepare, embed, view, prompt, card; of a next-item task: prepare, candidates, prompt, card.

Leaves the folder rella/<corpus>/ under the current folder, which `load_dataset("rella/<corpus>", "subr_k30")` reads from there.
A stage whose inputs are unchanged is skipped, so an interrupted build goes on where it stopped.

examples:
  python dataset_builders/release.py --corpus demo --history_length 10
  python dataset_builders/release.py --corpus ml1m                                  # downloads the official archive
  python dataset_builders/release.py --corpus ml1m --raw ml-1m.zip --history_length 5 10 15 20 25 30
  python dataset_builders/release.py --corpus ml1m --encoder lmsys/vicuna-13b-v1.5  # the paper's item vectors
  python dataset_builders/release.py --corpus bookcrossing --raw BX-CSV-Dump.zip --history_length 60
  python dataset_builders/release.py --corpus ml100k --task next_item               # LLaRA's: which of 20 candidates is next?
  python dataset_builders/release.py --corpus ml25m --train_rows all --test_rows all --validation_rows all
"""

from rella_hub import cli
from rella_hub.stages.arguments import (
    CandidateArguments,
    EncoderArguments,
    EngineArguments,
    FolderArguments,
    PromptArguments,
    RawArguments,
    RowArguments,
    VectorArguments,
    ViewArguments,
)


def main() -> None:
    where, source, encoder, vectors, views, prompts, rows, engine, drawn = cli.parse(
        FolderArguments,
        RawArguments,
        EncoderArguments,
        VectorArguments,
        ViewArguments,
        PromptArguments,
        RowArguments,
        EngineArguments,
        CandidateArguments,
        description=__doc__,
    )
    from rella_hub.corpora import load_corpus
    from rella_hub.stages.prepare import task_of
    from rella_hub.tasks import next_item_of

    asks = "a task that asks whether a user will like an item"
    if next_item_of(task_of(load_corpus(where.corpus), source.task)):
        for options in (encoder, vectors, prompts, rows, engine):
            cli.refuse_without(asks, options)
        cli.refuse_without(asks, views, ["view", "similarity"])
        usual = views.history_length == ViewArguments().history_length
        release_next_items(where, source, drawn, [] if usual else views.history_length)
    else:
        cli.refuse_without("a next-item task (--task next_item)", drawn)
        release_labels(where, source, encoder, vectors, views, prompts, rows, engine)


def release_next_items(where, source, drawn, history_lengths) -> None:
    """prepare, candidates, prompt, card"""
    from rella_hub.cards.dataset.card import write_card
    from rella_hub.stages.candidates import check, draw_candidates
    from rella_hub.stages.next_item import build_next_item_prompts
    from rella_hub.stages.prepare import TABLES, prepare
    from rella_hub.stages.writing import raw_of, writing
    from rella_hub.tables import candidates

    check(drawn)
    draws = range(drawn.candidate_draws)
    made = [candidates.Config(length, draw).name for length in history_lengths for draw in draws]
    with writing(where, [*TABLES, *map(candidates.table_of, draws), *made], reads=[raw_of(source)]):
        prepare(where, source)
        draw_candidates(where, drawn)
        build_next_item_prompts(where, drawn, history_lengths)
        write_card(where)


def release_labels(where, source, encoder, vectors, views, prompts, rows, engine) -> None:
    """prepare, embed, view, prompt, card"""
    from rella_hub.cards.dataset.card import write_card
    from rella_hub.corpora import load_corpus
    from rella_hub.stages.configs import configs, require_parts
    from rella_hub.stages.embed import embed
    from rella_hub.stages.prepare import TABLES, prepare
    from rella_hub.stages.prompt import build_prompts, require_answers
    from rella_hub.stages.view import build_views
    from rella_hub.stages.writing import raw_of, writing
    from rella_hub.views import compares_vectors, vectors_table

    # What is wrong with a late stage is said before the early ones take their time.
    asked = configs(views, vectors, prompts.style)
    corpus = load_corpus(where.corpus)
    require_answers(corpus)
    rows.choose(corpus)
    engine.check()
    require_parts(where, asked)
    retrieves = any(compares_vectors(config.view) for config in asked)
    if not retrieves:
        cli.refuse_without("--view subr, which needs item vectors", encoder)
    made = [name for config in asked for name in (config.table, config.name)]
    tables = [*TABLES, vectors_table(vectors.vectors), *made]
    with writing(where, tables, reads=[raw_of(source), encoder.encoder]):
        prepare(where, source)
        if retrieves:
            embed(where, encoder, vectors)
        build_views(where, views, rows, engine, vectors)
        build_prompts(where, views, prompts, rows, engine, vectors)
        write_card(where)


if __name__ == "__main__":
    cli.run(main)
