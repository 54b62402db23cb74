"""Remove what the commands made, and nothing else: `make clean`.

A file goes when the record beside it says that this project wrote it and it is as it was written; tables and score files say so themselves.
Whatever else lies there stays and is named: an archive that somebody brought, a card that somebody changed.

examples:
  python dataset_builders/clean.py --folders rella runs raw archives
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from rella_hub import cli
from rella_hub.cli.options import option


@dataclass(frozen=True)
class CleanArguments:
    folders: list[str] = option("Where the commands wrote.", ["rella", "runs", "raw", "archives"])


def main() -> None:
    (options,) = cli.parse(CleanArguments, description=__doc__)
    from rella_hub.stages.clean import clean

    for folder in map(Path, options.folders):
        if folder.is_dir():
            for path in clean(folder):
                print(f"{path}: not ours, or changed since it was written; kept.", flush=True)


if __name__ == "__main__":
    cli.run(main)
