"""Choose which earlier behaviors each sample shows: by recency, by SUBR, or both in turn (ReiT).

SUBR needs the item vectors of `embed.py`, recency only the samples of `prepare.py`.

examples:
  python dataset_builders/view.py --corpus ml1m --history_length 5 10 15 20 25 30
  python dataset_builders/view.py --corpus ml1m --view recency --history_length 60
  python dataset_builders/view.py --corpus ml1m --similarity l2                       # view_subr_l2_k30
  python dataset_builders/view.py --corpus ml25m --train_rows all --test_rows all --validation_rows all
"""

from rella_hub import cli
from rella_hub.stages.arguments import (
    EngineArguments,
    FolderArguments,
    RowArguments,
    VectorArguments,
    ViewArguments,
)


def main() -> None:
    where, views, vectors, rows, engine = cli.parse(
        FolderArguments, ViewArguments, VectorArguments, RowArguments, EngineArguments, description=__doc__
    )
    from rella_hub.cards.dataset.card import write_card
    from rella_hub.stages.configs import configs
    from rella_hub.stages.view import build_views
    from rella_hub.stages.writing import writing

    with writing(where, [config.table for config in configs(views, vectors)]):
        build_views(where, views, rows, engine, vectors)
        write_card(where)


if __name__ == "__main__":
    cli.run(main)
