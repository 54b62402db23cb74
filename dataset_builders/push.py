"""Push the built data set of a corpus to the Hub: tables and card in one commit, with a tag for the version.

Files that the Hub has already are not sent again, configs that were deleted here vanish there, and a push that broke off goes on where
it stopped. Where the terms of a corpus forbid redistribution (MovieLens), the repository is private unless you state that you
hold the publisher's permission. The token comes from `hf auth login` or HF_TOKEN.

examples:
  python dataset_builders/push.py --corpus ml1m --namespace me --dry_run true
  python dataset_builders/push.py --corpus bookcrossing --namespace me --revision_tag v1.0 --collection ReLLa
"""

from rella_hub import cli
from rella_hub.stages.arguments import FolderArguments


def main() -> None:
    from rella_hub.cards.dataset.arguments import PushArguments

    where, options = cli.parse(FolderArguments, PushArguments, description=__doc__)
    from rella_hub.cards.dataset.push import push

    push(where, options)


if __name__ == "__main__":
    cli.run(main)
