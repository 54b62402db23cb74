"""Hold rankings of the same stored candidates against each other: NDCG@10, Hit@10, Hit@20, EFD@10, EPC@10, by activity of the users.

Every table has a row of chance and a row of popularity, because a recommender that does not beat them has learnt nothing. Choices of one
system from several seeds are runs of one row where their names differ in `_s<seed>` alone.

examples:
  python evaluation/rankings.py --choices runs/demo/slim/choices/*.parquet --dataset rella/demo_slim --output runs/demo/slim/rankings
"""

from dataclasses import dataclass

from rella_hub import cli
from rella_hub.cli.options import option


@dataclass(frozen=True)
class RankingOptions:
    choices: list[str] = option("Files that evaluation/choose.py wrote, of one split and one draw.")
    dataset: str = option("The data set that was asked about: Hub id or folder.")
    output: str = option("Folder of the table: rankings.md, rankings.json.")
    dataset_revision: str | None = option("Branch, tag or commit of the data set.", None)
    overwrite: bool = option("Replace a table that stands there.", False)


def main() -> None:
    (options,) = cli.parse(RankingOptions, description=__doc__)
    from pathlib import Path

    from rella_hub.hub.resolve import resolve
    from rella_hub.reports.rankings import rankings

    folder = resolve(options.dataset, ["items", "interactions", "samples"], options.dataset_revision)
    rankings(options.choices, folder, Path(options.output), options.overwrite)


if __name__ == "__main__":
    cli.run(main)
