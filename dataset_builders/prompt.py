"""Put the views of a corpus into words: the prompts a language model reads and the answers it should give.

examples:
  python dataset_builders/prompt.py --corpus ml1m                                   # K = 30
  python dataset_builders/prompt.py --corpus ml1m --view subr --history_length 5 10 15
"""

from rella_hub import cli
from rella_hub.stages.arguments import (
    EngineArguments,
    FolderArguments,
    PromptArguments,
    RowArguments,
    VectorArguments,
    ViewArguments,
)


def main() -> None:
    where, views, vectors, prompts, rows, engine = cli.parse(
        FolderArguments,
        ViewArguments,
        VectorArguments,
        PromptArguments,
        RowArguments,
        EngineArguments,
        description=__doc__,
    )
    from rella_hub.cards.dataset.card import write_card
    from rella_hub.stages.configs import configs
    from rella_hub.stages.prompt import build_prompts
    from rella_hub.stages.writing import writing

    with writing(where, [config.name for config in configs(views, vectors, prompts.style)]):
        build_prompts(where, views, prompts, rows, engine, vectors)
        write_card(where)


if __name__ == "__main__":
    cli.run(main)
