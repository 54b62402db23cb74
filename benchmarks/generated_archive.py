"""Write a raw archive of the shape of MovieLens-25M, for benchmarks over sizes, and say what it holds beside the real ones.

example: python benchmarks/generated_archive.py --path ml-25m.zip --users 20000
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from harness import archive_shape, markdown, movielens_25m

from rella_hub import cli
from rella_hub.cli.options import option
from rella_hub.files import ownership


@dataclass(frozen=True)
class Arguments:
    path: str = option("Where to write: a .zip, or else a folder.")
    users: int = option("Number of users.", movielens_25m.USERS)
    seed: int = option("Seed of everything that is drawn.", 0)


def main() -> None:
    (options,) = cli.parse(Arguments, description=__doc__)
    path = Path(options.path)
    writing = ownership.writing_file if path.suffix == ".zip" else ownership.writing_folder
    with writing(path, movielens_25m.GENERATED) as temporary:
        movielens_25m.generate(temporary, options.users, options.seed)
    markdown.write(
        "generated_archive",
        "A generated archive of MovieLens-25M's shape",
        f"Measured on the archive that was generated for {options.users:,} users (seed {options.seed}), beside what is published of "
        "MovieLens-25M and what was measured on MovieLens latest-small, which is real and of the same format.",
        archive_shape.rows(archive_shape.measure(path)),
        ("", "generated", "MovieLens-25M", "ml-latest-small"),
        "Lengths, ties, sessions and popularity are imitated; tastes and release dates are not.",
    )


if __name__ == "__main__":
    cli.run(main)
