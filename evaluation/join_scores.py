"""Join the shards that `python evaluation/score.py --shard` wrote to the score file that a single run writes, to the last byte.

Shards that are missing, given twice, or of another system or data set are refused.

examples:
  python evaluation/join_scores.py --shards runs/ml1m/scores/rella_subr_k30_test.shard-*.parquet
"""

from __future__ import annotations

from dataclasses import dataclass

from rella_hub import cli
from rella_hub.cli.options import option


@dataclass(frozen=True)
class JoinOptions:
    shards: list[str] = option("All shards of one score file.")
    output: str | None = option("The score file (Parquet). Default: their name without the shard.", None, pins=False)
    overwrite: bool = option("Replace a score file that was made from something else.", False, pins=False)


def main() -> None:
    (options,) = cli.parse(JoinOptions, description=__doc__)
    from rella_hub.systems.shards import join

    join(options.shards, options.output, options.overwrite)


if __name__ == "__main__":
    cli.run(main)
