"""What an archive in the format of MovieLens-25M holds, generated or real, beside what is known of the real ones."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import polars as pl

from rella_hub.cli.options import option


@dataclass(frozen=True)
class Shape:
    """What an archive holds; None where nothing is published."""

    users: int
    movies: int = option("rated movies")
    catalogue: int = option("movies in movies.csv")
    ratings: int
    shortest: int = option("ratings of the shortest user")
    median: float = option("ratings of the median user")
    mean: float = option("ratings a user")
    longest: int = option("ratings of the longest user")
    most_rated: int = option("ratings of the most rated movie")
    history_scale: float | None = option("ratings of a rating's user, mean (sum of length² / ratings)")
    same_second: float | None = option("neighbours in time of the same second")
    breaks: float | None = option("neighbours in time more than an hour apart")


PUBLISHED = Shape(162_541, 59_047, 62_423, 25_000_095, 20, 71, 25_000_095 / 162_541, 32_202, 81_491, None, None, None)
LATEST_SMALL = Shape(610, 9724, 9742, 100_836, 20, 70.5, 165.305, 2698, 329, 603.893, 0.15754, 0.06336)  # measure(it)


def measure(path: Path) -> Shape:
    """Read an archive back, generated or real (zip or folder), and say what it holds."""
    schema = {"userId": pl.Int64, "movieId": pl.Int32, "timestamp": pl.Int64}
    ratings = pl.read_csv(_read(path, "ratings.csv"), columns=list(schema), schema_overrides=schema)
    user, time = (ratings[c].to_numpy() for c in ("userId", "timestamp"))
    length = np.unique(user, return_counts=True)[1]
    popularity = ratings["movieId"].value_counts()["count"]
    gaps = np.diff(np.sort(user << 32 | time))  # above 2**31 from one user to the next
    neighbours = len(user) - len(length)
    return Shape(
        users=len(length),
        movies=len(popularity),
        catalogue=pl.read_csv(_read(path, "movies.csv"), columns=["movieId"]).height,
        ratings=len(user),
        shortest=int(length.min()),
        median=float(np.median(length)),
        mean=float(length.mean()),
        longest=int(length.max()),
        most_rated=int(popularity.max()),
        history_scale=float((length**2).sum() / length.sum()),
        same_second=float((gaps == 0).sum() / neighbours),
        breaks=float(((gaps > 3600) & (gaps < 2**31)).sum() / neighbours),
    )


def rows(generated: Shape) -> list[tuple[str, str, str, str]]:
    """Lines of a table: what, generated, published of MovieLens-25M, measured on ml-latest-small."""

    def cell(value: float | None) -> str:
        return "-" if value is None else f"{value:,}" if isinstance(value, int) else f"{value:,.4g}"

    shapes = (generated, PUBLISHED, LATEST_SMALL)
    return [
        (f.metadata.get("help", f.name), *(cell(getattr(shape, f.name)) for shape in shapes)) for f in fields(Shape)
    ]


def _read(path: Path, name: str) -> bytes:
    if path.is_dir():
        return (path / name).read_bytes()
    with zipfile.ZipFile(path) as archive:
        return archive.read(next(member for member in archive.namelist() if member.endswith(f"/{name}")))
